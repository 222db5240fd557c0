package logs

import (
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a terminal.
func openTerminal(t *testing.T) (*os.File, int) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return master, int(terminal.Fd())
}

// A terminal is stalled once it has refused something. It may be writable by poll(2) then:
// with room for one byte it takes no newline, and Flush need not wait for it.
func TestTerminalThatRefuses(t *testing.T) {
	t.Parallel()
	master, terminal := openTerminal(t)
	o := NewOutput(terminal)
	line := []byte("line\n")
	for o.left = line; o.advance(); o.left = line {
		if o.err != nil || o.isStalled() {
			t.Fatalf("%v, or stalled before it has refused anything", o.err)
		}
	}
	if !o.isStalled() {
		t.Error("not stalled though it is full")
	}
	buffer := make([]byte, 4096)
	for o.poll() != unix.POLLOUT {
		if _, err := master.Read(buffer); err != nil {
			t.Fatal(err)
		}
	}
	if !o.isStalled() {
		t.Error("not stalled though it has refused a line")
	}
	for o.left = line; !o.advance(); {
		if _, err := master.Read(buffer); err != nil {
			t.Fatal(err)
		}
	}
	if o.err != nil || o.poll() == unix.POLLOUT && o.isStalled() {
		t.Errorf("%v, or stalled though it takes lines again", o.err)
	}
}
