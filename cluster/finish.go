package cluster

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// lastArrivals is for how long a server that is to go takes what comes of
// handshakes that have begun. The agent closes listening sockets as late
// (node/preload/agent.js, lookEvery).
const lastArrivals = 100 * time.Millisecond

// lastTaken is for how long after that they wait for memory or descriptors.
const lastTaken = time.Second

// retire takes w out of rotation.
func (w *Worker) retire(replaced bool) {
	if w.retired {
		return
	}
	w.retired, w.replaced = true, true
	for _, s := range w.holds {
		inSlot := s.isFor(func(other *Worker) bool { return other.Slot == w.Slot })
		if replaced && !inSlot {
			s.reserve(w.Slot, true)
		}
		s.letGo(w)
	}
	w.primary.reckon(w.Slot)
}

// letGo is called when w is to get no more connections to s. What nobody else is
// to take has to come to an end without losing what is on its way.
func (s *server) letGo(w *Worker) {
	switch {
	case s.isFor(func(other *Worker) bool { return s.perSlot() && other.Slot != w.Slot }):
		if !s.isFor(func(other *Worker) bool { return other.Slot == w.Slot }) {
			s.part(w.Slot, w)
		}
	case !s.isFor(func(*Worker) bool { return true }):
		s.finish()
	}
}

// isFor reports whether one of those whom s is for takes connections, or is
// still to come.
func (s *server) isFor(which func(*Worker) bool) bool {
	for _, h := range s.holders {
		if !h.retired && which(h) {
			return true
		}
	}
	for slot := range s.kept {
		if which(&Worker{Slot: slot}) {
			return true
		}
	}
	return false
}

// finish ends s without losing connections that have come. With rr they go to the
// holders, though these are to leave. Else the holders close the socket when
// nothing waits in it, and nodeinit must have closed it before. (A filter that
// drops SYNs would lose none at all, but needs CAP_NET_ADMIN by now, as seen with
// Linux 6.18; and clients would wait for seconds instead of being refused.)
func (s *server) finish() {
	if s.finishing || s.query.fd >= 0 { // a socket that was passed in may be others' too
		return
	}
	s.finishing = true
	s.file.remove()
	s.file = nil
	for _, fd := range s.slots {
		_ = unix.Close(fd)
	}
	clear(s.slots)
	switch {
	case s.balance == RR:
		s.endAt = time.Now().Add(lastArrivals)
		s.primary.poll.tickIn(lastArrivals)
		s.more, s.primary.work = true, true
	case s.fd >= 0:
		s.closeSocket()
	}
}

// resume has s, which is to go, stay for who asks for it now. Where its socket is
// closed already it returns nil: it goes, and there is to be another of its name.
func (p *Primary) resume(s *server) *server {
	if !s.endAt.IsZero() && s.query.family != pipe { // the file of a pipe is gone
		s.finishing, s.endAt = false, time.Time{}
		return s
	}
	delete(p.servers, s.id)
	s.id = "finishing " + s.key
	p.servers[s.id] = s
	return nil
}

// endArrivals closes a socket of rr when its time is up and nothing waits in it:
// nodeinit holds what its workers are too busy to take. Under load there is always
// one that is.
func (s *server) endArrivals(now time.Time) {
	switch {
	case s.endAt.IsZero():
	case now.Before(s.endAt):
		s.primary.poll.tickIn(s.endAt.Sub(now))
	case s.acceptAll() || now.After(s.endAt.Add(lastTaken)):
		s.closeSocket()
	default:
		s.primary.poll.tickIn(retryDelay)
	}
}

// acceptAll accepts all that waits, for whoever can take it, and reports whether
// nothing does any more.
func (s *server) acceptAll() bool {
	for {
		fd, err := s.acceptNext()
		switch {
		case err == nil:
			s.homeless = append(s.homeless, handover{fd: fd, server: s})
		case errors.Is(err, unix.EAGAIN):
			return true
		case !ownTrouble(err):
			return false
		}
	}
}

// last reports whether w has a socket that nobody else will accept from.
func (w *Worker) last() bool {
	if w.forkMode {
		return true
	}
	for _, s := range w.holds {
		if s.finishing || slices.ContainsFunc(s.members, func(m member) bool { return m.leaver == w }) {
			return true
		}
	}
	return false
}

// arriving reports whether w may still get connections though it is to leave.
func (w *Worker) arriving() bool {
	if len(w.pending) > 0 {
		return true
	}
	for _, s := range w.holds {
		if !s.endAt.IsZero() || s.finishing && len(s.homeless) > 0 {
			return true
		}
	}
	return false
}
