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
	x.WaitFor("> ")
	x.Type("6*7\r")
	x.WaitFor("42")
	x.Type("\x03")
	x.WaitFor("To exit, press Ctrl+C again")
	x.Type(".exit\r")
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
			x.WaitFor("ready ")
			x.Type("cat\n")
			x.Type("echoed\n")
			x.WaitForTimes(2, "echoed")
			x.Type("\x1a")
			x.WaitFor("Stopped")
			x.Type("fg\n")
			x.Type("again\n")
			x.WaitForTimes(2, "again")
			x.Type("\x03")
			x.WaitForTimes(3, "ready ")
			x.Type("exit 5\n")
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
	x.Type("one\n")
	x.WaitFor("got one")
	x.Type("two\n")
	x.WaitFor("then two")
	x.WaitCode(6)
}
