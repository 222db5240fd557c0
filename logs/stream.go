package logs

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxReads ends a turn in which a process writes little as fast as it is read.
const maxReads = 64

// flood is less than a full pipe has. A pipe that is empty before so much was read is so
// between two calls of write(2): within one, the kernel lets nobody read unless the pipe
// is full (fs/pipe.c, pipe_write).
const flood = 32 << 10

// A stream is read from a pipe, by the goroutine in run or the one in drain: by whichever
// has the lock of the output, which also guards all that is in a stream.
type stream struct {
	pipe   *os.File
	outlet *outlet
	framer *framer
	ended  bool // at its end, or the output has no reader
	read   int  // bytes since the pipe was last empty
}

// A state is what a turn leaves.
type state int

const (
	more  state = iota // there may be more in the pipe
	empty              // there is no more now
	ended              // there will be no more
)

func newStream(pipe *os.File, out *Output, source Source, o *Options, alone func() bool) *stream {
	outlet := &outlet{out: out, onDrop: o.OnDrop}
	return &stream{
		pipe: pipe, outlet: outlet,
		framer: &framer{outlet: outlet, format: newFormatter(outlet, source, o), alone: alone},
	}
}

// run reads the stream to its end. Go's poller wakes it by edges: there is none for what
// is in the pipe already, so it reads until the pipe is empty before it waits.
func (s *stream) run() {
	conn, err := s.pipe.SyscallConn()
	if err == nil {
		_ = conn.Read(func(fd uintptr) bool { return s.readAll(fd, -1) == ended })
	}
	_ = s.pipe.Close() // a process that writes to it gets EPIPE, as it would from the output
}

// drain reads what is in the pipe now, and ends the last line.
func (s *stream) drain() {
	conn, err := s.pipe.SyscallConn()
	if err != nil {
		return
	}
	left := ended
	err = conn.Control(func(fd uintptr) {
		n, _ := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
		if left = s.readAll(fd, n); left != ended {
			s.finish()
		}
	})
	if err == nil && left == ended {
		_ = s.pipe.Close() // run may wait in vain: the reader has gone, not the process
	}
}

// readAll reads until the pipe is empty or ended or, if n >= 0, n bytes are read.
func (s *stream) readAll(fd uintptr, n int) state {
	for total := 0; ; {
		got, left := s.turn(fd)
		if total += got; left != more || n >= 0 && total >= n {
			return left
		}
		runtime.Gosched() // others are to have a turn: GOMAXPROCS is 1
	}
}

// turn reads as much as the buffer takes, and writes the lines that are complete.
func (s *stream) turn(fd uintptr) (n int, left state) {
	s.outlet.out.mu.Lock()
	defer s.outlet.out.mu.Unlock()
	if s.ended {
		return 0, ended
	}
	in := s.outlet.buffers().in[:]
	rest := s.framer.reclaim(in)
	n, left = fill(fd, in[rest:])
	s.read += n
	s.framer.paused = left == empty && s.read < flood
	s.framer.take(in[:rest+n], left)
	if left == empty {
		s.read = 0
	}
	if left == ended || s.outlet.closed {
		s.ended = true
		return n, ended
	}
	return n, left
}

// finish ends the last line and reports what was dropped: nothing may follow.
func (s *stream) finish() {
	s.outlet.out.mu.Lock()
	defer s.outlet.out.mu.Unlock()
	s.framer.take(nil, ended)
	s.outlet.reportDropped()
}

// fill reads into b until it is full or the pipe is empty.
func fill(fd uintptr, b []byte) (n int, left state) {
	for reads := 0; n < len(b) && reads < maxReads; reads++ {
		got, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&b[n])), uintptr(len(b)-n))
		switch {
		case errno == unix.EAGAIN:
			return n, empty
		case errno == unix.EINTR:
		case errno != 0 || got == 0:
			return n, ended
		default:
			n += int(got)
		}
	}
	return n, more
}
