package cluster

import (
	"errors"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An eventHandler gets the events of a descriptor.
type eventHandler interface {
	// onEvents is called with the events (epoll_ctl(2)) that have happened.
	onEvents(events uint32)
}

// A poller is an event loop around epoll. Go's own would wake a goroutine for each
// descriptor, which costs more than handing a connection over. Its methods, except wake,
// belong to one goroutine.
type poller struct {
	fd        int
	file      *os.File               // fd, for Go's own poller to wait for
	handlers  map[int32]eventHandler // by token
	lastToken int32
	events    [64]unix.EpollEvent
	tick      func() // set before open; see tickIn
	tickAt    time.Time

	mu      sync.Mutex // guards eventfd: wake must not write to another file with its number
	eventfd int        // -1 once closed
}

func (p *poller) open() (err error) {
	p.handlers = make(map[int32]eventHandler)
	if p.fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if p.eventfd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		_ = unix.Close(p.fd)
		return os.NewSyscallError("eventfd", err)
	}
	_ = unix.SetNonblock(p.fd, true) // so that NewFile adds it to Go's poller
	p.file = os.NewFile(uintptr(p.fd), "epoll")
	_, err = p.add(p.eventfd, unix.EPOLLIN, p)
	return err
}

func (p *poller) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.file.Close()
	_ = unix.Close(p.eventfd)
	p.eventfd = -1
}

// add has h called when events happen on fd. Each token is new, so an event that was
// reported before fd was closed, and its number reused, reaches no handler.
func (p *poller) add(fd int, events uint32, h eventHandler) (token int32, err error) {
	p.lastToken++
	event := unix.EpollEvent{Events: events, Fd: p.lastToken}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return 0, os.NewSyscallError("epoll_ctl", err)
	}
	p.handlers[p.lastToken] = h
	return p.lastToken, nil
}

// change sets the events that are waited for. fd must have been added.
func (p *poller) change(fd int, token int32, events uint32) {
	event := unix.EpollEvent{Events: events, Fd: token}
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &event)
}

// remove removes fd. It must still be open: epoll keeps an open file that has other
// descriptors, such as one in a worker, after fd is closed (epoll(7), question 6).
func (p *poller) remove(fd int, token int32) {
	delete(p.handlers, token)
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil)
}

// wake makes wait return. It may be called by any goroutine.
func (p *poller) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := [8]byte{0: 1}
	// EAGAIN means that it is readable anyway.
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(p.eventfd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
}

// onEvents is called after wake.
func (p *poller) onEvents(uint32) {
	var count [8]byte
	_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(p.eventfd), uintptr(unsafe.Pointer(&count)), unsafe.Sizeof(count))
}

// tickIn has wait call tick once, in d at the latest.
func (p *poller) tickIn(d time.Duration) {
	if at := time.Now().Add(d); p.tickAt.IsZero() || at.Before(p.tickAt) {
		p.tickAt = at
	}
}

// wait waits for events, tick or wake, and calls the handlers.
func (p *poller) wait() error {
	n, err := p.waitEvents()
	if err != nil && !errors.Is(err, unix.EINTR) {
		return os.NewSyscallError("epoll_wait", err)
	}
	for i := range max(n, 0) {
		event := &p.events[i]
		if h, ok := p.handlers[event.Fd]; ok {
			h.onEvents(event.Events)
		}
	}
	if !p.tickAt.IsZero() && !time.Now().Before(p.tickAt) {
		p.tickAt = time.Time{}
		p.tick()
	}
	return nil
}

// waitEvents first waits for a moment without Go's runtime knowing, which under load is
// enough. From a system call of more than 20 us the runtime would take the processor away,
// and to get it back costs as much as a connection.
func (p *poller) waitEvents() (int, error) {
	timeout, short := p.timeout(), 1 // ms
	if timeout >= 0 {
		short = min(timeout, short)
	}
	n, err := p.epollPwait(short)
	if n != 0 || err != nil || timeout == short {
		return n, err
	}
	return p.park(timeout)
}

// epollPwait is epoll_wait(2), of which Go's runtime does not know.
func (p *poller) epollPwait(timeout int) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(timeout), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// park blocks the goroutine and not the thread: an epoll is a descriptor that Go's own
// epoll can wait for (epoll(7)).
func (p *poller) park(timeout int) (n int, err error) {
	var deadline time.Time
	if timeout >= 0 {
		deadline = time.Now().Add(time.Duration(timeout) * time.Millisecond)
	}
	if err := p.file.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	conn, err := p.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	waitErr := conn.Read(func(uintptr) bool {
		n, err = p.epollPwait(0)
		return n != 0 || err != nil
	})
	if err == nil && !errors.Is(waitErr, os.ErrDeadlineExceeded) {
		err = waitErr
	}
	return n, err
}

// timeout returns how long epoll_wait may take, in ms; -1: without limit.
func (p *poller) timeout() int {
	if p.tickAt.IsZero() {
		return -1
	}
	return int(max(time.Until(p.tickAt)+time.Millisecond-1, 0) / time.Millisecond)
}
