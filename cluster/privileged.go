package cluster

import (
	"errors"

	"golang.org/x/sys/unix"
)

// A PrivilegedPort is a port that nodeinit may not bind, though the workers may: their
// executable has the capability (setcap), and nodeinit's has not.
type PrivilegedPort struct {
	Host     string // "" for any
	Port     int
	IPv6Only bool
	Backlog  int
}

// A privilegedBind is a socket that a process with the rights of the workers binds.
type privilegedBind struct {
	fd      int // -1 until it is there
	waiters []func(err error)
}

// bindPrivileged has Bind make the socket that m asks for, and answers m then. It reports
// whether there is hope of that.
func (p *Primary) bindPrivileged(w *Worker, m *message, err error) bool {
	q, invalid := m.query()
	if p.BindPrivileged == nil || invalid != nil || !errors.Is(err, unix.EACCES) || q.family != tcp || q.fd >= 0 || !w.couldBind(m) {
		return false
	}
	sender, id := w.sender, q.id()
	again := func(err error) {
		w.sender = sender
		switch {
		case w.fd < 0:
		case err != nil:
			w.refuse(m, err)
		default:
			p.onQueryServer(w, m)
		}
	}
	if l := p.privileged[id]; l != nil {
		l.waiters = append(l.waiters, again)
		return true
	}
	l := &privilegedBind{fd: -1, waiters: []func(error){again}}
	p.privileged[id] = l
	low := PrivilegedPort{Host: q.address, Port: int(q.port), IPv6Only: q.flags&flagIPv6Only != 0, Backlog: q.backlog}
	go func() {
		fd, err := p.BindPrivileged(low)
		p.post(func() { p.onPrivilegedBound(id, l, fd, err) })
	}()
	return true
}

// onPrivilegedBound answers those who have waited for a loan.
func (p *Primary) onPrivilegedBound(id string, l *privilegedBind, fd int, err error) {
	if err == nil {
		l.fd = fd
	}
	for _, again := range l.waiters {
		again(err)
	}
	delete(p.privileged, id)
	closeFD(l.fd)
}

// takePrivileged returns the socket that was borrowed for q, -1 if none was.
func (p *Primary) takePrivileged(q query) int {
	l := p.privileged[q.id()]
	if l == nil {
		return -1
	}
	fd := l.fd
	l.fd = -1
	return fd
}
