package logs

import (
	"errors"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

var errNoEpoll = errors.New("no epoll")

// A waiter waits until a descriptor is writable. The goroutine waits, and no thread: an
// epoll is a descriptor that Go's own epoll can wait for (epoll(7)). Go's epoll cannot
// have the descriptor itself unless that is non-blocking, for the processes that share it
// too; and it would wake this process each time that somebody reads.
type waiter struct {
	fd    int
	epoll *os.File        // has only fd
	conn  syscall.RawConn // of epoll; nil if there is none
	added bool
	armed bool
	err   error
	check func(epfd uintptr) bool // w.isReady
}

func newWaiter(fd int) *waiter {
	w := &waiter{fd: fd}
	w.check = w.isReady
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return w
	}
	_ = unix.SetNonblock(epfd, true) // so that NewFile adds it to Go's poller
	w.epoll = os.NewFile(uintptr(epfd), "epoll")
	w.conn, _ = w.epoll.SyscallConn() // fails for a nil File
	return w
}

// wait waits until fd is writable, or has no reader.
func (w *waiter) wait() error {
	if w.conn == nil {
		return errNoEpoll
	}
	w.armed, w.err = false, nil
	return errors.Join(w.conn.Read(w.check), w.err)
}

// isReady asks for one event, the first time, and then reports whether it has come.
func (w *waiter) isReady(epfd uintptr) bool {
	event := unix.EpollEvent{Events: unix.EPOLLOUT | unix.EPOLLONESHOT}
	if w.armed {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, epfd, uintptr(unsafe.Pointer(&event)), 1, 0, 0, 0)
		return n != 0 && errno == 0
	}
	op := unix.EPOLL_CTL_MOD
	if !w.added {
		op = unix.EPOLL_CTL_ADD
	}
	w.err = unix.EpollCtl(int(epfd), op, w.fd, &event)
	w.added, w.armed = w.err == nil, true
	return w.err != nil
}
