package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// topPanics is a role: top with nothing to ask, so that the goroutine which does panics.
func topPanics([]string) {
	defer func() { testproc.Say("panic: %v", recover() != nil) }()
	t, err := openTerminal()
	if err != nil {
		panic(err)
	}
	l := &live{terminal: t, messages: make(chan *message)}
	l.view.update(crowd(2))
	_, _ = l.run()
}

// openPTY returns the two ends of a new terminal.
func openPTY(t *testing.T) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	conn, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	number := 0
	_ = conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return master, tty
}

// A panic in a goroutine of top leaves the terminal as it was.
func TestTopPanics(t *testing.T) {
	t.Parallel()
	master, tty := openPTY(t)
	modes := func() unix.Termios {
		now, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return *now
	}
	before := modes()
	p := testproc.Command{Argv: testproc.Argv("toppanics"), Stdin: tty, Stdout: tty, Stderr: tty}.Start(t)
	var screen strings.Builder
	for reader := bufio.NewReader(master); !strings.HasSuffix(screen.String(), leaveScreen); {
		c, err := reader.ReadByte()
		if err != nil {
			t.Fatalf("%v after %q", err, screen.String())
		}
		screen.WriteByte(c)
	}
	p.Expect("panic: true")
	p.WaitCode(0)
	if now := modes(); now != before {
		t.Errorf("the modes of the terminal are\n%+v, were\n%+v", now, before)
	}
	if !strings.HasPrefix(screen.String(), enterScreen+prepare) || !strings.Contains(screen.String(), "EVENT LOOP") {
		t.Errorf("%q", screen.String())
	}
}
