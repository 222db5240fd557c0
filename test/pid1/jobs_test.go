package pid1

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// lines reports its process ID, and each line that it reads.
func lines([]string) {
	testproc.Say("lines %d", os.Getpid())
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(0, buf)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			harness.Fail(err)
		case n == 0:
			os.Exit(7)
		default:
			testproc.Say("read %q", buf[:n])
		}
	}
}

func TestSuspendsTheProgramOnly(t *testing.T) {
	t.Parallel()
	x := harness.OnTerminal(t, harness.UnderInit("--log-level off", testproc.Argv("lines")...), true)
	pid := numberIn(t, x.Line())
	for range 2 {
		x.Type("\x1a")
		expectState(t, x.Process, pid, "T")
		if state := stateOf(t, x.Process, 1); state == "T" {
			t.Error("nodeinit is suspended too")
		}
		x.Signal(unix.SIGCONT)
		x.Type("on\n")
		x.Expect(`read "on\n"`)
	}
	x.Type("\x04")
	x.WaitCode(7)
}

func job(where, flags string, argv ...string) testproc.Command {
	c := harness.UnderInit(flags, argv...)
	return harness.Under(c, testproc.Argv("jobshell", where)...)
}

func TestGivesTheTerminalBack(t *testing.T) {
	t.Parallel()
	x := harness.OnTerminal(t, job("foreground", "", testproc.Argv("lines")...), true)
	_ = x.Line()
	x.Type("\x04")
	x.Expect("ended with 7, terminal with the job: true")
}

// In the background, a program that reads from the terminal is suspended, as
// it is without nodeinit, which lives on; fg works.
func TestIsAJob(t *testing.T) {
	t.Parallel()
	x := harness.OnTerminal(t, job("background", "-vv", testproc.Argv("lines")...), true)
	pid := numberIn(t, x.Line())
	expectState(t, x.Process, pid, "T")
	x.Signal(unix.SIGUSR1)
	x.Type("hello\n")
	x.Expect(`read "hello\n"`)
	x.Type("\x04")
	x.Expect("ended with 7, terminal with the job: true")
}

// The terminal stops processes in the background that write to it, which
// nodeinit is as soon as its program has the foreground.
func TestLogsToATerminalThatStopsBackgroundOutput(t *testing.T) {
	t.Parallel()
	x := harness.OnTerminal(t, harness.Under(harness.UnderInit("-vv", testproc.Argv("ancestor", "3")...), testproc.Argv("tostop")...), true)
	x.Expect("end of the line")
	x.WaitFor("orphan reaped")
	x.Signal(unix.SIGTERM)
	x.WaitCode(143)
	x.WaitFor("exit")
}

// tostop becomes args on a terminal with TOSTOP.
func tostop(args []string) {
	modes, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err != nil {
		harness.Fail(err)
	}
	modes.Lflag |= unix.TOSTOP
	if err := unix.IoctlSetTermios(0, unix.TCSETS, modes); err != nil {
		harness.Fail(err)
	}
	harness.Become(args)
}

// A script that comes from a pipe is the shell's, every byte of it.
func TestLeavesAScriptOnStdinToTheShell(t *testing.T) {
	t.Parallel()
	for _, script := range []string{"/dev/stdin", "/dev/fd/0"} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			reader, writer := pipe(t) // stays open: reading to its end hangs
			c := harness.UnderInit("", "sh", script)
			c.Stdin = reader
			p := c.Start(t)
			if _, err := writer.WriteString("echo node server.js >&3; exit 7\n"); err != nil {
				t.Fatal(err)
			}
			p.Expect("node server.js")
			p.WaitCode(7)
		})
	}
}
