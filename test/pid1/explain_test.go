package pid1

import (
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// Below a nodeinit that is PID 1, explain tells of that one, with its flags and its
// environment; what explain is given wins.
func TestPID1IsExplained(t *testing.T) {
	t.Parallel()
	script := "unset NODEINIT_DRAIN_DELAY; NODEINIT_GRACE=1 " + harness.Nodeinit + " explain --workers 3"
	p := harness.WithEnv(harness.UnderInit("--grace 7", "sh", "-c", script), "NODEINIT_HEAP=50M", "NODEINIT_STOP_SIGNAL=INT").Start(t)
	p.WaitCode(0)
	for _, row := range []string{
		"of           PID 1: " + harness.Nodeinit + " --grace 7 -- sh -c " + script,
		"workers      3  (--workers 3)",
		`would start  ["sh" "-c" "`,
		"with         NODE_OPTIONS=--max-old-space-size=50",
		"stop signal  SIGINT",
		"grace        7s",
	} {
		if !strings.Contains(p.Output(), "\n"+row) {
			t.Errorf("no row %q in\n%s", row, p.Output())
		}
	}
}

// As the child of a shell that is PID 1 nodeinit gets no signal, and says what helps.
func TestPID1IsAShell(t *testing.T) {
	t.Parallel()
	p := testproc.Command{PID1: true, Argv: []string{"/bin/sh", "-c", harness.Nodeinit + " -- true; true"}}.Start(t)
	p.WaitCode(0)
	if !strings.Contains(p.Output(), `"level":"warn","logger":"nodeinit","msg":"not PID 1","warning":"PID 1 is a shell, which passes no signals on`) {
		t.Errorf("no warning in\n%s", p.Output())
	}
}
