package cluster

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// maxCopies is how many servers a worker may have that are the same to a query.
const maxCopies = 16

// A request is a queryServer message: a worker asks for a server.
type request struct {
	worker  *Worker
	message message
	sender  unix.Ucred // whose rights decide
}

// answer sends the worker the server, or why it gets none.
func (r *request) answer() {
	w, p := r.worker, r.worker.primary
	s, err := r.server()
	if err != nil {
		if !r.bindPrivileged(err) {
			r.refuse(err)
		}
		return
	}
	fd, none := -1, (*int)(nil)
	if s.balance != RR {
		shared := s.listener.fd
		if s.balance.perSlot() {
			shared = s.group.fds[w.Slot]
		}
		if fd, err = unix.FcntlInt(uintptr(shared), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			s.removeWorker(w)
			r.refuse(err)
			return
		}
		none = new(int) // as from Node: lib/net.js, checkBindError, looks at the port only if it is 0
	}
	w.servers[s.key] = s
	s.reservedSlots.remove(w.Slot)
	w.state.Servers = len(w.servers)
	p.updateAwaited(w.Slot)
	w.publish()
	p.limitReservations(w.Slot)
	w.reply(reply{Ack: r.message.seq(), Errno: none, Key: s.key, Data: s.data, Sockname: s.name}, s.query.family, fd)
	p.dispatchPending = true // connections may have waited for a worker
}

// refuse sends the worker an error. One that is due to nodeinit's own rights or
// limits is in State.Refused too.
func (r *request) refuse(err error) {
	w, code := r.worker, errno(err)
	w.reply(reply{Ack: r.message.seq(), Errno: &code}, tcp, -1)
	refused := Refusal{Where: r.message.where(), Error: err.Error()}
	switch {
	case w.state.Refused.Where != "":
		return
	case errors.Is(err, unix.EMFILE):
		refused.Try = "more descriptors (ulimit -n, docker run --ulimit nofile): each server of the workers is one of nodeinit's"
	case errors.Is(err, unix.EACCES) && r.couldBind():
		refused.Try = "setcap cap_net_bind_service=+ep on nodeinit too, or net.ipv4.ip_unprivileged_port_start=0: nodeinit binds the ports of the workers"
	default:
		return
	}
	w.state.Refused = refused
	w.publish()
}

// couldBind reports whether the request is for a low port that the worker could
// bind itself, and nodeinit cannot.
func (r *request) couldBind() bool {
	if port := r.message.int("port", 0); port <= 0 || port > 1023 {
		return false
	}
	theirs, own := identityOf(r.sender), &identity{pid: os.Getpid(), uid: os.Getuid(), gid: os.Getgid()}
	theirs.readProc()
	own.readProc()
	return theirs.bindsPrivileged && !own.bindsPrivileged
}

// server returns the server that is asked for, with the worker added.
func (r *request) server() (*server, error) {
	w, p := r.worker, r.worker.primary
	q, err := r.message.query()
	if err != nil {
		return nil, err
	}
	q.as = identityOf(r.sender)
	if q.family == pipe || !q.as.trusted {
		q.as.readProc()
	}
	s, err := r.find(&q)
	if s != nil && s.closing {
		s = p.reopen(s)
	}
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		s, err = p.newServer(q)
	case !q.mayShare(s):
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
	if s.data == nil || s.data.IsNull() {
		s.data = q.data
	}
	return s, nil
}

// find returns the server that exists for q, nil if it is to be made with q. It is
// none that the worker has already: where the kernel binds the same address again, as
// for datagrams with SO_REUSEADDR or where the file of a Unix socket is gone, that is
// another server, told apart by q.copy. Of two with one path it is the one whose file
// is there.
func (r *request) find(q *query) (*server, error) {
	var without *server
	free := -1
	for q.copy = range maxCopies {
		s := r.worker.primary.servers[q.id()]
		switch {
		case s == nil:
			if free < 0 {
				free = q.copy
			}
		case r.worker.servers[s.key] == s && q.fd >= 0:
			return nil, unix.EEXIST // uv_tcp_open, uv_udp_open
		case r.worker.servers[s.key] == s:
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

// mayShare reports whether s is of the user that asks for q, or one that this user
// could have made.
func (q query) mayShare(s *server) bool {
	switch {
	case q.as.trusted, !s.query.as.trusted && s.query.as.uid == q.as.uid, q.fd >= 0:
		return true
	case q.family == pipe:
		return false
	}
	fd, _, err := s.primary.listen(q, exclusive)
	closeFD(fd)
	return !errors.Is(err, unix.EACCES) // the kernel checks the right before the port
}
