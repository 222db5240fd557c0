package logs_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/logs"
)

// What one process alone writes of a line comes at once, and other lines end it. With
// another process beside it only whole lines come.
func TestPromptsOfOneProcess(t *testing.T) {
	t.Parallel()
	p := newPipe(t, true)
	out := logs.NewOutput(p.w)
	s := logs.NewStreams(out, out, logs.Options{})
	c := startChild(t, s)
	expect := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(p.r, got); err != nil || string(got) != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	for _, part := range []string{"name", "? ", "\r10 %", "\r20 %"} {
		fmt.Fprint(c.stdout, part)
		expect(part)
	}
	fmt.Fprint(c.stderr, "error")
	expect("\nerror")
	log := logs.Open(out, logs.Text, logs.LevelInfo, nil, nil)
	log.Info("own").Send()
	log.Flush(testproc.HangLimit)
	expect("\n")
	for last := byte(0); last != '\n'; {
		one := make([]byte, 1)
		if _, err := io.ReadFull(p.r, one); err != nil {
			t.Fatal(err)
		}
		last = one[0]
	}
	fmt.Fprint(c.stdout, " done\n")
	expect(" done\n")

	other, started := newChild(t, s)
	started(1, 2)
	fmt.Fprint(c.stdout, "begin")
	fmt.Fprint(other.stdout, "whole\n")
	expect("whole\n")
	fmt.Fprint(c.stdout, "ning\n")
	expect("beginning\n")
}
