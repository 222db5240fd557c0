package test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
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
	return map[int]string{1: "--cpus 1 ", 2: "--workers 2 "}[workers] + forEver
}

// caseCommand is a program of testdata/cases/DIR under nodeinit. A word of argv
// that ends in .js is a file there, and node the newest.
func caseCommand(t *testing.T, flags, dir string, argv ...string) testproc.Command {
	t.Helper()
	where, err := filepath.Abs(filepath.Join("testdata/cases", dir))
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(sample{name: "cases"}.directory(t), "node_modules")
	c := underInit(flags, argv...)
	c.Dir = where
	path := filepath.Dir(nodeBinary(t, newestLine)) + ":" + modules + "/.bin:/usr/bin:/bin"
	return withEnv(c, "NODE_PATH="+modules, "PATH="+path)
}

// startCase starts it, with a port of its own.
func startCase(t *testing.T, workers int, c testproc.Command) *caseRun {
	t.Helper()
	port := reservePort(t)
	return &caseRun{withEnv(c, fmt.Sprintf("PORT=%d", port)).Start(t), t, workers, port}
}

// untilWrites waits until the program has written a text n times.
func (r *caseRun) untilWrites(n int, text string) {
	r.t.Helper()
	waitUntil(r.t, fmt.Sprintf("the program to write %q %d times", text, n), func() bool {
		if strings.Count(r.Output(), text) >= n {
			return true
		}
		if unix.Kill(r.PID, 0) != nil {
			r.t.Fatalf("ended without writing %q %d times", text, n)
		}
		return false
	})
}

// serves waits until all workers listen.
func (r *caseRun) serves() {
	r.t.Helper()
	r.untilWrites(r.workers, "listening\n")
}

func (r *caseRun) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", r.port, path) }

// ends sends SIGTERM and checks the status.
func (r *caseRun) ends(status int) {
	r.t.Helper()
	r.Signal(unix.SIGTERM)
	r.WaitCode(status)
}

// visit connects to the program.
func (r *caseRun) visit() *visitor {
	r.t.Helper()
	conn, err := net.Dial("tcp", local(r.port))
	if err != nil {
		r.t.Fatal(err)
	}
	return newVisitor(r.t, conn)
}

// newVisitor is a client on a connection, which is closed with the test.
func newVisitor(t *testing.T, conn net.Conn) *visitor {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(testproc.HangLimit))
	return &visitor{conn, t, bufio.NewReader(conn)}
}

// visitEach connects until there is a connection to each of the workers, which
// say who they are at /, and returns these by process ID.
func (r *caseRun) visitEach() map[string]*visitor {
	r.t.Helper()
	visitors := make(map[string]*visitor)
	waitUntil(r.t, "a connection to each worker", func() bool {
		v := r.visit()
		v.asks("/")
		who, _ := v.answer()
		visitors[who] = v
		return len(visitors) == r.workers
	})
	return visitors
}

// answer returns the next one, and whether it is the last.
func (v *visitor) answer() (body string, last bool) {
	v.t.Helper()
	response, err := http.ReadResponse(v.in, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return string(text), response.Close
}
