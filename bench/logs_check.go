package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// A sequence checks the numbered lines of testdata/logs.js.
type sequence struct {
	asJSON              bool // each line has to be a JSON object
	next                []int
	good                int
	torn, lost, doubled int
	sample              []byte // the first that was torn
}

var lineEnd = []byte(" end")

// check checks one line, without its newline.
func (q *sequence) check(line []byte) {
	writer, n, ok := numberOf(line)
	if ok && q.asJSON {
		ok = line[0] == '{' && json.Valid(line)
	}
	if !ok || writer >= len(q.next) {
		q.torn++
		if q.sample == nil {
			q.sample = bytes.Clone(line[:min(len(line), 200)])
		}
		return
	}
	switch next := q.next[writer]; {
	case n < next:
		q.doubled++ // or late
		return
	default:
		q.lost += n - next
	}
	q.next[writer] = n + 1
	q.good++
}

// numberOf returns what a line says of itself, if it is whole: "w=0 n=1 len=3 xxx end", in an object or not.
func numberOf(line []byte) (writer, n int, ok bool) {
	at := bytes.Index(line, []byte("w="))
	if at < 0 {
		return 0, 0, false
	}
	fields := bytes.SplitN(line[at:], []byte(" "), 4)
	if len(fields) < 4 {
		return 0, 0, false
	}
	var numbers [3]int
	for i, key := range []string{"w=", "n=", "len="} {
		value, found := bytes.CutPrefix(fields[i], []byte(key))
		number, err := strconv.Atoi(string(value))
		if !found || err != nil || number < 0 {
			return 0, 0, false
		}
		numbers[i] = number
	}
	pad, length := fields[3], numbers[2]
	if len(pad) < length+len(lineEnd) || !bytes.HasPrefix(pad[length:], lineEnd) || bytes.Count(pad[:length], []byte("x")) != length {
		return 0, 0, false
	}
	after := pad[length+len(lineEnd):]
	whole := at == 0 && len(after) == 0 || line[0] == '{' && bytes.HasSuffix(after, []byte("}")) && bytes.HasPrefix(after, []byte(`"`))
	return numbers[0], numbers[1], whole
}

// checkAll checks all lines until the end, or until as many are there as were written: that number
// comes over a channel. It closes done.
func (q *sequence) checkAll(from io.Reader, done chan<- struct{}) {
	defer close(done)
	lines := bufio.NewReaderSize(from, 1<<20)
	var long []byte
	for {
		part, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, part...)
			continue
		}
		line := part
		if len(long) > 0 {
			line = append(long, part...)
			long = long[:0]
		}
		if len(line) > 0 {
			q.check(bytes.TrimSuffix(line, []byte("\n")))
		}
		if err != nil {
			return
		}
	}
}

// finish counts as lost what did not come at the end.
func (q *sequence) finish(each int) {
	for _, next := range q.next {
		q.lost += max(0, each-next)
	}
}

// checkNumbered counts torn, lost and doubled lines in each mode.
func (s *logSuite) checkNumbered() error {
	if s.lines == 0 {
		return nil
	}
	fmt.Printf("\n| %d numbered lines, 2 workers | whole | torn | lost | twice or late |\n|---|---:|---:|---:|---:|\n", s.lines)
	var samples []string
	for _, name := range []string{rawLogs, linesLogs, jsonLogs} {
		tool := s.tool("text", name)
		if tool == nil {
			continue
		}
		q, err := s.numbered(*tool, 2)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %d | %d | %d | %d |\n", name, q.good, q.torn, q.lost, q.doubled)
		if q.sample != nil {
			samples = append(samples, fmt.Sprintf("%s: %q", name, q.sample))
		}
	}
	for _, sample := range samples {
		fmt.Printf("\nThe first that was torn, %s\n", sample)
	}
	fmt.Println()
	return nil
}

// numbered has the workers write numbered lines, and ends the tool, so that it has to flush.
func (s *logSuite) numbered(tool logTool, workers int) (*sequence, error) {
	run, err := startLogs(tool, s.node, workers)
	if err != nil {
		return nil, err
	}
	q := &sequence{asJSON: tool.name == jsonLogs, next: make([]int, workers)}
	done := make(chan struct{})
	go q.checkAll(run.out, done)
	each := s.lines / workers
	began := time.Now()
	if _, err := run.writers.write(order{Kind: "numbered", Lines: each, Stdout: true}); err != nil {
		return nil, run.end(err)
	}
	run.writers.close() // they end, and the tool with them
	<-done
	progress("%s: %d lines in %v", tool.name, s.lines, time.Since(began).Round(time.Millisecond))
	q.finish(each)
	return q, run.end(nil)
}
