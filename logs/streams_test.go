package logs_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/logs"
)

// A child is a process as Streams see it: the test holds its ends of the pipes.
type child struct{ stdout, stderr *os.File }

// newChild opens pipes for a child. What it writes before started is there when it is
// read first.
func newChild(t *testing.T, s *logs.Streams) (c child, started func(worker, pid int)) {
	t.Helper()
	p, err := s.Open(true, true)
	if err != nil {
		t.Fatal(err)
	}
	return child{stdout: dup(t, p.Stdout), stderr: dup(t, p.Stderr)}, p.Started
}

func startChild(t *testing.T, s *logs.Streams) child {
	t.Helper()
	c, started := newChild(t, s)
	started(0, 1)
	return c
}

func (c child) close() {
	c.stdout.Close()
	c.stderr.Close()
}

func dup(t *testing.T, fd int) *os.File {
	t.Helper()
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(n), "the child's")
	t.Cleanup(func() { f.Close() })
	return f
}

// A numbered stream is lines of different lengths, each with the stream and a number.
func numbered(stream, from, to int) []byte {
	var b []byte
	for k := from; k < to; k++ {
		b = strconv.AppendInt(b, int64(stream), 10)
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(k), 10)
		b = append(b, ' ')
		b = append(b, bytes.Repeat([]byte("x"), k%499)...)
		b = append(b, '\n')
	}
	return b
}

// checkNumbered reads lines to the end of r and checks that those of each stream are
// whole, and in their order from 0. It returns how many came of each.
func checkNumbered(t *testing.T, r io.Reader) map[int]int {
	t.Helper()
	next := make(map[int]int)
	lines := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			if line != "" {
				t.Errorf("at the end %.100q", line)
			}
			return next
		}
		a, rest, _ := strings.Cut(line, " ")
		b, text, _ := strings.Cut(rest, " ")
		stream, err1 := strconv.Atoi(a)
		k, err2 := strconv.Atoi(b)
		if err1 != nil || err2 != nil || text != strings.Repeat("x", k%499)+"\n" {
			t.Fatalf("a line is torn: %.200q", line)
		}
		if k != next[stream] {
			t.Fatalf("line %d of stream %d after %d", k, stream, next[stream]-1)
		}
		next[stream]++
	}
}

// Whole lines of eight streams come through one pipe: each once, in their order, however
// the processes write them.
func TestLinesOfManyStreams(t *testing.T) {
	eachPipe(t, func(t *testing.T, blocking bool) {
		const n = 8000
		p := newPipe(t, blocking)
		out := logs.NewOutput(p.w)
		s := logs.NewStreams(out, out, logs.Options{})
		// A process alone, whose writes may end within a line, is another matter.
		idle, started := newChild(t, s)
		started(9, 9)
		var writing sync.WaitGroup
		for i := range 4 {
			c, started := newChild(t, s)
			started(i, 1+i)
			for j, w := range []*os.File{c.stdout, c.stderr} {
				writing.Go(func() {
					defer w.Close()
					all := numbered(2*i+j, 0, n)
					for size := 1; len(all) > 0; size = size*3%70_001 + 1 {
						wrote, err := w.Write(all[:min(size, len(all))])
						if err != nil {
							t.Error(err)
							return
						}
						all = all[wrote:]
					}
				})
			}
		}
		go func() {
			writing.Wait()
			s.Drain(testproc.HangLimit)
			idle.close()
			unix.Close(p.w)
		}()
		for stream, got := range checkNumbered(t, p.r) {
			if got != n {
				t.Errorf("%d lines of stream %d", got, stream)
			}
		}
	})
}

