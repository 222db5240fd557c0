package cluster

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A server is one that workers share: what they asked for with the same query.
type server struct {
	primary       *Primary
	id            string // what it is called in Primary.servers
	query         query
	balance       Balance // not always the primary's; see Balance
	key           string  // what the workers know it by
	data          json.RawMessage
	name          *sockname
	where         string       // what a log calls it
	anyPort       bool         // it was asked for on port 0
	workers       []*Worker    // in turn: who has had a connection is the last
	reservedSlots reservations // of slots whose next worker is to ask for it

	fd          int           // the socket, -1 where each slot has its own
	file        *socketFile   // of a Unix socket
	former      []former      // sockets of files that are gone; see unix.go
	slots       map[int]int   // those
	group       []groupSocket // and in the order of the kernel; see steer.go
	bpfAttached bool          // the kernel does not choose by itself

	closing bool      // no more connections are to come; see finish.go
	closeAt time.Time // when the socket of rr is to be closed then; zero: never, or done
	gone    bool      // closed

	// Of rr; see roundrobin.go.
	token         int32
	acceptPending bool       // there may be connections to accept
	undelivered   []handover // accepted, but nobody took them
}

// newServer makes the server that q asks for.
func (p *Primary) newServer(q query) (*server, error) {
	p.lastKey++
	s := &server{
		primary: p, id: q.id(), query: q, balance: p.balanceFor(q), key: strconv.Itoa(p.lastKey),
		where: q.where(), anyPort: q.port == 0 && q.fd < 0,
		fd: -1, reservedSlots: make(reservations), slots: make(map[int]int),
	}
	if !s.perSlot() {
		if err := s.open(q); err != nil {
			return nil, err
		}
		s.name = nameOf(s.fd)
	}
	p.servers[s.id] = s
	return s, nil
}

// open makes the socket of all slots.
func (s *server) open(q query) error {
	fd, file, err := s.primary.listen(q, exclusive)
	if err != nil {
		return err
	}
	var token int32
	if s.balance == RR {
		// Once for each arrival, so that a backlog that nobody can take wakes nobody.
		if token, err = s.primary.poller.add(fd, unix.EPOLLIN|unix.EPOLLET, s); err != nil {
			_ = unix.Close(fd)
			file.remove()
			return unix.ENOMEM
		}
	}
	s.fd, s.token, s.file = fd, token, file
	return nil
}

// balanceFor returns how connections to q are balanced: as asked for, where
// that can be.
func (p *Primary) balanceFor(q query) Balance {
	datagrams := q.family == udp4 || q.family == udp6
	kernel := p.balance == ReusePort || p.balance == IPHash
	switch {
	case q.family == pipe: // a worker that removes the file takes it away from the others' sockets
		return RR
	case datagrams && (p.balance == RR || q.copy > 0): // there is nothing to hand over; the group is another's
		return Shared
	case kernel && (q.fd >= 0 || p.privileged[q.id()] != nil): // there is but one socket
		return Shared
	default:
		return p.balance
	}
}

func (s *server) perSlot() bool { return s.balance == ReusePort || s.balance == IPHash }

func (s *server) socketOf(slot int) int {
	if s.perSlot() {
		return s.slots[slot]
	}
	return s.fd
}

// addWorker adds w to the holders; its slot has a socket after that.
func (s *server) addWorker(w *Worker) error {
	s.workers = append(s.workers, w)
	if _, there := s.slots[w.Slot]; there || !s.perSlot() {
		return nil
	}
	g := groupMember
	if len(s.slots) == 0 {
		g = groupFirst
	}
	fd, _, err := s.primary.listen(s.query, g)
	if err != nil {
		return err
	}
	s.slots[w.Slot] = fd
	s.group = append(s.group, groupSocket{slot: w.Slot})
	if s.name == nil {
		if s.name = nameOf(fd); s.name != nil {
			s.query.port = int64(s.name.Port) // of all slots, where any was asked for
		}
	}
	return s.updateSelector()
}

// removeWorker takes w out. What its slot has stays open if another worker of the slot
// has it too, or is to have it.
func (s *server) removeWorker(w *Worker) {
	s.workers = slices.DeleteFunc(s.workers, func(h *Worker) bool { return h == w })
	if !s.reservedSlots.has(w.Slot) && !s.hasWorker(w.Slot) {
		s.releaseSlot(w.Slot)
	}
}

// hasWorker reports whether a worker of slot has s.
func (s *server) hasWorker(slot int) bool {
	return slices.ContainsFunc(s.workers, func(h *Worker) bool { return h.Slot == slot })
}

// releaseSlot closes what a slot has of s, and all of it if nobody else has any.
func (s *server) releaseSlot(slot int) {
	s.reservedSlots.remove(slot)
	if fd, there := s.slots[slot]; there {
		delete(s.slots, slot)
		_ = unix.Close(fd)
		if i := s.groupIndex(slot); i >= 0 {
			s.removeGroupSocket(i)
			_ = s.updateSelector()
		}
	}
	if len(s.workers) == 0 && len(s.reservedSlots) == 0 {
		s.close()
	}
}

func (s *server) close() {
	for _, h := range s.undelivered {
		closeConnection(h.fd)
	}
	for _, fd := range s.slots {
		_ = unix.Close(fd)
	}
	s.closeSocket()
	s.slots, s.undelivered, s.gone = nil, nil, true
	if s.primary.servers[s.id] == s {
		delete(s.primary.servers, s.id)
	}
}

func (s *server) closeSocket() {
	s.closeAt, s.acceptPending = time.Time{}, false
	if s.fd < 0 {
		return
	}
	for _, f := range s.former {
		s.closeFormer(f)
	}
	if s.token != 0 {
		s.primary.poller.remove(s.fd, s.token)
	}
	_ = unix.Close(s.fd)
	s.fd, s.former = -1, nil
	s.file.remove()
	s.file = nil
}
