package harness

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// A Terminal is a pseudoterminal with a process on it.
type Terminal struct {
	*testproc.Process
	t      *testing.T
	Master *os.File // the end of the keyboard and the screen

	mu     sync.Mutex
	screen strings.Builder
}

// OnTerminal starts c on a terminal of its own: stdin, stdout and stderr, and,
// if control is set, the controlling terminal of a new session.
func OnTerminal(t *testing.T, c testproc.Command, control bool) *Terminal {
	t.Helper()
	master, tty := OpenTerminal(t)
	return startOn(t, c, control, master, tty)
}

// startOn starts c on a terminal, and watches that.
func startOn(t *testing.T, c testproc.Command, control bool, master, tty *os.File) *Terminal {
	t.Helper()
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.Attr.Setsid, c.Attr.Setctty = true, control
	x := &Terminal{t: t, Master: master}
	x.Process = c.Start(t)
	tty.Close()
	go x.watch()
	t.Cleanup(func() {
		master.Close()
		if t.Failed() {
			t.Logf("screen:\n%s", x.Text())
		}
	})
	return x
}

// OpenTerminal returns the two ends of a terminal. Package pty leaves the master
// blocking; then a Read of it would outlive Close, and so would the terminal.
func OpenTerminal(t *testing.T) (master, tty *os.File) {
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

func (x *Terminal) watch() {
	for buf := make([]byte, 4096); ; {
		n, err := x.Master.Read(buf)
		x.mu.Lock()
		x.screen.Write(buf[:n])
		x.mu.Unlock()
		if err != nil {
			return // no process has it open any more
		}
	}
}

// Text returns all that has been written to the terminal.
func (x *Terminal) Text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.screen.String()
}

// Type types text. The control characters are those of a keyboard: \x03 is ^C.
func (x *Terminal) Type(text string) {
	x.t.Helper()
	if _, err := x.Master.WriteString(text); err != nil {
		x.t.Fatal(err)
	}
}

// WaitFor waits until text is on the screen.
func (x *Terminal) WaitFor(text string) {
	x.t.Helper()
	x.WaitForTimes(1, text)
}

// WaitForTimes waits until text is on the screen so many times. What a cat has
// read is there twice: as typed and as printed.
func (x *Terminal) WaitForTimes(n int, text string) {
	x.t.Helper()
	WaitUntil(x.t, fmt.Sprintf("%q on the screen", text), func() bool { return strings.Count(x.Text(), text) >= n })
}
