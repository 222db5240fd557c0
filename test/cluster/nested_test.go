package cluster

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// Where nodeinit stands before nodeinit, one of them does the work: there are
// as many workers as there are to be, each setting acts once, and the status is
// the program's.
func TestNodeinitBelowNodeinit(t *testing.T) {
	t.Parallel()
	inner := []string{harness.Nodeinit, "--", "node", "nested.js"}
	for name, argv := range map[string][]string{
		"directly":             inner,
		"three":                append([]string{harness.Nodeinit, "--"}, inner...),
		"behind a shell":       {"sh", "-c", "true; " + harness.Nodeinit + " -- node nested.js"},
		"behind a plain shell": {"sh", "-c", harness.Nodeinit + " -- node nested.js"},
		"behind env":           append([]string{"env", "A=1"}, inner...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startNested(t, "--workers 2", argv)
			harness.WaitUntil(t, "two workers", func() bool { return strings.Count(p.Output(), "up true 1\n") == 2 })
			count := make(map[string]int)
			for _, state := range harness.States(t, p) {
				count[state.Command]++
			}
			if count["nodeinit"] != 1 || count["node"]+count["MainThread"] != 2 {
				t.Errorf("processes: %v", count)
			}
			p.Signal(unix.SIGTERM)
			p.WaitCode(143)
			if n := strings.Count(p.Output(), `"msg":"starting"`); n != 1 {
				t.Errorf("%d nodeinits have started something", n)
			}
		})
	}
}

// The flags of both count, those of the inner one more.
func TestNodeinitBelowNodeinitHasTheFlagsOfBoth(t *testing.T) {
	t.Parallel()
	p := startNested(t, "--workers 3 --remap-exit 143:7", []string{harness.Nodeinit, "--workers", "1", "node", "nested.js"})
	harness.WaitUntil(t, "the program", func() bool { return strings.Contains(p.Output(), "up false 1\n") })
	p.Signal(unix.SIGTERM)
	p.WaitCode(7)
}

// What has the variables of a worker, but not its channel, is not behind a wrapper.
func TestNodeinitBelowAWorkerIsOneOfItsOwn(t *testing.T) {
	t.Parallel()
	c := harness.UnderInit("--mode fork", "cat")
	p := harness.WithEnv(c, "NODEINIT_WORKER=0", "NODEINIT_CHANNEL=173:1:1").Start(t)
	harness.WaitUntil(t, "the program", func() bool { return strings.Contains(p.Output(), "program started") })
	p.Signal(unix.SIGTERM)
	p.WaitCode(143)
}

func startNested(t *testing.T, flags string, argv []string) *testproc.Process {
	t.Helper()
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	node := filepath.Dir(harness.NodeBinary(t, harness.ReferenceLine))
	c := harness.WithEnv(harness.UnderInit(harness.LongGrace+flags, argv...), "PATH="+node+":/usr/local/bin:/usr/bin:/bin", "NODEINIT_MEMORY=1G")
	c.Dir = dir
	return c.Start(t)
}
