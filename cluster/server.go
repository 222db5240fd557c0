package cluster

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// maxServers is how many servers one worker may have: each costs the primary
// descriptors that others need too.
const maxServers = 256

// A server is one that workers share: what they asked for with the same query.
type server struct {
	primary *Primary
	query   query
	balance Balance // not always the primary's; see Balance
	key     string  // what the workers know it by
	data    json.RawMessage
	name    *sockname
	where   string       // what a log calls it
	anyPort bool         // it was asked for on port 0
	holders []*Worker    // in turn: who has had a connection is the last
	kept    reservations // of slots whose next worker is to ask for it

	fd      int         // the socket, -1 where each slot has its own
	slots   map[int]int // those
	members []member    // and in the order of the kernel; see steer.go
	steered bool        // the kernel does not choose by itself

	finishing bool      // no more connections are to come; see finish.go
	endAt     time.Time // when the socket of rr is to be closed then; zero: never, or done
	gone      bool      // closed

	// Of rr; see roundrobin.go.
	token    int32
	more     bool       // there may be connections to accept
	homeless []handover // accepted, but nobody took them
}

// asked answers a query of w.
func (p *Primary) asked(w *Worker, m *message) {
	s, err := p.serverFor(w, m)
	if err != nil {
		code := errno(err)
		w.tell(reply{Ack: m.Seq, Errno: &code}, tcp, -1)
		return
	}
	fd := s.socketOf(w.Slot)
	if s.balance != RR {
		if fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			code := errno(err)
			s.leave(w)
			w.tell(reply{Ack: m.Seq, Errno: &code}, tcp, -1)
			return
		}
	} else {
		fd = -1
	}
	w.holds[s.key] = s
	s.kept.claim(w.Slot)
	w.state.Servers = len(w.holds)
	p.reckon(w.Slot)
	p.publish(w)
	p.listens(w.Slot)
	w.tell(reply{Ack: m.Seq, Key: s.key, Data: s.data, Sockname: s.name}, s.query.family, fd)
	p.work = true // what has waited for a worker
}

// tell sends an answer, along with fd unless that is -1.
func (w *Worker) tell(r reply, with family, fd int) {
	r.Cmd, r.Seq = "NODE_CLUSTER", w.seq
	w.seq++
	frame := encode(r, with, fd >= 0)
	if fd < 0 {
		w.say(frame)
		return
	}
	w.sent(-1 - r.Ack)
	w.send(frame, fd)
}

// serverFor returns the server that m asks for, with w among its holders.
func (p *Primary) serverFor(w *Worker, m *message) (*server, error) {
	q, err := m.query()
	if err != nil {
		return nil, err
	}
	id := q.identity()
	s := p.servers[id]
	if s != nil && s.finishing && w.holds[s.key] != s {
		s = p.resume(id, s)
	}
	switch {
	case s != nil && w.holds[s.key] == s:
		// The worker would fail an assertion on a key that it has.
		return nil, unix.EADDRINUSE
	case len(w.holds) >= maxServers:
		return nil, unix.EMFILE
	case s == nil:
		if s, err = p.newServer(q); err != nil {
			return nil, err
		}
		p.servers[id] = s
	}
	if err := s.join(w); err != nil {
		s.leave(w)
		return nil, err
	}
	if string(s.data) == "null" || len(s.data) == 0 {
		s.data = q.data
	}
	return s, nil
}

func (p *Primary) newServer(q query) (*server, error) {
	p.lastKey++
	s := &server{
		primary: p, query: q, balance: p.balanceFor(q), key: strconv.Itoa(p.lastKey),
		where: q.where(), anyPort: q.port == 0 && q.fd < 0,
		fd: -1, kept: make(reservations), slots: make(map[int]int),
	}
	if s.perSlot() {
		return s, nil
	}
	fd, err := q.listen(alone)
	if err != nil {
		return nil, err
	}
	s.fd, s.name = fd, nameOf(fd)
	if s.balance != RR {
		return s, nil
	}
	// Once for each arrival, so that a backlog that nobody can take wakes nobody.
	if s.token, err = p.poll.add(fd, unix.EPOLLIN|unix.EPOLLET, s); err != nil {
		_ = unix.Close(fd)
		return nil, unix.ENOMEM
	}
	return s, nil
}

// balanceFor returns how connections to q are balanced: as asked for, where
// that can be.
func (p *Primary) balanceFor(q query) Balance {
	datagrams := q.family == udp4 || q.family == udp6
	kernel := p.balance == ReusePort || p.balance == IPHash
	switch {
	case datagrams && p.balance == RR: // there is nothing to hand over
		return Shared
	case kernel && (q.family == pipe || q.fd >= 0): // there is but one socket
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

// join adds w to the holders; its slot has a socket after that.
func (s *server) join(w *Worker) error {
	s.holders = append(s.holders, w)
	if _, there := s.slots[w.Slot]; there || !s.perSlot() {
		return nil
	}
	g := further
	if len(s.slots) == 0 {
		g = first
	}
	fd, err := s.query.listen(g)
	if err != nil {
		return err
	}
	s.slots[w.Slot] = fd
	s.members = append(s.members, member{slot: w.Slot})
	if s.name == nil {
		if s.name = nameOf(fd); s.name != nil {
			s.query.port = int64(s.name.Port) // of all slots, where any was asked for
		}
	}
	return s.steer()
}

// leave takes w out. What its slot has stays open if another worker of the slot
// has it too, or is to have it.
func (s *server) leave(w *Worker) {
	s.holders = slices.DeleteFunc(s.holders, func(h *Worker) bool { return h == w })
	if !s.kept.has(w.Slot) && !s.heldIn(w.Slot) {
		s.drop(w.Slot)
	}
}

// heldIn reports whether a worker of slot has s.
func (s *server) heldIn(slot int) bool {
	return slices.ContainsFunc(s.holders, func(h *Worker) bool { return h.Slot == slot })
}

// drop closes what a slot has of s, and all of it if nobody else has any.
func (s *server) drop(slot int) {
	s.kept.claim(slot)
	if fd, there := s.slots[slot]; there {
		delete(s.slots, slot)
		_ = unix.Close(fd)
		if i := s.memberOf(slot); i >= 0 {
			s.removeMember(i)
			_ = s.steer()
		}
	}
	if len(s.holders) == 0 && len(s.kept) == 0 {
		s.close()
	}
}

func (s *server) close() {
	for _, h := range s.homeless {
		_ = unix.Close(h.fd)
	}
	for _, fd := range s.slots {
		_ = unix.Close(fd)
	}
	s.closeSocket()
	s.slots, s.homeless, s.gone = nil, nil, true
	for id, other := range s.primary.servers {
		if other == s {
			delete(s.primary.servers, id)
		}
	}
}

func (s *server) closeSocket() {
	s.endAt, s.more = time.Time{}, false
	if s.fd < 0 {
		return
	}
	if s.token != 0 {
		s.primary.poll.remove(s.fd, s.token)
	}
	_ = unix.Close(s.fd)
	s.fd = -1
	if !s.finishing {
		s.query.unlink()
	}
}
