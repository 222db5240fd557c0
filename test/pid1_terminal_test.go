package test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// A terminal is a pseudoterminal and who types on it.
type terminal struct {
	*testproc.Process
	t      *testing.T
	master *os.File

	mu     sync.Mutex
	screen strings.Builder
}

// onTerminal starts c on a terminal of its own: stdin, stdout and stderr, and,
// if control is set, the controlling terminal of a new session.
func onTerminal(t *testing.T, c testproc.Command, control bool) *terminal {
	t.Helper()
	master, tty := openTerminal(t)
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.Attr.Setsid, c.Attr.Setctty = true, control
	x := &terminal{t: t, master: master}
	x.Process = c.Start(t)
	tty.Close()
	go x.watch()
	t.Cleanup(func() {
		master.Close()
		if t.Failed() {
			t.Logf("screen:\n%s", x.text())
		}
	})
	return x
}

// openTerminal returns the two ends of a terminal. Package pty leaves the master
// blocking; then a Read of it would outlive Close, and so would the terminal.
func openTerminal(t *testing.T) (master, tty *os.File) {
	t.Helper()
	blocking, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer blocking.Close()
	fd, err := unix.FcntlInt(blocking.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "terminal"), tty
}

func (x *terminal) watch() {
	for buf := make([]byte, 4096); ; {
		n, err := x.master.Read(buf)
		x.mu.Lock()
		x.screen.Write(buf[:n])
		x.mu.Unlock()
		if err != nil {
			return // the last one who had it open is gone
		}
	}
}

func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.screen.String()
}

// types types text. The control characters are those of a keyboard: \x03 is ^C.
func (x *terminal) types(text string) {
	x.t.Helper()
	if _, err := x.master.WriteString(text); err != nil {
		x.t.Fatal(err)
	}
}

// sees waits until text is on the screen.
func (x *terminal) sees(text string) {
	x.t.Helper()
	x.seesTimes(1, text)
}

// seesTimes waits until text is on the screen so many times. What a cat has
// read is there twice: as typed and as printed.
func (x *terminal) seesTimes(n int, text string) {
	x.t.Helper()
	waitUntil(x.t, fmt.Sprintf("%q on the screen", text), func() bool { return strings.Count(x.text(), text) >= n })
}

// expectState waits until the process pid in the namespace is in a state.
func (x *terminal) expectState(pid int, state string) {
	x.t.Helper()
	waitUntil(x.t, "state "+state, func() bool { return stateOf(x.t, x.Process, pid) == state })
}

func TestPID1GivesTheTerminalToTheProgram(t *testing.T) {
	t.Parallel()
	x := onTerminal(t, underInit("--grace 0", testproc.Argv("catcher", "program")...), true)
	x.Expect("program up")
	for range 2 {
		x.types("\x03")
		x.Expect(caught("program", unix.SIGINT)...) // once, for the next is
		x.types("\x1c")
		x.Expect(caught("program", unix.SIGQUIT)...)
		x.types("\x1a")
		x.Expect(caught("program", unix.SIGTSTP)...)
	}
	if err := pty.Setsize(x.master, &pty.Winsize{Rows: 50, Cols: 132}); err != nil {
		t.Fatal(err)
	}
	x.Expect(caught("program", unix.SIGWINCH)...)
	x.types("\x04") // end of file
	x.WaitCode(7)
	if strings.Contains(x.text(), "stopping") || strings.Contains(x.text(), `"level"`) {
		t.Errorf("nodeinit took a keystroke for itself, or logged JSON to a terminal:\n%s", x.text())
	}
}

func TestPID1RunsOnATerminalThatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	x := onTerminal(t, underInit("", testproc.Argv("lines")...), false)
	_ = x.Line()
	x.types("hello\n")
	x.Expect(`read "hello\n"`)
	x.types("\x04")
	x.WaitCode(7)
}

// With stdin from elsewhere the terminal stays nodeinit's: what is typed comes
// to the program through it.
func TestPID1ForwardsKeystrokesWhenStdinIsNoTerminal(t *testing.T) {
	t.Parallel()
	stdin, hold := pipe(t)
	c := underInit("--grace 0", testproc.Argv("catcher", "program")...)
	master, tty := openTerminal(t)
	defer master.Close()
	c.Stdin, c.Stdout, c.Stderr = stdin, tty, tty
	c.Attr.Setsid, c.Attr.Setctty, c.Attr.Ctty = true, true, 1
	p := c.Start(t)
	tty.Close()
	p.Expect("program up")
	if _, err := master.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	expectAll(t, p, caught("program", unix.SIGINT)...)
	p.Signal(unix.SIGUSR1)
	p.Expect(caught("program", unix.SIGUSR1)...)
	hold.Close()
	p.WaitCode(7)
}

func TestPID1UnderAnother(t *testing.T) {
	t.Parallel()
	inner := slices.Concat([]string{nodeinit, "--"}, testproc.Argv("catcher", "program"))
	t.Run("with a terminal", func(t *testing.T) {
		t.Parallel()
		x := onTerminal(t, underInit("", inner...), true)
		x.Expect("program up")
		x.types("\x03")
		x.Expect(caught("program", unix.SIGINT)...)
		x.types("\x1c")
		x.Expect(caught("program", unix.SIGQUIT)...)
		x.types("\x04")
		x.WaitCode(7)
	})
	t.Run("without", func(t *testing.T) {
		t.Parallel()
		p := underInit("--grace 0", inner...).Start(t)
		p.Expect("program up")
		p.Signal(unix.SIGUSR1)
		p.Expect(caught("program", unix.SIGUSR1)...)
		p.Signal(unix.SIGUSR2)
		p.Expect(caught("program", unix.SIGUSR2)...)
		p.CloseStdin()
		p.WaitCode(7)
	})
}

// tail reads nothing from the terminal, so the signal ends it and no end of file,
// which may come first.
func TestPID1EndsWhenTheTerminalHangsUp(t *testing.T) {
	t.Parallel()
	x := onTerminal(t, underInit("", "tail", "-f", "/dev/null"), true)
	_ = programDir(t, x.Process, "tail")
	x.master.Close()
	x.WaitCode(128 + int(unix.SIGHUP))
}
