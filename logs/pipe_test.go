package logs_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A pipe is the output of a Writer. It is blocking, or non-blocking as Node makes it.
type pipe struct {
	t    *testing.T
	r    *os.File
	w    int
	full int // bytes that were in it at the start
}

func newPipe(t *testing.T, blocking bool) *pipe {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	p := &pipe{t: t, r: os.NewFile(uintptr(fds[0]), "pipe"), w: fds[1]}
	t.Cleanup(func() { p.r.Close() })
	p.setBlocking(blocking)
	return p
}

func newFullPipe(t *testing.T, blocking bool) *pipe {
	t.Helper()
	p := newPipe(t, blocking)
	if _, err := unix.FcntlInt(uintptr(p.w), unix.F_SETPIPE_SZ, 4096); err != nil {
		t.Fatal(err)
	}
	p.fill()
	return p
}

// fill fills the pipe. Streams enlarge it first, when they open one for a process.
func (p *pipe) fill() {
	p.t.Helper()
	flags, err := unix.FcntlInt(uintptr(p.w), unix.F_GETFL, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	p.setBlocking(false)
	for err == nil {
		var n int
		n, err = unix.Write(p.w, bytes.Repeat([]byte("."), 512))
		p.full += max(n, 0)
	}
	if !errors.Is(err, unix.EAGAIN) {
		p.t.Fatal(err)
	}
	p.setBlocking(flags&unix.O_NONBLOCK == 0)
}

func (p *pipe) setBlocking(blocking bool) {
	p.t.Helper()
	if err := unix.SetNonblock(p.w, !blocking); err != nil {
		p.t.Fatal(err)
	}
}

// lines starts to read and returns a function that returns all lines, when all writers
// are done and the pipe is closed.
func (p *pipe) lines() (closed func() []string) {
	all := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(p.r)
		all <- string(text)
	}()
	return func() []string {
		p.t.Helper()
		unix.Close(p.w)
		text := <-all
		if !strings.HasPrefix(text, strings.Repeat(".", p.full)) {
			p.t.Fatalf("%.80q does not begin with what was there first", text)
		}
		return strings.Split(strings.TrimSuffix(text[p.full:], "\n"), "\n")
	}
}
