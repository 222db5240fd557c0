package pid1

import (
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

func TestRunsTheNodeREPL(t *testing.T) {
	t.Parallel()
	c := harness.WithEnv(harness.UnderInit("", "node", "-i"), "TERM=dumb", "NODE_REPL_HISTORY=")
	x := harness.OnTerminal(t, c, true)
	x.Sees("> ")
	x.Types("6*7\r")
	x.Sees("42")
	x.Types("\x03")
	x.Sees("To exit, press Ctrl+C again")
	x.Types(".exit\r")
	x.WaitCode(0)
}

func TestRunsInteractiveShells(t *testing.T) {
	t.Parallel()
	for name, argv := range map[string][]string{
		"sh":   {"sh", "-i"},
		"bash": {"bash", "--norc", "--noediting", "-i"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := harness.OnTerminal(t, harness.WithEnv(harness.UnderInit("--log-level off", argv...), "PS1=ready ", "ENV="), true)
			x.Sees("ready ")
			x.Types("cat\n")
			x.Types("echoed\n")
			x.SeesTimes(2, "echoed")
			x.Types("\x1a")
			x.Sees("Stopped")
			x.Types("fg\n")
			x.Types("again\n")
			x.SeesTimes(2, "again")
			x.Types("\x03")
			x.SeesTimes(3, "ready ")
			x.Types("exit 5\n")
			x.WaitCode(5)
			for _, complaint := range []string{"job control", "can't access tty"} {
				if strings.Contains(x.Text(), complaint) {
					t.Errorf("the shell complains:\n%s", x.Text())
				}
			}
		})
	}
}

// A script goes on reading from the terminal when the nodeinit in it has ended.
func TestLeavesTheTerminalToTheScriptAroundIt(t *testing.T) {
	t.Parallel()
	script := harness.Nodeinit + ` --log-level off -- sh -c 'read x; echo "got $x"'; read y; echo "then $y"; exit 6`
	x := harness.OnTerminal(t, harness.UnderInit("--log-level off", "sh", "-c", script), true)
	x.Types("one\n")
	x.Sees("got one")
	x.Types("two\n")
	x.Sees("then two")
	x.WaitCode(6)
}
