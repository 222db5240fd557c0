package main

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
)

const (
	enterScreen = "\x1b[?1049h"       // the alternate screen; the position of the cursor is saved
	prepare     = "\x1b[?25l\x1b[?7l" // no cursor, no automatic wrap
	leaveScreen = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
)

// stallTimeout is how long a terminal that takes no output may hold up what has to
// follow, such as the end.
const stallTimeout = 500 * time.Millisecond

// A terminal is the one on stdout, for a program that uses all of the screen. One write
// is under way at a time.
type terminal struct {
	in, out *os.File
	saved   unix.Termios // from before enter
	entered bool
	writing bool
	written chan error // of that write
}

// openTerminal returns the terminal on stdout. It is opened anew, as non-blocking mode is
// of the open file, and other processes have that too.
func openTerminal() (*terminal, error) {
	t := &terminal{in: os.Stdin, out: os.Stdout, written: make(chan error, 1)}
	f, err := os.OpenFile("/proc/self/fd/1", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err == nil { // else it is of another user (su): reads and writes block
		t.in, t.out = f, f
	}
	saved, err := unix.IoctlGetTermios(unix.Stdout, unix.TCGETS)
	if err == nil {
		t.saved = *saved
	}
	return t, err
}

// enter switches to the alternate screen, and to reading single keys. It may be called
// again after another process has had the terminal.
func (t *terminal) enter() error {
	if _ = t.await(); t.writing {
		return os.ErrDeadlineExceeded
	}
	mode := t.saved
	// ^C and ^Z are read as keys: this may be no process's controlling terminal.
	mode.Lflag &^= unix.ICANON | unix.ECHO | unix.ISIG | unix.IEXTEN
	mode.Iflag &^= unix.IXON | unix.ICRNL | unix.INLCR | unix.IGNCR
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
	// In the background the kernel answers with SIGTTOU, which stops this process until it
	// is in the foreground.
	if err := unix.IoctlSetTermios(unix.Stdout, unix.TCSETS, &mode); err != nil {
		return os.NewSyscallError("TCSETS", err)
	}
	text := prepare
	if !t.entered {
		text = enterScreen + prepare
	}
	t.entered = true
	t.write([]byte(text))
	return t.await()
}

// leave restores the terminal, unless another process group has it by now.
func (t *terminal) leave() {
	group, err := unix.IoctlGetInt(unix.Stdout, unix.TIOCGPGRP)
	if !t.entered || err == nil && group != unix.Getpgrp() { // ENOTTY: not the controlling terminal
		return
	}
	t.entered = false
	_ = t.await()
	if !t.writing {
		t.write([]byte(leaveScreen))
		_ = t.await()
	}
	_ = unix.IoctlSetTermios(unix.Stdout, unix.TCSETS, &t.saved) // fails if it has hung up
}

// suspend leaves the terminal to others until this process is continued, as ^Z does.
func (t *terminal) suspend() error {
	t.leave()
	if err := exec.Suspend(); err != nil {
		return err
	}
	return t.enter()
}

// write starts a write: what came of it is sent on t.written. No other may be under way.
func (t *terminal) write(b []byte) {
	t.writing = true
	go func() {
		_, err := t.out.Write(b)
		t.written <- err
	}()
}

// await waits for the write that is under way, but not long for a terminal that takes no
// output.
func (t *terminal) await() (err error) {
	if t.writing {
		_ = t.out.SetWriteDeadline(time.Now().Add(stallTimeout)) // fails where writing blocks
		select {
		case err = <-t.written:
			t.writing = false
			_ = t.out.SetWriteDeadline(time.Time{})
		case <-time.After(2 * stallTimeout):
			err = os.ErrDeadlineExceeded
		}
	}
	return err
}

// terminalSize returns the columns and rows of the terminal on stdout; 80 and 24 where it
// is none, or does not know.
func terminalSize() (columns, rows int) {
	columns, rows = 80, 24
	if size, err := unix.IoctlGetWinsize(unix.Stdout, unix.TIOCGWINSZ); err == nil {
		if size.Col > 0 {
			columns = int(size.Col)
		}
		if size.Row > 0 {
			rows = int(size.Row)
		}
	}
	return columns, rows
}
