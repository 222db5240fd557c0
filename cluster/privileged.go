package cluster

import (
	"errors"

	"golang.org/x/sys/unix"
)

// A PrivilegedPort is one that nodeinit may not bind and a worker may: the worker's
// executable has CAP_NET_BIND_SERVICE (setcap), and nodeinit's has not.
type PrivilegedPort struct {
	Host     string // "" for any
	Port     int
	IPv6Only bool
	Backlog  int
}

// A privilegedBind is a call of Primary.BindPrivileged.
type privilegedBind struct {
	fd      int // its result, -1 until it is there
	waiters []func(err error)
}

// privilegedBinds are the calls in progress, by query.id.
type privilegedBinds map[string]*privilegedBind

// take returns the socket that was bound for q, -1 if none was.
func (b privilegedBinds) take(q query) int {
	bind := b[q.id()]
	if bind == nil {
		return -1
	}
	fd := bind.fd
	bind.fd = -1
	return fd
}

// finish calls the waiters of a call that has returned. One of them takes fd.
func (b privilegedBinds) finish(id string, fd int, err error) {
	bind := b[id]
	if err == nil {
		bind.fd = fd
	}
	for _, next := range bind.waiters {
		next(err)
	}
	delete(b, id)
	closeFD(bind.fd)
}

// bindPrivileged calls Primary.BindPrivileged for a request that failed with err, and
// answers the request after that. It reports whether it does.
func (r *request) bindPrivileged(err error) bool {
	p := r.worker.primary
	q, invalid := r.message.query()
	if p.BindPrivileged == nil || invalid != nil || !errors.Is(err, unix.EACCES) || q.family != tcp || q.fd >= 0 || !r.couldBind() {
		return false
	}
	next := func(err error) {
		switch {
		case r.worker.channel.closed():
		case err != nil:
			r.refuse(err)
		default:
			r.answer()
		}
	}
	id := q.id()
	if bind := p.privileged[id]; bind != nil {
		bind.waiters = append(bind.waiters, next)
		return true
	}
	p.privileged[id] = &privilegedBind{fd: -1, waiters: []func(error){next}}
	port := PrivilegedPort{Host: q.address, Port: int(q.port), IPv6Only: q.flags&flagIPv6Only != 0, Backlog: q.backlog}
	go func() {
		fd, err := p.BindPrivileged(port)
		p.inbox.post(func() { p.privileged.finish(id, fd, err) })
	}()
	return true
}
