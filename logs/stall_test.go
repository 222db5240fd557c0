package logs_test

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/logs"
)

// Drain goes on as long as somebody reads, however slowly.
func TestDrainWaitsForASlowReader(t *testing.T) {
	eachPipe(t, func(t *testing.T, blocking bool) {
		const n = 2000
		p := newPipe(t, blocking)
		out := logs.NewOutput(p.w)
		s := logs.NewStreams(out, out, logs.Options{})
		c, started := newChild(t, s)
		p.fill()
		if _, err := c.stdout.Write(numbered(0, 0, n)); err != nil {
			t.Fatal(err)
		}
		started(0, 1)
		if _, err := io.CopyN(io.Discard, p.r, int64(p.full)); err != nil {
			t.Fatal(err)
		}
		drained := make(chan struct{})
		go func() {
			s.Drain(testproc.HangLimit)
			unix.Close(p.w)
			close(drained)
		}()
		if got := checkNumbered(t, iotestOneByte{p.r}); got[0] != n {
			t.Errorf("%d lines of %d", got[0], n)
		}
		<-drained
	})
}

// An iotestOneByte reads little at a time.
type iotestOneByte struct{ io.Reader }

func (r iotestOneByte) Read(b []byte) (int, error) { return r.Reader.Read(b[:min(len(b), 100)]) }

// Drain gives up when nobody reads.
func TestDrainGivesUp(t *testing.T) {
	eachPipe(t, func(t *testing.T, blocking bool) {
		p := newPipe(t, blocking)
		out := logs.NewOutput(p.w)
		s := logs.NewStreams(out, out, logs.Options{})
		c := startChild(t, s)
		p.fill()
		fmt.Fprint(c.stdout, "a line\n")
		c.close()
		s.Drain(time.Millisecond)
		closed := p.lines()
		s.Drain(testproc.HangLimit)
		if got := strings.Join(closed(), "|"); got != "a line" {
			t.Errorf("got %q", got)
		}
	})
}

// While nobody reads, processes cannot write on, but a goroutine that logs goes on, and so does
// the rest of the process. Later everything comes, but the own lines for which there was
// no room.
func TestStalledReader(t *testing.T) {
	eachPipe(t, func(t *testing.T, blocking bool) {
		const n = 20_000 // 5 MB: more than all pipes and buffers
		p := newPipe(t, blocking)
		out := logs.NewOutput(p.w)
		log := logs.Open(out, logs.Text, logs.LevelInfo, nil, nil)
		s := logs.NewStreams(out, out, logs.Options{})
		var writing sync.WaitGroup
		written := make(chan struct{})
		var all [4]child
		for i := range all {
			all[i] = startChild(t, s)
		}
		p.fill()
		for i, c := range all {
			writing.Go(func() {
				defer c.close()
				if _, err := c.stdout.Write(numbered(i, 0, n)); err != nil {
					t.Error(err)
				}
			})
		}
		go func() {
			writing.Wait()
			close(written)
		}()
		for range 2000 {
			log.Info("own").Send()
		}
		log.Flush(time.Millisecond)
		select {
		case <-written:
			t.Error("processes wrote 20 MB that nobody read")
		default:
		}
		if _, err := io.CopyN(io.Discard, p.r, int64(p.full)); err != nil {
			t.Fatal(err)
		}
		go func() {
			<-written
			s.Drain(testproc.HangLimit)
			log.Flush(testproc.HangLimit)
			unix.Close(p.w)
		}()
		var own ownCount
		for stream, got := range checkNumbered(t, own.without(p.r)) {
			if got != n {
				t.Errorf("%d lines of stream %d", got, stream)
			}
		}
		if own.came+own.dropped != 2000 || own.came < 256 || own.came > 257 {
			t.Errorf("%d own lines came, and %d were dropped", own.came, own.dropped)
		}
	})
}

// An ownCount counts own lines and takes them out of what is read.
type ownCount struct{ came, dropped int }

func (o *ownCount) without(r io.Reader) io.Reader {
	others, w := io.Pipe()
	go func() {
		defer w.Close()
		lines := bufio.NewReader(r)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			_, text, own := strings.Cut(line, "nodeinit ")
			switch n, isCount := strings.CutPrefix(text, "log lines dropped lines="); {
			case !own:
				fmt.Fprint(w, line)
			case isCount:
				dropped, _ := strconv.Atoi(strings.TrimSpace(n))
				o.dropped += dropped
			default:
				o.came++
			}
		}
	}()
	return others
}

// A process that writes all the time holds up neither another, nor own lines, nor Drain.
func TestFloodsAreFair(t *testing.T) {
	t.Parallel()
	p := newPipe(t, true)
	out := logs.NewOutput(p.w)
	log := logs.Open(out, logs.Text, logs.LevelInfo, nil, nil)
	s := logs.NewStreams(out, out, logs.Options{})
	stop := make(chan struct{})
	var flooding sync.WaitGroup
	for i := range 3 {
		c := startChild(t, s)
		flooding.Go(func() {
			defer c.close()
			for flood := numbered(i, 0, 5000); ; {
				select {
				case <-stop:
					return
				default:
					_, _ = c.stdout.Write(flood)
				}
			}
		})
	}
	quiet := startChild(t, s)
	lines := bufio.NewScanner(p.r)
	await := func(text string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("%q does not come", text)
	}
	for i := range 50 {
		fmt.Fprintf(quiet.stderr, "quiet %d\n", i)
		await(fmt.Sprintf("quiet %d", i))
		log.Info("own").Int("line", i).Send()
		await(fmt.Sprintf("own line=%d", i))
	}
	go func() {
		s.Drain(testproc.HangLimit)
		log.Info("drained").Send()
	}()
	await("drained")
	close(stop)
	go func() {
		for lines.Scan() {
		}
	}()
	flooding.Wait()
	s.Drain(testproc.HangLimit)
	unix.Close(p.w)
}
