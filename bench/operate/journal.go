package operate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A journal keeps the lines that a process writes, and wakes those that wait
// for one.
type journal struct {
	mu    sync.Mutex
	lines []string
	part  []byte        // of a line that is not whole yet
	more  chan struct{} // closed when there are more lines than there were
}

func newJournal() *journal { return &journal{more: make(chan struct{})} }

// Write is for the goroutine that copies the process's output.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.part = append(j.part, p...)
	before := len(j.lines)
	for {
		line, rest, whole := bytes.Cut(j.part, []byte("\n"))
		if !whole {
			break
		}
		j.lines = append(j.lines, string(line))
		j.part = rest
	}
	if len(j.lines) > before {
		close(j.more)
		j.more = make(chan struct{})
	}
	return len(p), nil
}

// since returns the lines from the nth on, and a channel that is closed when
// there are more.
func (j *journal) since(n int) ([]string, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines[n:]), j.more
}

// mark is the number of lines so far.
func (j *journal) mark() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.lines)
}

// count returns how many lines have all of the words.
func (j *journal) count(words ...string) int {
	lines, _ := j.since(0)
	return countLines(lines, words...)
}

func countLines(lines []string, words ...string) (n int) {
	for _, line := range lines {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
			n++
		}
	}
	return n
}

// last returns the last n lines, to look into a failure.
func (j *journal) last(n int) string {
	lines, _ := j.since(0)
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

var errEnded = errors.New("ended")

// await waits until the lines from the nth on are what so asks for. It fails
// with what so fails with, when the process ends, and when the context does.
func (j *journal) await(ctx context.Context, n int, what string, ended <-chan struct{}, so func(lines []string) (bool, error)) error {
	for {
		lines, more := j.since(n)
		ok, err := so(lines)
		if ok {
			return nil
		}
		if err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		select {
		case <-more:
		case <-ended:
			// Its last words may be what is waited for, and all are there by now.
			if lines, _ := j.since(n); len(lines) > 0 {
				if ok, _ := so(lines); ok {
					return nil
				}
			}
			return fmt.Errorf("wait for %s: %w", what, errEnded)
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		}
	}
}
