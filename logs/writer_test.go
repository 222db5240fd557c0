package logs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/logs"
)

func told(n uint64) []byte { return fmt.Appendf(nil, "dropped %d\n", n) }

// sum checks that lines are "line 0", "line 1", ... with gaps, and returns their number
// and that of the lines reported as dropped.
func sum(t *testing.T, lines []string) (came, dropped int) {
	t.Helper()
	last := -1
	for _, line := range lines {
		var n int
		if _, err := fmt.Sscanf(line, "dropped %d", &n); err == nil {
			dropped += n
			continue
		}
		if _, err := fmt.Sscanf(line, "line %d", &n); err != nil || n <= last {
			t.Fatalf("%q after line %d", line, last)
		}
		came++
		last = n
	}
	return came, dropped
}

func eachPipe(t *testing.T, test func(t *testing.T, blocking bool)) {
	t.Parallel()
	for _, blocking := range []bool{true, false} {
		t.Run(fmt.Sprintf("blocking=%v", blocking), func(t *testing.T) {
			t.Parallel()
			test(t, blocking)
		})
	}
}

// Write returns although nothing reads the output, also the 2,000th time. Later each
// line is written or counted.
func TestWriteNeverBlocks(t *testing.T) {
	eachPipe(t, func(t *testing.T, blocking bool) {
		p := newFullPipe(t, blocking)
		w := logs.NewWriter(logs.NewOutput(p.w))
		w.OnDrop = told
		const n = 2000
		for i := range n {
			line := fmt.Appendf(nil, "line %d\n", i)
			if wrote, err := w.Write(line); wrote != len(line) || err != nil {
				t.Fatalf("Write = %d, %v", wrote, err)
			}
			clear(line) // it is the caller's again
		}
		closed := p.lines()
		w.Flush(testproc.HangLimit)
		came, dropped := sum(t, closed())
		if came+dropped != n || came < 256 || came > 257 {
			t.Errorf("%d lines came and %d were dropped, of %d", came, dropped, n)
		}
	})
}

// Flush to a stalled output returns after its timeout, also with a full queue.
func TestFlushGivesUp(t *testing.T) {
	eachPipe(t, func(t *testing.T, blocking bool) {
		p := newFullPipe(t, blocking)
		w := logs.NewWriter(logs.NewOutput(p.w))
		for i := range 300 {
			fmt.Fprintf(w, "line %d\n", i)
			w.Flush(time.Nanosecond)
		}
		w.Flush(time.Millisecond)
		closed := p.lines()
		w.Flush(testproc.HangLimit)
		if came, _ := sum(t, closed()); came == 0 {
			t.Error("nothing came")
		}
	})
}

// Flush to a writable output returns when all is written, even with no timeout left.
func TestFlushWaits(t *testing.T) {
	eachPipe(t, func(t *testing.T, blocking bool) {
		p := newPipe(t, blocking)
		w := logs.NewWriter(logs.NewOutput(p.w))
		for i := range 200 {
			fmt.Fprintf(w, "line %d\n", i)
		}
		w.Flush(time.Nanosecond)
		buf := make([]byte, 1<<16)
		n, err := p.r.Read(buf) // one read has what is there, and that is all
		if err != nil || strings.Count(string(buf[:n]), "\n") != 200 {
			t.Errorf("%d bytes, %v: %q", n, err, buf[:n])
		}
		unix.Close(p.w)
	})
}

// A line that is too long for one write loses its end, or the ends of its long values,
// but is written.
func TestLongLines(t *testing.T) {
	t.Parallel()
	p := newPipe(t, true)
	w := logs.NewWriter(logs.NewOutput(p.w))
	w.OnDrop = told
	longest := strings.Repeat("x", 4095)
	cut := strings.Repeat("x", 4092) + "..."
	written := []string{longest, longest + "x", longest + longest, strings.Repeat("☃", 4096)}
	for _, line := range written {
		fmt.Fprintln(w, line)
	}
	closed := p.lines()
	w.Flush(testproc.HangLimit)
	lines := closed()
	if want := []string{longest, cut, cut, strings.Repeat("☃", 4092/3) + "..."}; !slices.Equal(lines, want) {
		t.Errorf("lines of %d bytes came: %.2000q", len(strings.Join(lines, "")), lines)
	}
}

