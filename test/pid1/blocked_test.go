package pid1

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// stuffed fills its stdout, a pipe, to the last byte, leaves it blocking or
// not, as the first word of args says, and becomes the rest.
func stuffed(args []string) {
	if err := unix.SetNonblock(1, true); err != nil {
		harness.Fail(err)
	}
	for chunk := make([]byte, 4096); len(chunk) > 0; {
		_, err := unix.Write(1, chunk)
		switch {
		case errors.Is(err, unix.EAGAIN):
			chunk = chunk[:len(chunk)/2]
		case err != nil && !errors.Is(err, unix.EINTR):
			harness.Fail(err)
		}
	}
	if err := unix.SetNonblock(1, args[0] == "nonblocking"); err != nil {
		harness.Fail(err)
	}
	harness.Become(args[1:])
}

// stuck returns c for each way in which a stdout takes nothing any more.
func stuck(t *testing.T, c testproc.Command) map[string]testproc.Command {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { full.Close() })
	disk, broken := c, c
	disk.Stdout = full
	var reader *os.File
	reader, broken.Stdout = pipe(t)
	reader.Close()
	kinds := map[string]testproc.Command{"full disk": disk, "closed pipe": broken}
	for _, kind := range []string{"blocking", "nonblocking"} {
		stuffed := harness.Under(c, testproc.Argv("stuffed", kind)...)
		_, stuffed.Stdout = pipe(t)
		kinds["full "+kind+" pipe"] = stuffed
	}
	return kinds
}

func pipe(t *testing.T) (read, write *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close(); write.Close() })
	return read, write
}

// More signals than lines can wait in nodeinit's queue.
const flood = 600

func TestForwardsSignalsThoughItsOutputIsStuck(t *testing.T) {
	t.Parallel()
	for name, c := range stuck(t, harness.UnderInit("-vv --grace 0", testproc.Argv("catcher", "program")...)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := c.Start(t)
			p.Expect("program up")
			for range flood {
				p.Signal(unix.SIGUSR1)
				p.Expect(harness.Caught("program", unix.SIGUSR1)...)
			}
			p.Signal(unix.SIGTERM)
			harness.ExpectAll(t, p, harness.Caught("program", unix.SIGTERM)...)
			p.CloseStdin()
			p.WaitCode(7)
		})
	}
}

// forkOrphans makes 600 orphans. It is a shell because forking is all it does.
var forkOrphans = []string{"sh", "-c", "i=0; while [ $i -lt 600 ]; do (:&); i=$((i+1)); done"}

func TestReapsThoughItsOutputIsStuck(t *testing.T) {
	t.Parallel()
	for name, c := range stuck(t, harness.UnderInit("-vv --warn-on-reap", testproc.Argv("nursery", forkOrphans...)...)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := c.Start(t)
			p.Expect("status 0")
			harness.ExpectProcesses(t, p, 2)
			p.Signal(unix.SIGTERM)
			p.WaitCode(143)
		})
	}
}

// The status is right though its reason cannot be written.
func TestExitsThoughItCannotSayWhy(t *testing.T) {
	t.Parallel()
	for name, c := range stuck(t, harness.UnderInit("", "/no/such/program")) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Stderr = c.Stdout
			c.Start(t).WaitCode(127)
		})
	}
}

// When the reader comes back, it gets whole lines, the last of them the exit
// report, and the number of those that were lost.
func TestCountsTheLinesThatAStuckOutputCost(t *testing.T) {
	t.Parallel()
	reader, writer := pipe(t)
	c := harness.Under(harness.UnderInit("-v", testproc.Argv("catcher", "program")...), testproc.Argv("stuffed", "blocking")...)
	c.Stdout = writer
	p := c.Start(t)
	writer.Close()
	p.Expect("program up")
	for range flood {
		p.Signal(unix.SIGUSR1)
		p.Expect(harness.Caught("program", unix.SIGUSR1)...)
	}
	output := make(chan string)
	go func() {
		text, _ := io.ReadAll(reader)
		output <- strings.TrimLeft(string(text), "\x00")
	}()
	p.CloseStdin()
	p.WaitCode(7)
	lines := harness.ReadLog(t, <-output)
	dropped := slices.IndexFunc(lines, func(l harness.LogLine) bool { return l.Msg == "log lines dropped" })
	if dropped < 0 || lines[dropped].Facts["lines"] == 0.0 {
		t.Fatalf("no count of lines dropped in %q", harness.Messages(lines))
	}
	if last := lines[len(lines)-1]; last.Msg != "exit" || last.Facts["status"] != 7.0 {
		t.Errorf("last line %v, want the exit report", last.Facts)
	}
}
