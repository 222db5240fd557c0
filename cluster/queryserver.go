package cluster

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// onQueryServer answers a query of w.
func (p *Primary) onQueryServer(w *Worker, m *message) {
	s, err := p.serverFor(w, m)
	if err != nil {
		if !p.bindPrivileged(w, m, err) {
			w.refuse(m, err)
		}
		return
	}
	fd, none := -1, (*int)(nil)
	if s.balance != RR {
		if fd, err = unix.FcntlInt(uintptr(s.socketOf(w.Slot)), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			s.removeWorker(w)
			w.refuse(m, err)
			return
		}
		none = new(int) // what Node has there: lib/net.js, checkBindError, looks at the port only if it is 0
	}
	w.servers[s.key] = s
	s.reservedSlots.remove(w.Slot)
	w.state.Servers = len(w.servers)
	p.updateAwaited(w.Slot)
	p.publish(w)
	p.limitReservations(w.Slot)
	w.reply(reply{Ack: m.Seq, Errno: none, Key: s.key, Data: s.data, Sockname: s.name}, s.query.family, fd)
	p.dispatchPending = true // what has waited for a worker
}

// refuse answers a query with an error. What is nodeinit's own trouble, and not
// that of any program with the rights of the worker, is told.
func (w *Worker) refuse(m *message, err error) {
	code := errno(err)
	w.reply(reply{Ack: m.Seq, Errno: &code}, tcp, -1)
	r := Refusal{Where: m.where(), Error: err.Error()}
	switch {
	case w.state.Refused.Where != "":
		return
	case errors.Is(err, unix.EMFILE):
		r.Try = "more descriptors (ulimit -n, docker run --ulimit nofile): each server of the workers is one of nodeinit's"
	case errors.Is(err, unix.EACCES) && w.couldBind(m):
		r.Try = "setcap cap_net_bind_service=+ep on nodeinit too, or net.ipv4.ip_unprivileged_port_start=0: nodeinit binds the ports of the workers"
	default:
		return
	}
	w.state.Refused = r
	w.primary.publish(w)
}

// couldBind reports whether m is about a low port that the worker could bind
// itself, as nodeinit cannot.
func (w *Worker) couldBind(m *message) bool {
	if port := number(m.Port, 0); port <= 0 || port > 1023 {
		return false
	}
	theirs, own := identityOf(w.sender), &identity{pid: os.Getpid(), uid: os.Getuid(), gid: os.Getgid()}
	theirs.readProc()
	own.readProc()
	return theirs.bindsPrivileged && !own.bindsPrivileged
}

// reply sends an answer, along with fd unless that is -1.
func (w *Worker) reply(r reply, with family, fd int) {
	r.Cmd, r.Seq = "NODE_CLUSTER", w.seq
	w.seq++
	frame := encode(r, with, fd >= 0)
	if fd < 0 {
		w.sendMessage(frame)
		return
	}
	w.trackHandle(-1 - r.Ack)
	w.send(frame, fd)
}

// serverFor returns the server that m asks for, with w among its holders.
func (p *Primary) serverFor(w *Worker, m *message) (*server, error) {
	q, err := m.query()
	if err != nil {
		return nil, err
	}
	q.as = identityOf(w.sender)
	if q.family == pipe || !q.as.trusted {
		q.as.readProc()
	}
	s, err := p.findServer(w, &q)
	if s != nil && s.closing {
		s = p.reopen(s)
	}
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		s, err = p.newServer(q)
	case !s.mayShare(q):
		return nil, unix.EACCES
	case s.pathGone():
		err = s.rebind(q)
	}
	if err != nil {
		return nil, err
	}
	if err := s.addWorker(w); err != nil {
		s.removeWorker(w)
		return nil, err
	}
	if string(s.data) == "null" || len(s.data) == 0 {
		s.data = q.data
	}
	return s, nil
}

// maxCopies is how many servers a worker may have that are the same to a query.
const maxCopies = 16

// findServer returns the server that w asks for with q, nil if it is to be made. What
// w has already it does not mean: where the kernel binds the same once more, as
// for datagrams with SO_REUSEADDR or where the file of a Unix socket is gone, it
// is another server. Of two with one path it is the one whose file is there.
func (p *Primary) findServer(w *Worker, q *query) (*server, error) {
	var without *server
	free := -1
	for q.copy = range maxCopies {
		switch s := p.servers[q.id()]; {
		case s == nil:
			if free < 0 {
				free = q.copy
			}
		case w.servers[s.key] == s && q.fd >= 0:
			return nil, unix.EEXIST // uv_tcp_open, uv_udp_open
		case w.servers[s.key] == s:
		case !s.pathGone():
			return s, nil
		case without == nil:
			without = s
		}
	}
	if q.copy = free; without == nil && free < 0 {
		return nil, unix.EADDRINUSE
	}
	return without, nil
}
