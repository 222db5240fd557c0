package apps

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// The programs of testdata/cases do what public reports tell of, which each
// names. Their tests check what is right: in one process and with two workers,
// as a user asks for these, it is what plain Node does, or the log tells.

// A run of a case is nodeinit with one of them.
type caseRun struct {
	*testproc.Process
	t       *testing.T
	workers int
	port    int
}

// onBoth runs a test of a case in one process and with two workers.
func onBoth(t *testing.T, test func(t *testing.T, workers int)) {
	t.Parallel()
	for name, workers := range map[string]int{"one process": 1, "two workers": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, workers)
		})
	}
}

// asked are the flags for so many workers. The grace is one that no test sees
// the end of.
func asked(workers int) string {
	return map[int]string{1: "--cpus 1 ", 2: "--workers 2 "}[workers] + harness.LongGrace
}

// caseCommand is a program of testdata/cases/DIR under nodeinit. A word of argv
// that ends in .js is a file there, and node the newest.
func caseCommand(t *testing.T, flags, dir string, argv ...string) testproc.Command {
	t.Helper()
	where, err := filepath.Abs(filepath.Join("testdata/cases", dir))
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(harness.AppDir(t, "cases"), "node_modules")
	c := harness.UnderInit(flags, argv...)
	c.Dir = where
	path := filepath.Dir(harness.NodeBinary(t, harness.NewestLine)) + ":" + modules + "/.bin:/usr/bin:/bin"
	return harness.WithEnv(c, "NODE_PATH="+modules, "PATH="+path)
}

// startCase starts it, with a port of its own.
func startCase(t *testing.T, workers int, c testproc.Command) *caseRun {
	t.Helper()
	port := harness.ReservePort(t)
	return &caseRun{harness.WithEnv(c, fmt.Sprintf("PORT=%d", port)).Start(t), t, workers, port}
}

// untilWrites waits until the program has written a text n times.
func (r *caseRun) untilWrites(n int, text string) {
	r.t.Helper()
	harness.WaitUntil(r.t, fmt.Sprintf("the program to write %q %d times", text, n), func() bool {
		if strings.Count(r.Output(), text) >= n {
			return true
		}
		if unix.Kill(r.PID, 0) != nil {
			r.t.Fatalf("ended without writing %q %d times", text, n)
		}
		return false
	})
}

// serves waits until all workers listen, and nodeinit has heard of it: below a
// wrapper it knows from then on which process is the program.
func (r *caseRun) serves() {
	r.t.Helper()
	r.untilWrites(r.workers, "listening\n")
	r.untilWrites(r.workers, ` listening","`)
}

func (r *caseRun) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", r.port, path) }

// ends sends SIGTERM and checks the status.
func (r *caseRun) ends(status int) {
	r.t.Helper()
	r.Signal(unix.SIGTERM)
	r.WaitCode(status)
}

// connect connects to the program.
func (r *caseRun) connect() *harness.Client {
	r.t.Helper()
	conn, err := net.Dial("tcp", harness.Local(r.port))
	if err != nil {
		r.t.Fatal(err)
	}
	return harness.NewClient(r.t, conn)
}

// connectEach connects until there is a connection to each of the workers, which
// give their process ID at /, and returns these by it.
func (r *caseRun) connectEach() map[string]*harness.Client {
	r.t.Helper()
	clients := make(map[string]*harness.Client)
	harness.WaitUntil(r.t, "a connection to each worker", func() bool {
		v := r.connect()
		v.Request("/")
		pid, _ := v.Response()
		clients[pid] = v
		return len(clients) == r.workers
	})
	return clients
}
