package cluster

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// closeDelay is for how long a server that is to go takes what comes of
// handshakes that have begun. The agent closes listening sockets as late
// (node/preload/agent.js, lookEvery).
const closeDelay = 100 * time.Millisecond

// closeRetryLimit is for how long after that they wait for memory or descriptors.
const closeRetryLimit = time.Second

// stopConnections takes w out of rotation.
func (w *Worker) stopConnections(replaced bool) {
	if w.outOfRotation {
		return
	}
	w.outOfRotation, w.replaced = true, true
	for _, s := range w.servers {
		inSlot := s.hasAcceptor(func(other *Worker) bool { return other.Slot == w.Slot })
		if replaced && !inSlot {
			s.reserve(w.Slot, true)
		}
		s.removeFromRotation(w)
	}
	w.primary.updateAwaited(w.Slot)
}

// removeFromRotation is called when w is to get no more connections to s. What nobody else is
// to take has to come to an end without losing what is on its way.
func (s *server) removeFromRotation(w *Worker) {
	switch {
	case s.hasAcceptor(func(other *Worker) bool { return s.perSlot() && other.Slot != w.Slot }):
		if !s.hasAcceptor(func(other *Worker) bool { return other.Slot == w.Slot }) {
			s.removeFromGroup(w.Slot, w)
		}
	case !s.hasAcceptor(func(*Worker) bool { return true }):
		s.closeGracefully()
	}
}

// hasAcceptor reports whether one of those whom s is for takes connections, or is
// still to come.
func (s *server) hasAcceptor(which func(*Worker) bool) bool {
	for _, h := range s.workers {
		if !h.outOfRotation && which(h) {
			return true
		}
	}
	for slot := range s.reservedSlots {
		if which(&Worker{Slot: slot}) {
			return true
		}
	}
	return false
}

// closeGracefully ends s without losing connections that have come. With rr they go to the
// holders, though these are to leave. Else the holders close the socket when
// nothing waits in it, and nodeinit must have closed it before. (A filter that
// drops SYNs would lose none at all, but needs CAP_NET_ADMIN by now, as seen with
// Linux 6.18; and clients would wait for seconds instead of being refused.)
func (s *server) closeGracefully() {
	if s.closing || s.query.fd >= 0 { // a socket that was passed in may be others' too
		return
	}
	s.closing = true
	s.file.remove()
	s.file = nil
	for _, fd := range s.slots {
		_ = unix.Close(fd)
	}
	clear(s.slots)
	switch {
	case s.balance == RR:
		s.closeAt = time.Now().Add(closeDelay)
		s.primary.poller.tickIn(closeDelay)
		s.acceptPending, s.primary.dispatchPending = true, true
	case s.fd >= 0:
		s.closeSocket()
	}
}

// reopen has s, which is to go, stay for who asks for it now. Where its socket is
// closed already it returns nil: it goes, and there is to be another of its name.
func (p *Primary) reopen(s *server) *server {
	if !s.closeAt.IsZero() && s.query.family != pipe { // the file of a pipe is gone
		s.closing, s.closeAt = false, time.Time{}
		return s
	}
	delete(p.servers, s.id)
	s.id = "finishing " + s.key
	p.servers[s.id] = s
	return nil
}

// continueClosing closes a socket of rr when its time is up and nothing waits in it:
// nodeinit holds what its workers are too busy to take. Under load there is always
// one that is.
func (s *server) continueClosing(now time.Time) {
	switch {
	case s.closeAt.IsZero():
	case now.Before(s.closeAt):
		s.primary.poller.tickIn(s.closeAt.Sub(now))
	case s.acceptAll() || now.After(s.closeAt.Add(closeRetryLimit)):
		s.closeSocket()
	default:
		s.primary.poller.tickIn(retryDelay)
	}
}

// acceptAll accepts all that waits, for whoever can take it, and reports whether
// nothing does any more.
func (s *server) acceptAll() bool {
	for {
		fd, err := s.acceptNext()
		switch {
		case err == nil:
			s.undelivered = append(s.undelivered, handover{fd: fd, server: s})
		case errors.Is(err, unix.EAGAIN):
			return true
		case !connectionGone(err):
			return false
		}
	}
}

// lastAcceptor reports whether w has a socket that nobody else will accept from.
func (w *Worker) lastAcceptor() bool {
	if w.forkMode {
		return true
	}
	for _, s := range w.servers {
		if s.closing || slices.ContainsFunc(s.group, func(m groupSocket) bool { return m.closingOwner == w }) {
			return true
		}
	}
	return false
}

// expectsConnections reports whether w may still get connections though it is to leave.
func (w *Worker) expectsConnections() bool {
	if len(w.pending) > 0 {
		return true
	}
	for _, s := range w.servers {
		if !s.closeAt.IsZero() || s.closing && len(s.undelivered) > 0 {
			return true
		}
	}
	return false
}
