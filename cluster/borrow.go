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

// A loan is a socket that a process with the rights of the workers binds.
type loan struct {
	fd      int // -1 until it is there
	waiting []func(err error)
}

// borrow has Bind make the socket that m asks for, and answers m then. It reports
// whether there is hope of that.
func (p *Primary) borrow(w *Worker, m *message, err error) bool {
	q, invalid := m.query()
	if p.BindPrivileged == nil || invalid != nil || !errors.Is(err, unix.EACCES) || q.family != tcp || q.fd >= 0 || !w.bindsLow(m) {
		return false
	}
	sender, id := w.sender, q.identity()
	again := func(err error) {
		w.sender = sender
		switch {
		case w.fd < 0:
		case err != nil:
			w.refuse(m, err)
		default:
			p.asked(w, m)
		}
	}
	if l := p.loans[id]; l != nil {
		l.waiting = append(l.waiting, again)
		return true
	}
	l := &loan{fd: -1, waiting: []func(error){again}}
	p.loans[id] = l
	low := PrivilegedPort{Host: q.address, Port: int(q.port), IPv6Only: q.flags&flagIPv6Only != 0, Backlog: q.backlog}
	go func() {
		fd, err := p.BindPrivileged(low)
		p.do(func() { p.lent(id, l, fd, err) })
	}()
	return true
}

// lent answers those who have waited for a loan.
func (p *Primary) lent(id string, l *loan, fd int, err error) {
	if err == nil {
		l.fd = fd
	}
	for _, again := range l.waiting {
		again(err)
	}
	delete(p.loans, id)
	closeFD(l.fd)
}

// take returns the socket that was borrowed for q, -1 if none was.
func (p *Primary) take(q query) int {
	l := p.loans[q.identity()]
	if l == nil {
		return -1
	}
	fd := l.fd
	l.fd = -1
	return fd
}
