package test

import (
	"strings"
	"testing"
)

func TestPID1RunsTheNodeREPL(t *testing.T) {
	t.Parallel()
	c := withEnv(underInit("", "node", "-i"), "TERM=dumb", "NODE_REPL_HISTORY=")
	x := onTerminal(t, c, true)
	x.sees("> ")
	x.types("6*7\r")
	x.sees("42")
	x.types("\x03")
	x.sees("To exit, press Ctrl+C again")
	x.types(".exit\r")
	x.WaitCode(0)
}

func TestPID1RunsInteractiveShells(t *testing.T) {
	t.Parallel()
	for name, argv := range map[string][]string{
		"sh":   {"sh", "-i"},
		"bash": {"bash", "--norc", "--noediting", "-i"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := onTerminal(t, withEnv(underInit("--log-level off", argv...), "PS1=ready ", "ENV="), true)
			x.sees("ready ")
			x.types("cat\n")
			x.types("echoed\n")
			x.seesTimes(2, "echoed")
			x.types("\x1a")
			x.sees("Stopped")
			x.types("fg\n")
			x.types("again\n")
			x.seesTimes(2, "again")
			x.types("\x03")
			x.seesTimes(3, "ready ")
			x.types("exit 5\n")
			x.WaitCode(5)
			for _, complaint := range []string{"job control", "can't access tty"} {
				if strings.Contains(x.text(), complaint) {
					t.Errorf("the shell complains:\n%s", x.text())
				}
			}
		})
	}
}

// A script goes on reading from the terminal when the nodeinit in it has ended.
func TestPID1LeavesTheTerminalToTheScriptAroundIt(t *testing.T) {
	t.Parallel()
	script := nodeinit + ` --log-level off -- sh -c 'read x; echo "got $x"'; read y; echo "then $y"; exit 6`
	x := onTerminal(t, underInit("--log-level off", "sh", "-c", script), true)
	x.types("one\n")
	x.sees("got one")
	x.types("two\n")
	x.sees("then two")
	x.WaitCode(6)
}
