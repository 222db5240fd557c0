package apps

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// A sample is an application in testdata/apps, as its users write it.
type sample struct {
	name    string   // its directory
	dir     string   // where it is started, below that; "" is there
	runtime string   // the file that runs it, from there, a pattern; "" is Node
	argv    []string // what follows that
	since   string   // the oldest of nodeLines it runs on
	status  []int    // what it may end with when it is stopped
	helpers int      // processes that a worker may start besides
}

// What stopping ends with: the signal itself, where it is not handled, or what
// the application makes of it. Some end themselves by the signal once they have
// closed; then it is a race with the channel's end, which Node takes as status 0.
var (
	bySignal = []int{143}
	byItself = []int{0}
	either   = []int{0, 143}
)

// directory is where the application is started.
func (s sample) directory(t *testing.T) string {
	t.Helper()
	return filepath.Join(harness.AppDir(t, s.name), s.dir)
}

// versions are the first and the last of nodeLines that the sample runs on.
func (s sample) versions() []string {
	list := []string{s.since, harness.NewestLine}
	return slices.Compact(list)
}

// primaries are those of versions under nodeinit, and the last one under Node's
// own primary, so that what is expected of nodeinit is what Node does.
func (s sample) primaries() (list []harness.Primary) {
	for _, version := range s.versions() {
		if *harness.PrimaryFlag != "node" {
			list = append(list, harness.Primary{Node: version, Balance: "rr"})
		}
	}
	if *harness.PrimaryFlag != "nodeinit" {
		list = append(list, harness.Primary{Node: harness.NewestLine, Balance: "rr", IsNode: true})
	}
	return list
}

// command is two workers of the sample, as PID 1 of a namespace. The flags are
// nodeinit's and split at spaces.
func (s sample) command(t *testing.T, p harness.Primary, flags string) testproc.Command {
	t.Helper()
	node := s.program(t, p.Node)
	c := harness.UnderInit("--mode per-core --workers 2 --balance "+p.Balance+" "+flags, append([]string{node}, s.argv...)...)
	if p.IsNode {
		reference, err := filepath.Abs("testdata/apps/primary/primary.js")
		if err != nil {
			t.Fatal(err)
		}
		c = testproc.Command{PID1: true, Argv: append([]string{node, reference}, s.argv...)}
	}
	c.Dir = s.directory(t)
	// tsx names a socket after its process ID, which others have in namespaces of their own.
	return harness.WithEnv(c, "TMPDIR="+harness.ShortDir(t))
}

// program is what runs the sample.
func (s sample) program(t *testing.T, version string) string {
	t.Helper()
	if s.runtime == "" {
		return harness.NodeBinary(t, version)
	}
	found, err := filepath.Glob(filepath.Join(s.directory(t), s.runtime))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s is %q, error %v", s.runtime, found, err)
	}
	return found[0]
}

// A service is a sample that runs.
type service struct {
	*testproc.Process
	t    *testing.T
	port int
}

// serve starts the sample, which gets a port of its own, and waits until both
// workers listen.
func (s sample) serve(t *testing.T, p harness.Primary, flags string, env ...string) *service {
	t.Helper()
	v := startService(t, s.command(t, p, flags), env...)
	v.untilListening()
	return v
}

func startService(t *testing.T, c testproc.Command, env ...string) *service {
	t.Helper()
	port := harness.ReservePort(t)
	env = append(env, fmt.Sprintf("PORT=%d", port), "NEXT_TELEMETRY_DISABLED=1")
	return &service{harness.WithEnv(c, env...).Start(t), t, port}
}

func (v *service) url() string { return fmt.Sprintf("http://127.0.0.1:%d/", v.port) }

// listening are the process IDs, in the namespace, of the workers that listen,
// by their slots.
func (v *service) listening() map[int]int {
	v.t.Helper()
	workers := harness.Listeners(v.t, v.Output(), v.port)
	if unix.Kill(v.PID, 0) != nil {
		v.t.Fatalf("ended; stdout:\n%s\nstderr:\n%s", v.Output(), v.Errors())
	}
	return workers
}

// untilListening waits until both workers listen.
func (v *service) untilListening() {
	v.t.Helper()
	harness.WaitUntil(v.t, "both workers to listen", func() bool { return len(v.listening()) == 2 })
}

// checkProcesses fails if there are others than the primary, the workers and as
// many helpers as each worker may have.
func (v *service) checkProcesses(workers map[int]int, helpers int) {
	v.t.Helper()
	now := harness.States(v.t, v.Process)
	for _, pid := range append(slices.Collect(maps.Values(workers)), 1) {
		if _, found := now[pid]; !found {
			v.t.Errorf("no process %d", pid)
		}
	}
	if limit := 1 + len(workers)*(1+helpers); len(now) > limit {
		v.t.Errorf("%d processes, want at most %d: %v", len(now), limit, now)
	}
}

// checkStop sends SIGTERM and checks how it all ends: with a status that the
// sample may end with, by itself, and leaves only its helpers behind.
func (v *service) checkStop(s sample) {
	v.t.Helper()
	v.Signal(unix.SIGTERM)
	status := v.Wait()
	if !status.Exited() || !slices.Contains(s.status, status.ExitStatus()) {
		v.t.Errorf("ended with status %d (signal %v), want one of %v; stdout:\n%s\nstderr:\n%s",
			status.ExitStatus(), status.Signal(), s.status, v.Output(), v.Errors())
	}
	lines := harness.OwnLines(v.t, v.Output())
	if len(lines) == 0 {
		v.t.Fatal("nothing logged")
	}
	end := lines[len(lines)-1]
	if cause := end.Facts["cause"]; end.Msg != "exit" || end.Facts["requested"] != true || cause != "exit" && cause != "signal" {
		v.t.Errorf("the last line is %v", end.Facts)
	}
	for _, line := range lines {
		leftBehind := s.helpers == 0 && strings.HasPrefix(line.Msg, "stopping what")
		caveat := s.runtime != "" && line.Msg == notAll
		if line.Level == "error" || line.Level == "warn" && !caveat || leftBehind {
			v.t.Errorf("logged at %s: %v", line.Level, line.Facts)
		}
	}
}

// outside is the process ID, as the test sees it, of the process pid in the
// namespace of v.
func (v *service) outside(pid int) int {
	v.t.Helper()
	namespace := func(pid int) string {
		link, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid)) // "": it has ended
		return link
	}
	files, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		v.t.Fatal(err)
	}
	for _, file := range files {
		status, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
		}
		_, rest, _ := strings.Cut(string(status), "\nNSpid:")
		line, _, _ := strings.Cut(rest, "\n")
		ids := strings.Fields(line)
		if len(ids) < 2 || ids[len(ids)-1] != strconv.Itoa(pid) {
			continue
		}
		if out, err := strconv.Atoi(ids[0]); err == nil && namespace(out) == namespace(v.PID) {
			return out
		}
	}
	v.t.Fatalf("no process %d", pid)
	return 0
}
