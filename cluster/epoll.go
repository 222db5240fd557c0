package cluster

import (
	"errors"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A eventHandler is something that the poller waits for.
type eventHandler interface {
	// onEvents is called with the events (epoll_ctl(2)) that are there.
	onEvents(events uint32)
}

// A poller is a loop around epoll. Go's own would wake a goroutine for each
// descriptor, which costs more than passing a connection does.
type poller struct {
	fd      int
	file    *os.File // fd, for Go's own poller to wait for
	sources map[int32]eventHandler
	last    int32
	events  [64]unix.EpollEvent
	tick    func()    // called at
	tickAt  time.Time // if that is not zero

	mu      sync.Mutex // so that nobody writes to a number that is another's by now
	eventfd int        // -1 once closed
}

func (p *poller) open() (err error) {
	p.sources = make(map[int32]eventHandler)
	if p.fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if p.eventfd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		_ = unix.Close(p.fd)
		return os.NewSyscallError("eventfd", err)
	}
	_ = unix.SetNonblock(p.fd, true) // for NewFile to see that it can be waited for
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

// add has s called when events happen to fd. The token that it returns is never
// given again, so an event that is under way when fd is closed, and its number
// taken by another, reaches nobody.
func (p *poller) add(fd int, events uint32, s eventHandler) (token int32, err error) {
	p.last++
	event := unix.EpollEvent{Events: events, Fd: p.last}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return 0, os.NewSyscallError("epoll_ctl", err)
	}
	p.sources[p.last] = s
	return p.last, nil
}

// change sets the events that are waited for.
func (p *poller) change(fd int, token int32, events uint32) {
	event := unix.EpollEvent{Events: events, Fd: token}
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &event) // fails for none that add took
}

// remove forgets fd, which must still be open: descriptors that were passed on
// keep an open file in the set after it is closed here (epoll(7), question 6).
func (p *poller) remove(fd int, token int32) {
	delete(p.sources, token)
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil)
}

// wake makes wait return. It may be called by any goroutine.
func (p *poller) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := [8]byte{0: 1}
	// Full: it is awake already.
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(p.eventfd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
}

// onEvents empties the eventfd.
func (p *poller) onEvents(uint32) {
	var count [8]byte
	_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(p.eventfd), uintptr(unsafe.Pointer(&count)), unsafe.Sizeof(count))
}

// tickIn has tick called from wait in d at the latest.
func (p *poller) tickIn(d time.Duration) {
	if at := time.Now().Add(d); p.tickAt.IsZero() || at.Before(p.tickAt) {
		p.tickAt = at
	}
}

// wait waits until something happens and calls those whom it concerns.
func (p *poller) wait() error {
	n, err := p.waitEvents()
	if err != nil && !errors.Is(err, unix.EINTR) {
		return os.NewSyscallError("epoll_wait", err)
	}
	for i := range max(n, 0) {
		event := &p.events[i]
		if s, ok := p.sources[event.Fd]; ok {
			s.onEvents(event.Events)
		}
	}
	if !p.tickAt.IsZero() && !time.Now().Before(p.tickAt) {
		p.tickAt = time.Time{}
		p.tick()
	}
	return nil
}

// waitEvents waits for a moment without telling Go's runtime, and only then so
// that it knows. To the runtime a system call that takes more than 20 us is a
// processor to be given away, and had back again, at the cost of a connection.
// Under load there is always something within that moment.
func (p *poller) waitEvents() (int, error) {
	const moment = 1 // ms
	patience := p.timeout()
	short := moment
	if patience >= 0 {
		short = min(patience, moment)
	}
	n, err := p.epollPwait(short)
	if n != 0 || err != nil || patience == short {
		return n, err
	}
	return p.park(patience)
}

// epollPwait is epoll_wait(2) with Go's runtime in the belief that this is no system
// call.
func (p *poller) epollPwait(timeout int) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(timeout), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// park waits as a goroutine and not as a thread: an epoll is a descriptor that
// another one, that of Go's runtime, can wait for (epoll(7)).
func (p *poller) park(patience int) (n int, err error) {
	var deadline time.Time
	if patience >= 0 {
		deadline = time.Now().Add(time.Duration(patience) * time.Millisecond)
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

// timeout is how long epoll_wait may take, in ms, -1 for ever.
func (p *poller) timeout() int {
	if p.tickAt.IsZero() {
		return -1
	}
	return int(max(time.Until(p.tickAt)+time.Millisecond-1, 0) / time.Millisecond)
}
