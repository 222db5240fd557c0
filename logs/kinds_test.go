package logs_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// An output is a file to write to, and how it is read.
type output struct {
	w *os.File
	r io.Reader
}

var outputs = map[string]func(t *testing.T) output{
	"pipe":          func(t *testing.T) output { return pipeOutput(t, true) },
	"Node's pipe":   func(t *testing.T) output { return pipeOutput(t, false) },
	"terminal":      terminal,
	"socket":        func(t *testing.T) output { return socket(t, 0) },
	"Node's socket": func(t *testing.T) output { return socket(t, unix.SOCK_NONBLOCK) },
	"file":          regularFile,
}

func pipeOutput(t *testing.T, blocking bool) output {
	p := newPipe(t, blocking)
	w := os.NewFile(uintptr(p.w), "output")
	t.Cleanup(func() { w.Close() })
	return output{w, p.r}
}

func socket(t *testing.T, flags int) output {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	return output{file(t, fds[0]), file(t, fds[1])}
}

func file(t *testing.T, fd int) *os.File {
	f := os.NewFile(uintptr(fd), "file")
	t.Cleanup(func() { f.Close() })
	return f
}

// terminal is one that changes nothing of what is written.
func terminal(t *testing.T) output {
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := file(t, master)
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := unix.Open("/dev/pts/"+strconv.Itoa(n), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := unix.IoctlGetTermios(slave, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	settings.Oflag &^= unix.OPOST
	if err := unix.IoctlSetTermios(slave, unix.TCSETS, settings); err != nil {
		t.Fatal(err)
	}
	return output{file(t, slave), r}
}

func regularFile(t *testing.T) output {
	name := filepath.Join(t.TempDir(), "log")
	w, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close(); r.Close() })
	return output{w, &follower{f: r}}
}

// A follower reads a file to which others append. It does not end.
type follower struct{ f *os.File }

func (f *follower) Read(b []byte) (int, error) {
	for {
		if n, err := f.f.Read(b); n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		runtime.Gosched()
	}
}

// untilEnd reads up to the line "end".
type untilEnd struct {
	lines *bufio.Reader
	line  []byte
}

func (u *untilEnd) Read(b []byte) (n int, err error) {
	if len(u.line) == 0 {
		if u.line, err = u.lines.ReadBytes('\n'); err != nil {
			return 0, err
		}
		if string(u.line) == "end\n" {
			return 0, io.EOF
		}
	}
	n = copy(b, u.line)
	u.line = u.line[n:]
	return n, nil
}
