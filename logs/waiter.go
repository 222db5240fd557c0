package logs

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pollEvery is the interval at which an output is tried that epoll refuses.
const pollEvery = 10 * time.Millisecond

// A waiter waits until a descriptor is writable. The goroutine waits, and no thread: an
// epoll is a descriptor that Go's own epoll can wait for (epoll(7)). Go's epoll cannot
// have the descriptor itself: for that it has to be non-blocking, and would be for the
// processes that share it too.
type waiter struct {
	fd  int
	try func() bool // writes, and reports whether there is nothing left to wait for

	file  *os.File // the epoll; nil until it is needed
	epfd  int
	conn  syscall.RawConn
	event unix.EpollEvent    // a field, as again is: a flood waits often, and would make garbage
	again func(uintptr) bool // try, for conn
}

// wait calls try until it returns true: again each time that room has been made in fd,
// which must have been full when try returned false.
func (w *waiter) wait() {
	if w.waitForRoom() == nil {
		return
	}
	for !w.try() {
		<-time.After(pollEvery)
	}
}

func (w *waiter) waitForRoom() error {
	if err := w.open(); err != nil {
		return err
	}
	w.event = unix.EpollEvent{Events: unix.EPOLLOUT}
	if err := unix.EpollCtl(w.epfd, unix.EPOLL_CTL_ADD, w.fd, &w.event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	// Go waits for edges, and those of fd come through to it although nobody takes them
	// from the epoll between. It would be woken by others that write to fd, so fd is taken
	// out again.
	err := w.conn.Read(w.again)
	_ = unix.EpollCtl(w.epfd, unix.EPOLL_CTL_DEL, w.fd, nil)
	return err
}

func (w *waiter) open() (err error) {
	if w.file != nil {
		return nil
	}
	if w.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	_ = unix.SetNonblock(w.epfd, true) // so that NewFile adds it to Go's poller
	w.file = os.NewFile(uintptr(w.epfd), "epoll")
	w.again = func(uintptr) bool { return w.try() }
	w.conn, err = w.file.SyscallConn()
	return err
}
