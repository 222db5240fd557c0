package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/bench/server"
)

func TestSequence(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                      string
		asJSON                    bool
		text                      string
		good, torn, lost, doubled int
	}{
		{"whole", false, "w=0 n=0 len=2 xx end\n" + `{"line":"w=1 n=0 len=0  end"}` + "\nw=0 n=1 len=0  end", 3, 0, 0, 0},
		{"json", true, `{"msg":"w=0 n=0 len=1 x end"}` + "\n" + `{"line":"w=1 n=0 len=1 x end","time":"now"}` + "\n", 2, 0, 0, 0},
		{"no json", true, "w=0 n=0 len=1 x end\n" + `{"line":"w=1 n=0 len=1 x end",}` + "\n", 0, 2, 0, 0},
		{"torn", false, "w=0 n=0 len=3 xxw=1 n=0 len=1 x end\n end\nw=0 n=1 len=0 end\n", 0, 3, 0, 0},
		{"glued", false, "w=0 n=0 len=1 x endw=1 n=0 len=1 x end\n", 0, 1, 0, 0},
		{"lost", false, "w=0 n=0 len=0  end\nw=0 n=3 len=0  end\n", 2, 0, 2, 0},
		{"doubled", false, "w=0 n=0 len=0  end\nw=0 n=0 len=0  end\n", 1, 0, 0, 1},
		{"of nobody", false, "w=2 n=0 len=0  end\n", 0, 1, 0, 0},
		{"empty", false, "\nw=0 n=0 len=0  end\n", 1, 1, 0, 0},
	} {
		q := &sequence{asJSON: c.asJSON, next: make([]int, 2)}
		q.checkAll(strings.NewReader(c.text), make(chan struct{}))
		got := [4]int{q.good, q.torn, q.lost, q.doubled}
		if want := [4]int{c.good, c.torn, c.lost, c.doubled}; got != want {
			t.Errorf("%s: good, torn, lost, doubled are %v, want %v", c.name, got, want)
		}
	}
}

// A line may be longer than the reader's buffer.
func TestSequenceOfLongLines(t *testing.T) {
	t.Parallel()
	const length = 3 << 20
	q := &sequence{next: make([]int, 1)}
	line := fmt.Sprintf("w=0 n=0 len=%d %s end\n", length, strings.Repeat("x", length))
	q.checkAll(io.MultiReader(strings.NewReader(line), strings.NewReader("w=0 n=1 len=0  end\n")), make(chan struct{}))
	q.finish(5)
	if q.good != 2 || q.torn != 0 || q.lost != 3 {
		t.Errorf("good %d, torn %d, lost %d; want 2, 0, 3", q.good, q.torn, q.lost)
	}
}

// Writers write to a tool, the reader counts, and nothing is left.
func TestLogRun(t *testing.T) {
	t.Chdir("..")
	p := logPrograms{}
	for _, tool := range []logTool{p.filter(noTool), p.filter(catTool, "cat"), p.files("files", "dd", "of=copy", "status=none")} {
		run, err := startLogs(tool, "node", 2)
		if err != nil {
			t.Fatal(err)
		}
		h, err := run.measure(order{Kind: "pino", Bytes: 1 << 20})
		err = run.end(err)
		if err != nil {
			t.Fatal(err)
		}
		if h.Lines == 0 || h.arrived != h.Lines || h.Bytes != 311*h.Lines {
			t.Errorf("%s: %d of %d lines arrived, %d bytes", tool.name, h.arrived, h.Lines, h.Bytes)
		}
		if slices.ContainsFunc(run.writers.pids, server.Alive) {
			t.Errorf("%s: writers are left", tool.name)
		}
	}
}

func TestLogRunEndsWithTool(t *testing.T) {
	t.Chdir("..")
	if _, err := startLogs(logTool{contender: fixed("false", "false")}, "node", 1); err == nil {
		t.Error("no error of a tool that ended before its writers connected")
	}
}
