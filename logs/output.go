package logs

import (
	"strconv"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pipeBuf is PIPE_BUF: a pipe that poll(2) reports as writable takes that much at once,
// and does not interleave it with what others write (pipe(7)).
const pipeBuf = 4096

// An Output is an open file that lines are written to: nodeinit's own and those of
// processes. It may be stalled, closed, on a full disk, or non-blocking: Node sets that on
// its pipes, also for the processes that share them. Writing waits for a reader, but
// occupies no thread for it: their number is limited (see package threads).
type Output struct {
	fd          int
	method      method
	ownTerminal bool          // fd is a description of the terminal that no other process has
	written     atomic.Uint64 // bytes, so that others see progress
	refused     atomic.Bool   // it had no room the last time

	mu      sync.Mutex // held while lines are written, which may take until there is a reader
	left    []byte     // what is being written
	err     error      // why that failed
	waiter  waiter     // until there is room
	within  bool       // what was written last does not end a line
	last    *outlet    // of what was written last; nil: nothing may continue that line
	dropped uint64     // lines of processes since the last write that did not fail
	buffers *buffers   // nil until a process has written
}

// A method is how a file is written to without blocking.
type method int

const (
	blocking    method = iota // write(2): to a regular file, which has no reader to wait for
	noWait                    // pwritev2(2), RWF_NOWAIT: pipes, since Linux 5.6
	send                      // send(2), MSG_DONTWAIT: sockets
	nonBlocking               // write(2) to a description of our own
	careful                   // write(2) of little, after poll(2)
)

// OpenOutputs returns the Outputs for stdout and stderr, one if they are the same file.
func OpenOutputs() (stdout, stderr *Output) {
	stdout = NewOutput(unix.Stdout)
	if sameFile(unix.Stdout, unix.Stderr) {
		return stdout, stdout
	}
	return stdout, NewOutput(unix.Stderr)
}

func sameFile(a, b int) bool {
	var x, y unix.Stat_t
	return unix.Fstat(a, &x) == nil && unix.Fstat(b, &y) == nil &&
		x.Dev == y.Dev && x.Ino == y.Ino && x.Rdev == y.Rdev
}

// NewOutput returns an Output for fd, which must stay open. There must be no other for
// the same file.
func NewOutput(fd int) *Output {
	o := &Output{fd: fd}
	o.waiter = waiter{fd: fd, try: o.advance}
	var stat unix.Stat_t
	_ = unix.Fstat(fd, &stat) // a closed one fails when it is written to
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFIFO:
		o.method = noWait
	case unix.S_IFSOCK:
		o.method = send
	case unix.S_IFCHR:
		o.method = noWait
		if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
			o.reopenTerminal()
		}
	}
	return o
}

// enlarge gives a pipe room for what a turn writes. A reader then wakes this process less
// often, which saves a third of its CPU time in a flood.
func (o *Output) enlarge() {
	const size = unsafe.Sizeof(buffers{}.in)
	if now, err := unix.FcntlInt(uintptr(o.fd), unix.F_GETPIPE_SZ, 0); err == nil && now < int(size) { // no pipe: EBADF
		_, _ = unix.FcntlInt(uintptr(o.fd), unix.F_SETPIPE_SZ, int(size))
	}
}

// reopenTerminal makes o use a non-blocking description of its own, since a terminal
// supports no RWF_NOWAIT and is writable by poll(2) when it takes a single byte.
func (o *Output) reopenTerminal() {
	o.method = careful
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(o.fd), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil { // that of another user, or no /proc
		return
	}
	o.fd, o.waiter.fd, o.method, o.ownTerminal = fd, fd, nonBlocking, true
}

// write writes b of a stream, or an own line for nil, and returns how much of it was
// written if that fails. A line that others have begun is ended first. mu must be held.
func (o *Output) write(b []byte, of *outlet) (n int, err error) {
	if o.within && (of == nil || o.last != of) {
		if _, err := o.writeAll([]byte("\n")); err != nil {
			return 0, err
		}
		o.within = false
	}
	n, err = o.writeAll(b)
	if n > 0 {
		o.within, o.last = b[n-1] != '\n', of
	}
	if err != nil {
		o.last = nil
	}
	return n, err
}

func (o *Output) writeAll(b []byte) (written int, err error) {
	o.left, o.err = b, nil
	if !o.advance() {
		o.waiter.wait()
	}
	written = len(b) - len(o.left)
	o.left = nil
	return written, o.err
}

// advance writes of left what there is room for, and reports whether that is all or
// writing fails.
func (o *Output) advance() bool {
	for len(o.left) > 0 {
		n, err := o.writeSome(o.left)
		o.refused.Store(err == unix.EAGAIN)
		if n > 0 {
			o.left = o.left[n:]
			o.written.Add(uint64(n))
		}
		switch {
		case err == unix.EAGAIN, err == nil && o.method == noWait && len(o.left) > 0: // it took a part, so it is full
			return false
		case err != nil && err != unix.EINTR:
			o.err = err
			return true
		}
	}
	return true
}

// writeSome writes what of b the output has room for. The calls that cannot block are
// raw ones: Go's runtime need not know about them.
func (o *Output) writeSome(b []byte) (int, error) {
	const noOffset = ^uintptr(0)
	var n uintptr
	var errno unix.Errno
	switch o.method {
	case noWait:
		iov := unix.Iovec{Base: &b[0]}
		iov.SetLen(len(b))
		n, _, errno = unix.RawSyscall6(unix.SYS_PWRITEV2, uintptr(o.fd), uintptr(unsafe.Pointer(&iov)), 1, noOffset, noOffset, unix.RWF_NOWAIT)
		switch errno {
		case unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL, unix.EPERM: // an old kernel, or seccomp
			o.method = careful
			return o.writeSome(b)
		}
	case send:
		n, _, errno = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(o.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	case nonBlocking:
		n, _, errno = unix.RawSyscall(unix.SYS_WRITE, uintptr(o.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	case careful:
		if o.poll() == 0 {
			return 0, unix.EAGAIN
		}
		return unix.Write(o.fd, b[:min(len(b), pipeBuf)])
	default:
		return unix.Write(o.fd, b)
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// isStalled reports whether the output takes nothing. A terminal that has room for one
// byte is writable by poll(2), and refuses a newline, which takes two (ONLCR).
func (o *Output) isStalled() bool {
	return o.poll() != unix.POLLOUT || o.ownTerminal && o.refused.Load()
}

// poll returns the state of the output (poll(2)), 0 if it is full.
func (o *Output) poll() int16 {
	fds := []unix.PollFd{{Fd: int32(o.fd), Events: unix.POLLOUT}}
	if _, err := unix.Poll(fds, 0); err != nil {
		return 0 // EINTR
	}
	return fds[0].Revents
}
