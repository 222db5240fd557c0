package pid1

import (
	"slices"
	"strings"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// expectState waits until the process pid in the namespace is in a state.
func expectState(t *testing.T, p *testproc.Process, pid int, state string) {
	t.Helper()
	harness.WaitUntil(t, "state "+state, func() bool { return stateOf(t, p, pid) == state })
}

func TestGivesTheTerminalToTheProgram(t *testing.T) {
	t.Parallel()
	x := harness.OnTerminal(t, harness.UnderInit("--grace 0", testproc.Argv("catcher", "program")...), true)
	x.Expect("program up")
	for range 2 {
		x.Type("\x03")
		x.Expect(harness.Caught("program", unix.SIGINT)...) // once, for the next is
		x.Type("\x1c")
		x.Expect(harness.Caught("program", unix.SIGQUIT)...)
		x.Type("\x1a")
		x.Expect(harness.Caught("program", unix.SIGTSTP)...)
	}
	if err := pty.Setsize(x.Master, &pty.Winsize{Rows: 50, Cols: 132}); err != nil {
		t.Fatal(err)
	}
	x.Expect(harness.Caught("program", unix.SIGWINCH)...)
	x.Type("\x04") // end of file
	x.WaitCode(7)
	if strings.Contains(x.Text(), "stopping") || strings.Contains(x.Text(), `"level"`) {
		t.Errorf("nodeinit took a keystroke for itself, or logged JSON to a terminal:\n%s", x.Text())
	}
}

func TestRunsOnATerminalThatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	x := harness.OnTerminal(t, harness.UnderInit("", testproc.Argv("lines")...), false)
	_ = x.Line()
	x.Type("hello\n")
	x.Expect(`read "hello\n"`)
	x.Type("\x04")
	x.WaitCode(7)
}

// With stdin from elsewhere the terminal stays nodeinit's: what is typed comes
// to the program through it.
func TestForwardsKeystrokesWhenStdinIsNoTerminal(t *testing.T) {
	t.Parallel()
	stdin, hold := pipe(t)
	c := harness.UnderInit("--grace 0", testproc.Argv("catcher", "program")...)
	master, tty := harness.OpenTerminal(t)
	defer master.Close()
	c.Stdin, c.Stdout, c.Stderr = stdin, tty, tty
	c.Attr.Setsid, c.Attr.Setctty, c.Attr.Ctty = true, true, 1
	p := c.Start(t)
	tty.Close()
	p.Expect("program up")
	if _, err := master.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	harness.ExpectAll(t, p, harness.Caught("program", unix.SIGINT)...)
	p.Signal(unix.SIGUSR1)
	p.Expect(harness.Caught("program", unix.SIGUSR1)...)
	hold.Close()
	p.WaitCode(7)
}

func TestUnderAnother(t *testing.T) {
	t.Parallel()
	inner := slices.Concat([]string{harness.Nodeinit, "--"}, testproc.Argv("catcher", "program"))
	t.Run("with a terminal", func(t *testing.T) {
		t.Parallel()
		x := harness.OnTerminal(t, harness.UnderInit("", inner...), true)
		x.Expect("program up")
		x.Type("\x03")
		x.Expect(harness.Caught("program", unix.SIGINT)...)
		x.Type("\x1c")
		x.Expect(harness.Caught("program", unix.SIGQUIT)...)
		x.Type("\x04")
		x.WaitCode(7)
	})
	t.Run("without", func(t *testing.T) {
		t.Parallel()
		p := harness.UnderInit("--grace 0", inner...).Start(t)
		p.Expect("program up")
		p.Signal(unix.SIGUSR1)
		p.Expect(harness.Caught("program", unix.SIGUSR1)...)
		p.Signal(unix.SIGUSR2)
		p.Expect(harness.Caught("program", unix.SIGUSR2)...)
		p.CloseStdin()
		p.WaitCode(7)
	})
}

// tail reads nothing from the terminal, so the signal ends it and no end of file,
// which may come first.
func TestEndsWhenTheTerminalHangsUp(t *testing.T) {
	t.Parallel()
	x := harness.OnTerminal(t, harness.UnderInit("", "tail", "-f", "/dev/null"), true)
	_ = programDir(t, x.Process, "tail")
	x.Master.Close()
	x.WaitCode(128 + int(unix.SIGHUP))
}
