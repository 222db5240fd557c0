package logs_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/logs"
)

// A child is what Streams read from: the test itself holds the ends of its pipes.
type child struct {
	t              *testing.T
	stdout, stderr *os.File
}

// startChild opens pipes of s and starts to read them. The child's ends are ours.
func startChild(t *testing.T, s *logs.Streams, worker, pid int) *child {
	t.Helper()
	p, err := s.Open(true, true)
	if err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, stdout: dup(t, p.Stdout), stderr: dup(t, p.Stderr)}
	p.Started(worker, pid)
	return c
}

func dup(t *testing.T, fd int) *os.File {
	t.Helper()
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(n), "child's")
	t.Cleanup(func() { f.Close() })
	return f
}

func (c *child) close() {
	c.stdout.Close()
	c.stderr.Close()
}

// Whole lines of eight streams come through one pipe: each once, in their order.
func TestLinesOfManyStreams(t *testing.T) {
	t.Parallel()
	const children, n = 4, 15000
	p := newPipe(t, true)
	out := logs.NewOutput(p.w)
	s := logs.NewStreams(out, out, logs.Options{})
	closed := p.lines()
	done := make(chan struct{})
	for i := range children {
		c := startChild(t, s, i, i)
		for j, w := range []*os.File{c.stdout, c.stderr} {
			go func() {
				defer func() { done <- struct{}{} }()
				defer w.Close()
				for k := range n {
					fmt.Fprintf(w, "%d %d %s\n", 2*i+j, k, strings.Repeat("x", k%997))
				}
			}()
		}
	}
	for range 2 * children {
		<-done
	}
	s.Drain(testproc.HangLimit)
	next := make([]int, 2*children)
	for _, line := range closed() {
		var stream, k int
		var text string
		if n, _ := fmt.Sscanf(line, "%d %d %s", &stream, &k, &text); n < 2 || len(text) != k%997 {
			t.Fatalf("a line is torn: %.200q", line)
		}
		if k != next[stream] {
			t.Fatalf("line %d of stream %d after %d", k, stream, next[stream]-1)
		}
		next[stream]++
	}
	for i, k := range next {
		if k != n {
			t.Errorf("%d lines of stream %d", k, i)
		}
	}
}