// An object that is too long becomes one of at most 4096 bytes with all keys, whatever
// its values, and no value ends inside a character.
func TestLongObjects(t *testing.T) {
	t.Parallel()
	p := newPipe(t, true)
	log := logs.Open(logs.NewOutput(p.w), logs.JSON, logs.LevelInfo, nil, nil)
	units := append([]string{"a", "\x1b", "\"}\n", "☃\\"}, hostile[2:]...)
	for _, unit := range units {
		for _, times := range []int{5000, 700} {
			log.Info("starting").Str("first", strings.Repeat(unit, times)).Int("pid", 1).
				Strs("more", slices.Repeat([]string{strings.Repeat(unit, times)}, 20)).Str("last", "x").Send()
		}
	}
	closed := p.lines()
	log.Flush(testproc.HangLimit)
	lines := closed()
	if len(lines) != 2*len(units) {
		t.Fatalf("%d lines came of %d", len(lines), 2*len(units))
	}
	for i, line := range lines {
		var got struct {
			First, Last string
			PID         int
			More        []string
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil || len(line) > 4095 {
			t.Fatalf("%q makes %d bytes, %v: %s", units[i/2], len(line), err, line)
		}
		first, long := strings.CutSuffix(got.First, "...")
		if got.Last != "x" || got.PID != 1 || len(got.More) != 20 || !long ||
			!strings.HasPrefix(strings.Repeat(withoutInvalid(units[i/2]), 5000), first) {
			t.Errorf("%q makes %s", units[i/2], line)
		}
	}
}

// Lines that cannot be written are dropped, and that is reported when writing works
// again.
func TestBrokenOutputs(t *testing.T) {
	t.Parallel()
	broken := map[string]func(t *testing.T) int{
		"closed": func(t *testing.T) int {
			p := newPipe(t, true)
			p.r.Close()
			return p.w
		},
		"full disk": func(t *testing.T) int {
			fd, err := unix.Open("/dev/full", unix.O_WRONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			return fd
		},
		"read-only": func(t *testing.T) int {
			fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			return fd
		},
	}
	for name, open := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fd := open(t)
			w := logs.NewWriter(logs.NewOutput(fd))
			w.OnDrop = told
			for i := range 3 {
				fmt.Fprintf(w, "line %d\n", i)
			}
			w.Flush(testproc.HangLimit)
			p := newPipe(t, true)
			if err := unix.Dup3(p.w, fd, unix.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(w, "line 3\n")
			closed := p.lines()
			w.Flush(testproc.HangLimit)
			unix.Close(fd)
			if lines := strings.Join(closed(), "|"); lines != "line 3|dropped 3" {
				t.Errorf("got %q", lines)
			}
		})
	}
}

// Lines of the maximum length are not interleaved with those of a child on the same
// pipe, or of other callers.
func TestLinesAreNotTorn(t *testing.T) {
	eachPipe(t, func(t *testing.T, blocking bool) {
		const n = 200
		p := newPipe(t, blocking)
		w := logs.NewWriter(logs.NewOutput(p.w))
		w.OnDrop = func(uint64) []byte { return bytes.Repeat([]byte("d"), 10) }
		closed := p.lines()
		var all sync.WaitGroup
		for _, letter := range []string{"a", "b"} {
			all.Go(func() {
				for range n {
					fmt.Fprintln(w, strings.Repeat(letter, 4095))
					w.Flush(testproc.HangLimit)
				}
			})
		}
		all.Go(func() { // a child: it writes for itself
			line := append(bytes.Repeat([]byte("c"), 4095), '\n')
			for written := 0; written < n; {
				if _, err := unix.Write(p.w, line); err == nil {
					written++
				} else if _, err := unix.Poll([]unix.PollFd{{Fd: int32(p.w), Events: unix.POLLOUT}}, -1); err != nil && err != unix.EINTR {
					t.Error(err)
				}
			}
		})
		all.Wait()
		lines := closed()
		for _, line := range lines {
			if len(line) != 4095 || strings.Count(line, line[:1]) != 4095 {
				t.Fatalf("a line of %d bytes is torn: %.20q", len(line), line)
			}
		}
		if len(lines) != 3*n {
			t.Errorf("%d lines, want %d", len(lines), 3*n)
		}
	})
}

func TestOpen(t *testing.T) {
	t.Parallel()
	p := newPipe(t, true)
	log := logs.Open(logs.NewOutput(p.w), logs.JSON, logs.LevelInfo, nil, nil)
	log.Info("first").Send()
	log.Debug("not told").Send()
	log.Info("too long").Str("value", strings.Repeat("x", 5000)).Send()
	log.Warn("last").Int("pid", 1).Send()
	closed := p.lines()
	log.Flush(testproc.HangLimit)
	lines := closed()
	text := strings.Join(lines, "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], `"msg":"too long","value":"xxx`) || !strings.HasSuffix(lines[1], `xxx..."}`) || strings.Contains(text, "dropped") {
		t.Errorf("got\n%s", text)
	}
}
