package logs

import (
	"errors"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// maxLine is PIPE_BUF: writes up to that size to a pipe are not interleaved with
	// those of children (pipe(7)).
	maxLine = 4096
	// maxQueue limits the memory for a stalled output to 1 MiB.
	maxQueue = 256

	// maxFlush ends a Flush to an output that is writable by poll(2) but blocks, such
	// as a file on a network file system that is gone.
	maxFlush  = 5 * time.Second
	pollEvery = 10 * time.Millisecond // interval at which a full output is polled
)

// A Writer writes lines to a descriptor in a goroutine of its own, so that its callers
// never wait for a reader. The output may be full, closed, on a full disk or
// non-blocking: Node sets that on its pipes, also for the processes that share them.
// Lines for which the queue has no room, or that cannot be written, are dropped and
// counted.
type Writer struct {
	// OnDrop, if set, returns the line that reports n dropped lines. It is written
	// when there is room. Set it before the first Write.
	OnDrop func(n uint64) []byte

	fd      int
	pipe    bool
	queue   chan entry
	dropped atomic.Uint64
}

// An entry is a line, or a request to close done when all lines before it are written.
type entry struct {
	line []byte
	done chan<- struct{}
}

// NewWriter returns a Writer to fd. It runs until the process exits.
func NewWriter(fd int) *Writer {
	var stat unix.Stat_t
	pipe := unix.Fstat(fd, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFIFO
	w := &Writer{fd: fd, pipe: pipe, queue: make(chan entry, maxQueue)}
	go w.run()
	return w
}

// Write queues a copy of line, shortened if it is too long. It never blocks or fails.
func (w *Writer) Write(line []byte) (int, error) {
	select {
	case w.queue <- entry{line: fit(line)}:
	default:
		w.dropped.Add(1)
	}
	return len(line), nil
}

// Flush waits until the lines before it are written. After timeout it waits only as
// long as the output is writable: then not the output stalls but this process, slowed
// down by its CPU quota or a busy machine, and the lines need not be lost.
func (w *Writer) Flush(timeout time.Duration) {
	limit := time.After(max(timeout, maxFlush))
	next := time.After(timeout)
	done := make(chan struct{})
	queue := w.queue // nil once the request is queued
	for {
		select {
		case queue <- entry{done: done}:
			queue = nil
		case <-done:
			return
		case <-next:
			if !w.writable() {
				return
			}
			next = time.After(pollEvery)
		case <-limit:
			return
		}
	}
}

// writable reports whether the output has room for a line.
func (w *Writer) writable() bool { return w.poll() == unix.POLLOUT }

// poll returns the state of the output (poll(2)), 0 if it is full. A pipe is writable
// only if it has room for a whole line.
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
			w.reportDropped() // there may be no other line
			close(e.done)
			continue
		}
		if err := w.write(e.line); err != nil {
			w.dropped.Add(1)
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

// write writes line, and polls at intervals while the output is full: waiting in
// poll(2) or write(2) would occupy a thread, and their number is limited (see package
// threads). write(2) can block only if a child fills the output after the poll, and on
// a pipe not even then.
func (w *Writer) write(line []byte) error {
	for len(line) > 0 {
		if w.poll() == 0 {
			<-time.After(pollEvery)
			continue
		}
		n, err := w.writeSome(line)
		switch {
		case err == nil:
			line = line[n:]
		case errors.Is(err, unix.EAGAIN):
			<-time.After(pollEvery)
		case errors.Is(err, unix.EINTR):
		default:
			return err
		}
	}
	return nil
}

// writeSome is write(2). On a pipe it does not block (pwritev2(2), RWF_NOWAIT), so that
// Go's runtime need not know about the call, unless the kernel is too old.
func (w *Writer) writeSome(line []byte) (int, error) {
	if !w.pipe {
		return unix.Write(w.fd, line)
	}
	const noOffset = ^uintptr(0)
	iov := unix.Iovec{Base: &line[0]}
	iov.SetLen(len(line))
	n, _, errno := unix.RawSyscall6(unix.SYS_PWRITEV2, uintptr(w.fd), uintptr(unsafe.Pointer(&iov)), 1, noOffset, noOffset, unix.RWF_NOWAIT)
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
