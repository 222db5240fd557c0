package cluster

import (
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/rawjson"
)

// A server is what workers get for the same query: they share its sockets.
type server struct {
	primary *Primary
	id      string // key in Primary.servers
	query   query
	balance Balance // not always the primary's; see Balance
	key     string  // key in Worker.servers, and in messages
	data    rawjson.Value
	name    *sockname
	where   string // for logs
	anyPort bool   // it was asked for on port 0

	workers       rotation
	reservedSlots reservations
	listener      listener // of all slots; not with a group
	group         group    // where each slot has a socket

	// Set by closeGracefully.
	closing bool
	closeAt time.Time // when the listener of RR is closed; zero: not yet, or done

	// Of RR; see roundrobin.go.
	acceptPending bool       // there may be connections to accept
	undelivered   []handover // accepted, but no worker has it
	closed        bool
}

// newServer makes the server that q asks for. It has no workers yet.
func (p *Primary) newServer(q query) (*server, error) {
	p.lastKey++
	s := &server{
		primary: p, id: q.id(), query: q, balance: p.balanceFor(q), key: strconv.Itoa(p.lastKey),
		where: q.where(), anyPort: q.port == 0 && q.fd < 0, reservedSlots: make(reservations),
		listener: listener{socket: socket{fd: -1}, poller: &p.poller, inherited: q.fd >= 0},
	}
	s.group = group{byAddress: s.balance == IPHash, fds: make(map[int]int)}
	if !s.balance.perSlot() {
		next, err := s.open(q)
		if err != nil {
			return nil, err
		}
		s.listener.replace(next)
		s.name = nameOf(next.fd)
	}
	p.servers[s.id] = s
	return s, nil
}

// open makes a socket for the listener.
func (s *server) open(q query) (next socket, err error) {
	if next.fd, next.file, err = s.primary.listen(q, exclusive); err != nil {
		return next, err
	}
	if s.balance != RR {
		return next, nil
	}
	// Edge-triggered, so that a backlog that no worker can take causes no wake-ups.
	if next.token, err = s.primary.poller.add(next.fd, unix.EPOLLIN|unix.EPOLLET, s); err != nil {
		_ = unix.Close(next.fd)
		next.file.remove()
		return next, unix.ENOMEM
	}
	return next, nil
}

// balanceFor returns the balance of the server for q: that of the primary where it can
// be had.
func (p *Primary) balanceFor(q query) Balance {
	datagrams := q.family == udp4 || q.family == udp6
	switch {
	case q.family == pipe: // a worker that removes the file takes it away from the others' sockets
		return RR
	case datagrams && (p.balance == RR || q.copy > 0): // no connections to hand over; a second group cannot bind
		return Shared
	case p.balance.perSlot() && (q.fd >= 0 || p.privileged[q.id()] != nil): // there is only one socket
		return Shared
	default:
		return p.balance
	}
}

// pathGone reports whether the path of a Unix socket does not lead to it any more:
// most applications remove what is there before they listen.
func (s *server) pathGone() bool {
	file := s.listener.file
	return file != nil && !s.closing && !file.inPlace()
}

// rebind gives s, whose path is gone, a new socket.
func (s *server) rebind(q query) error {
	next, err := s.open(q)
	if err != nil {
		return err
	}
	s.listener.replace(next)
	s.query.as = q.as
	s.acceptPending, s.primary.dispatchPending = true, true
	return nil
}

// addWorker adds w. In a group, its slot has a socket after that.
func (s *server) addWorker(w *Worker) error {
	s.workers = append(s.workers, w)
	if _, exists := s.group.fds[w.Slot]; exists || !s.balance.perSlot() {
		return nil
	}
	fd, _, err := s.primary.listen(s.query, s.group.next())
	if err != nil {
		return err
	}
	if s.name == nil {
		if s.name = nameOf(fd); s.name != nil {
			s.query.port = int64(s.name.Port) // the next slots bind the same where any was asked for
		}
	}
	if err := s.group.add(w.Slot, fd); err != nil {
		return err
	}
	updatePaused(s)
	return nil
}

// removeWorker removes w, and what its slot has unless another worker of the slot uses
// it or is to use it.
func (s *server) removeWorker(w *Worker) {
	s.workers = slices.DeleteFunc(s.workers, func(other *Worker) bool { return other == w })
	if !s.reservedSlots.has(w.Slot) && !s.workers.has(w.Slot) {
		s.releaseSlot(w.Slot)
	}
	updatePaused(s)
	s.primary.dispatchPending = true // those that are paused may be next
}

// releaseSlot closes what a slot has of s, and s itself if no other slot uses it.
func (s *server) releaseSlot(slot int) {
	s.reservedSlots.remove(slot)
	s.group.remove(slot)
	if len(s.workers) == 0 && len(s.reservedSlots) == 0 {
		s.close()
	}
}

func (s *server) close() {
	for _, h := range s.undelivered {
		closeConnection(h.fd)
	}
	s.group.close()
	s.closeListener()
	s.undelivered, s.closed = nil, true
	if s.primary.servers[s.id] == s {
		delete(s.primary.servers, s.id)
	}
}

func (s *server) closeListener() {
	s.closeAt, s.acceptPending = time.Time{}, false
	s.listener.close()
}
