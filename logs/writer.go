package logs

import (
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxLine is PIPE_BUF: a write of up to that much to a pipe is not torn
	// apart by what the children write (pipe(7)).
	maxLine = 4096
	// maxQueue bounds the memory that a stalled output costs, to 1 MiB.
	maxQueue = 256

	// flushLimit ends a Flush to an output that says it would take more but
	// does not, such as a file on a network file system that is gone.
	flushLimit = 5 * time.Second
	flushLook  = 10 * time.Millisecond // from one look at the output to the next
)

// A Writer writes lines to a descriptor from a goroutine of its own, so that
// nobody waits for a reader that does not read. It copes with what an output
// shared with children does: it may be full, closed, on a full disk or, since
// Node does that to its pipes for all who share them, non-blocking. Lines that
// find the queue full, or that cannot be written, are dropped and counted.
type Writer struct {
	// OnDrop, if set, makes the line that tells of n lines dropped, once there
	// is room for it. Set it before the first Write.
	OnDrop func(n uint64) []byte

	fd      int
	queue   chan entry
	dropped atomic.Uint64
}

// An entry is a line, or a request to close done when all before it is written.
type entry struct {
	line []byte
	done chan<- struct{}
}

// NewWriter returns a Writer to fd for the rest of the process's life.
func NewWriter(fd int) *Writer {
	w := &Writer{fd: fd, queue: make(chan entry, maxQueue)}
	go w.run()
	return w
}

// Write queues a copy of line and never blocks or fails. What is too long of a
// line is left out.
func (w *Writer) Write(line []byte) (int, error) {
	select {
	case w.queue <- entry{line: fit(line)}:
	default:
		w.dropped.Add(1)
	}
	return len(line), nil
}

// Flush waits until all that was written before is out. When patience has ended
// it goes on only as long as the output would take more: then it is not the
// output that stalls but this process, held back by its CPU quota or a busy
// machine, and the lines would be lost for nothing.
func (w *Writer) Flush(patience time.Duration) {
	limit := time.After(max(patience, flushLimit))
	timeout := time.After(patience)
	done := make(chan struct{})
	ask := w.queue // nil once it has been asked
	for {
		select {
		case ask <- entry{done: done}:
			ask = nil
		case <-done:
			return
		case <-timeout:
			if !w.takesMore() {
				return
			}
			timeout = time.After(flushLook)
		case <-limit:
			return
		}
	}
}

// takesMore reports whether the output would take a line now.
func (w *Writer) takesMore() bool {
	fds := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents == unix.POLLOUT
}

func (w *Writer) run() {
	for e := range w.queue {
		if e.done != nil {
			w.tellDropped() // no other line may come
			close(e.done)
			continue
		}
		if err := w.write(e.line); err != nil {
			w.dropped.Add(1)
			continue
		}
		w.tellDropped()
	}
}

func (w *Writer) tellDropped() {
	n := w.dropped.Load()
	if n == 0 || w.OnDrop == nil {
		return
	}
	if w.write(w.OnDrop(n)) == nil {
		w.dropped.Add(-n)
	}
}

func (w *Writer) write(line []byte) error {
	for len(line) > 0 {
		n, err := unix.Write(w.fd, line)
		switch {
		case err == nil:
			line = line[n:]
		case errors.Is(err, unix.EAGAIN):
			// Non-blocking and full: wait here, where nobody waits for us.
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLOUT}}, -1)
		case errors.Is(err, unix.EINTR):
		default:
			return err
		}
	}
	return nil
}
