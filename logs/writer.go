package logs

import (
	"errors"
	"sync/atomic"
	"time"
	"unsafe"

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
	look       = 10 * time.Millisecond // from one look at a full output to the next
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
	pipe    bool
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
	var stat unix.Stat_t
	pipe := unix.Fstat(fd, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFIFO
	w := &Writer{fd: fd, pipe: pipe, queue: make(chan entry, maxQueue)}
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
			timeout = time.After(look)
		case <-limit:
			return
		}
	}
}

// takesMore reports whether the output would take a line now.
func (w *Writer) takesMore() bool { return w.poll() == unix.POLLOUT }

// poll returns the state of the output (poll(2)), 0 if it is full. A pipe with
// room takes a whole line.
func (w *Writer) poll() int16 {
	fds := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLOUT}}
	if _, err := unix.Poll(fds, 0); err != nil {
		return 0 // EINTR
	}
	return fds[0].Revents
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

// write waits where the output is full, now and then looking at it: in poll(2)
// or write(2) it would keep a thread for as long as nobody reads, and these are
// counted (see package threads). Only if a child fills it between the look and
// the write does that happen, and to a pipe not even then.
func (w *Writer) write(line []byte) error {
	for len(line) > 0 {
		if w.poll() == 0 {
			<-time.After(look)
			continue
		}
		n, err := w.writeSome(line)
		switch {
		case err == nil:
			line = line[n:]
		case errors.Is(err, unix.EAGAIN):
			<-time.After(look)
		case errors.Is(err, unix.EINTR):
		default:
			return err
		}
	}
	return nil
}

// writeSome is write(2). A pipe is not waited for (pwritev2(2), RWF_NOWAIT) and
// Go's runtime not told of the call, unless the kernel is too old for that.
func (w *Writer) writeSome(line []byte) (int, error) {
	if !w.pipe {
		return unix.Write(w.fd, line)
	}
	const asWrite = ^uintptr(0) // the offset
	iov := unix.Iovec{Base: &line[0]}
	iov.SetLen(len(line))
	n, _, errno := unix.RawSyscall6(unix.SYS_PWRITEV2, uintptr(w.fd), uintptr(unsafe.Pointer(&iov)), 1, asWrite, asWrite, unix.RWF_NOWAIT)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL, unix.EPERM:
		w.pipe = false
		return unix.Write(w.fd, line)
	default:
		return 0, errno
	}
}
