package logs

import (
	"sync/atomic"
	"time"
)

const (
	// maxOwnLine is PIPE_BUF, so that an own line is not torn by a process that writes to
	// the same pipe (pipe(7)).
	maxOwnLine = pipeBuf
	// maxQueue limits the memory for a stalled output to 1 MiB.
	maxQueue = 256

	// maxFlush ends a Flush to an output that is writable by poll(2) but blocks, such
	// as a file on a network file system that is gone.
	maxFlush = 5 * time.Second
)

// A Writer writes lines to an Output in a goroutine of its own, so that its callers never
// wait for a reader. Lines for which the queue has no room, or that cannot be written, are
// dropped and counted.
type Writer struct {
	// OnDrop, if set, returns the line that reports n dropped lines. It is written
	// when there is room. Set it before the first Write.
	OnDrop func(n uint64) []byte

	out     *Output
	queue   chan entry
	dropped atomic.Uint64 // that were not reported yet
	total   atomic.Uint64 // that were dropped
}

// An entry is a line, or a request to close done when all lines before it are written, or
// else to report what was dropped.
type entry struct {
	line []byte
	done chan<- struct{}
}

// NewWriter returns a Writer to out. It runs until the process exits.
func NewWriter(out *Output) *Writer {
	w := &Writer{out: out, queue: make(chan entry, maxQueue)}
	go w.run()
	return w
}

// Write queues a copy of line, shortened if it is too long. It never blocks or fails.
func (w *Writer) Write(line []byte) (int, error) {
	select {
	case w.queue <- entry{line: fit(line)}:
	default:
		w.count(1)
	}
	return len(line), nil
}

// CountDropped adds n to the lines dropped, which are reported soon. It never blocks.
func (w *Writer) CountDropped(n uint64) {
	w.count(n)
	select {
	case w.queue <- entry{}:
	default: // what is in the queue has it reported too
	}
}

func (w *Writer) count(n uint64) {
	w.dropped.Add(n)
	w.total.Add(n)
}

// Flush waits until the lines before it are written. It gives up when the output has made
// no progress for timeout and takes nothing. Otherwise not the output stalls but this
// process, slowed down by its CPU quota or a busy machine, and the lines need not be lost.
func (w *Writer) Flush(timeout time.Duration) {
	limit := time.After(max(timeout, maxFlush))
	next := time.After(timeout)
	written := w.out.written.Load()
	done := make(chan struct{})
	queue := w.queue // nil once the request is queued
	for {
		select {
		case queue <- entry{done: done}:
			queue = nil
		case <-done:
			return
		case <-next:
			now := w.out.written.Load()
			switch {
			case now != written:
				written, limit = now, time.After(max(timeout, maxFlush))
				next = time.After(max(timeout, pollEvery))
			case w.out.isStalled():
				return
			default:
				next = time.After(pollEvery)
			}
		case <-limit:
			return
		}
	}
}

func (w *Writer) run() {
	for e := range w.queue {
		if e.line == nil {
			w.reportDropped() // there may be no other line
			if e.done != nil {
				close(e.done)
			}
			continue
		}
		if w.write(e.line) != nil {
			w.count(1)
			continue
		}
		w.reportDropped()
	}
}

func (w *Writer) reportDropped() {
	n := w.dropped.Load()
	if n == 0 || w.OnDrop == nil {
		return
	}
	if w.write(w.OnDrop(n)) == nil {
		w.dropped.Add(-n)
	}
}

func (w *Writer) write(line []byte) error {
	w.out.mu.Lock()
	defer w.out.mu.Unlock()
	_, err := w.out.write(line, nil)
	return err
}