// Drain writes what is in the pipes, and the rest of a line, while a process still has
// them open. What that writes later comes too.
func TestDrainDoesNotWaitForProcesses(t *testing.T) {
	t.Parallel()
	p := newPipe(t, true)
	out := logs.NewOutput(p.w)
	s := logs.NewStreams(out, out, logs.Options{})
	c, started := newChild(t, s)
	fmt.Fprint(c.stdout, strings.Repeat("line\n", 1000)+"rest")
	started(0, 1)
	lines := bufio.NewReader(p.r)
	expect := func(want ...string) {
		t.Helper()
		for _, w := range want {
			if got, err := lines.ReadString('\n'); got != w+"\n" {
				t.Fatalf("got %q, %v, want %q", got, err, w)
			}
		}
	}
	s.Drain(testproc.HangLimit)
	for range 1000 {
		expect("line")
	}
	if got, err := lines.Peek(len("rest")); string(got) != "rest" {
		t.Fatalf("got %q, %v", got, err)
	}
	fmt.Fprint(c.stdout, "later\nand")
	expect("restlater") // the same stream goes on
	c.close()
	if got, err := lines.Peek(len("and")); string(got) != "and" {
		t.Fatalf("got %q, %v", got, err)
	}
	s.Drain(testproc.HangLimit)
}

// Own lines come behind what was written before them; the last one is the last.
func TestOwnLinesKeepTheirPlace(t *testing.T) {
	t.Parallel()
	p := newPipe(t, true)
	out := logs.NewOutput(p.w)
	log := logs.Open(out, logs.Text, logs.LevelInfo, nil, nil)
	s := logs.NewStreams(out, out, logs.Options{})
	closed := p.lines()
	c := startChild(t, s)
	var want []string
	for i := range 20 {
		fmt.Fprintf(c.stdout, "%d\n%d", i, i)
		s.Drain(testproc.HangLimit)
		log.Info("own").Send()
		log.Flush(testproc.HangLimit)
		want = append(want, strconv.Itoa(i), strconv.Itoa(i), "own")
	}
	got := strings.Join(closed(), "\n")
	got = regexp.MustCompile(`(?m)^.*nodeinit `).ReplaceAllString(got, "")
	if got != strings.Join(want, "\n") {
		t.Errorf("got %q", got)
	}
}

// When the reader has gone, processes get EPIPE as they would from the output itself.
func TestReaderGone(t *testing.T) {
	eachPipe(t, func(t *testing.T, blocking bool) {
		p := newPipe(t, blocking)
		out := logs.NewOutput(p.w)
		s := logs.NewStreams(out, out, logs.Options{JSON: true})
		c := startChild(t, s)
		p.fill() // one stream waits for the reader, the other for that one
		fmt.Fprintln(c.stdout, "stdout")
		fmt.Fprintln(c.stderr, "stderr")
		p.r.Close()
		for _, w := range []*os.File{c.stdout, c.stderr} {
			for {
				if _, err := fmt.Fprintln(w, "nobody hears this"); err != nil {
					if !strings.Contains(err.Error(), "broken pipe") {
						t.Error(err)
					}
					break
				}
			}
		}
		s.Drain(testproc.HangLimit)
		unix.Close(p.w)
	})
}

// Lines that a full disk does not take are counted, and that is reported when there is
// room again. A line of which a part was written is ended.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	fd, err := unix.Open("/dev/full", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := logs.NewOutput(fd)
	log := logs.Open(out, logs.Text, logs.LevelInfo, nil, nil)
	s := logs.NewStreams(out, out, logs.Options{OnDrop: log.CountDropped})
	c := startChild(t, s)
	fmt.Fprint(c.stdout, "one\ntwo\nthree\n")
	s.Drain(testproc.HangLimit)
	log.Info("four").Send()
	log.Flush(testproc.HangLimit)
	p := newPipe(t, true)
	if err := unix.Dup3(p.w, fd, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	closed := p.lines()
	fmt.Fprint(c.stdout, "five\n")
	s.Drain(testproc.HangLimit)
	log.Flush(testproc.HangLimit)
	unix.Close(fd)
	got := closed()
	if len(got) != 2 || got[0] != "five" || !strings.Contains(got[1], "log lines dropped lines=4") {
		t.Errorf("got %q", got)
	}
}
