package cluster

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// closeDelay is for how long a socket that is being closed accepts connections
	// whose handshake has begun. The agent closes sockets as late
	// (node/preload/agent.js, lookEvery).
	closeDelay = 100 * time.Millisecond
	// closeRetryLimit is for how long after that they wait for memory or descriptors.
	closeRetryLimit = time.Second
)

// StopConnections takes the worker out of rotation. If it was replaced, the next
// worker of its slot has been opened, and may still ask for servers that this one has.
func (w *Worker) StopConnections(replaced bool) {
	w.primary.inbox.post(func() {
		if w.outOfRotation {
			return
		}
		w.outOfRotation, w.replaced = true, true
		for _, s := range w.servers {
			if inSlot, _ := s.acceptors(w.Slot); replaced && !inSlot {
				s.reservedSlots.add(w.Slot)
				s.limitReservation(w.Slot)
			}
			s.removeFromRotation(w)
			updatePaused(s)
		}
		w.primary.dispatchPending = true
		w.primary.updateAwaited(w.Slot)
	})
}

// Drain has the agent close the servers, wait for what is in progress and close the
// channel. Without an agent it is Disconnect, which loses requests that clients send
// on connections they keep alive. The process gets signal next ("": none): if only
// libraries listen for it, so that it would not end the process, the agent does.
func (w *Worker) Drain(signal string) {
	w.primary.inbox.post(func() {
		switch {
		case w.channel.closed() || w.draining:
		case w.state.Agent:
			w.draining = true
			w.send(fmt.Appendf(nil, msgDrain, w.lastAcceptor(), signal), -1)
		default:
			w.disconnect()
		}
	})
}

// Disconnect sends the protocol's disconnect: the worker closes its servers, waits
// for its connections and closes the channel.
func (w *Worker) Disconnect() {
	w.primary.inbox.post(func() {
		if !w.channel.closed() && !w.draining {
			w.disconnect()
		}
	})
}

func (w *Worker) disconnect() {
	w.outOfRotation, w.draining = true, true
	if !w.forkMode {
		w.sendDisconnect()
	}
}

func (w *Worker) sendDisconnect() {
	w.send(fmt.Appendf(nil, `{"cmd":"NODE_CLUSTER","act":"disconnect","seq":%d}`+"\n", w.seq), -1)
	w.seq++
}

// onDrained ends the channel of a worker that has finished what it had, unless it may
// still get a connection: the agent reports it again after that.
func (w *Worker) onDrained() {
	switch {
	case w.forkMode:
		w.state.Leaving = true
		w.channel.close(nil)
	case w.draining && !w.disconnectSent && !expectsConnections(w):
		w.disconnectSent = true
		w.sendDisconnect()
	}
}

// lastAcceptor reports whether w has a socket that no other worker accepts from.
func (w *Worker) lastAcceptor() bool {
	if w.forkMode {
		return true
	}
	for _, s := range w.servers {
		if s.closing || s.group.hasOwner(w.id) {
			return true
		}
	}
	return false
}

// expectsConnections reports whether w may get connections though it drains.
func expectsConnections(w *Worker) bool {
	if len(w.acks.pending) > 0 || w.acks.own() > 0 {
		return true
	}
	for _, s := range w.servers {
		if !s.closeAt.IsZero() || s.closing && len(s.undelivered) > 0 {
			return true
		}
	}
	return false
}

// acceptors reports whether s has a worker in rotation, or a reservation for one, in
// slot and elsewhere.
func (s *server) acceptors(slot int) (inSlot, elsewhere bool) {
	add := func(other int) { inSlot, elsewhere = inSlot || other == slot, elsewhere || other != slot }
	for _, w := range s.workers {
		if !w.outOfRotation {
			add(w.Slot)
		}
	}
	for reserved := range s.reservedSlots {
		add(reserved)
	}
	return inSlot, elsewhere
}

// removeFromRotation is called when w is to get no more connections of s. A socket
// that no other worker accepts from is closed without losing what has come to it.
func (s *server) removeFromRotation(w *Worker) {
	switch inSlot, elsewhere := s.acceptors(w.Slot); {
	case s.balance.perSlot() && elsewhere:
		if !inSlot {
			s.group.exclude(w.Slot, w.id)
		}
	case !inSlot && !elsewhere:
		s.closeGracefully()
	}
}

// closeGracefully closes s without losing connections that have come. With RR its
// workers get them, though they are out of rotation. Else the workers close their
// copies of the socket when nothing waits in it; nodeinit's must be closed before.
// (A filter that drops SYNs would lose none at all, but needs CAP_NET_ADMIN by now,
// as seen with Linux 6.18; and clients would wait for seconds instead of being
// refused.)
func (s *server) closeGracefully() {
	if s.closing || s.query.fd >= 0 { // an inherited socket may be used by others too
		return
	}
	s.closing = true
	s.listener.file.remove()
	s.listener.file = nil
	s.group.close()
	if s.balance == RR {
		s.closeAt = time.Now().Add(closeDelay)
		s.primary.poller.tickIn(closeDelay)
		s.acceptPending, s.primary.dispatchPending = true, true
		return
	}
	s.closeListener()
}

// reopen undoes closeGracefully for a worker that asks for s. Where the socket is
// closed already it returns nil: s goes on closing, and its id is free for another.
func (p *Primary) reopen(s *server) *server {
	if !s.closeAt.IsZero() && s.query.family != pipe { // the file of a pipe is gone
		s.closing, s.closeAt = false, time.Time{}
		return s
	}
	delete(p.servers, s.id)
	s.id = "closing " + s.key
	p.servers[s.id] = s
	return nil
}

// continueClosing closes a socket of RR after closeDelay, when it has no connections
// left: the primary keeps those that its workers are too busy to take.
func (s *server) continueClosing(now time.Time) {
	switch {
	case s.closeAt.IsZero():
	case now.Before(s.closeAt):
		s.primary.poller.tickIn(s.closeAt.Sub(now))
	case s.acceptAll() || now.After(s.closeAt.Add(closeRetryLimit)):
		s.closeListener()
	default:
		s.primary.poller.tickIn(retryDelay)
	}
}

// acceptAll accepts all connections, also if no worker can take them now. It reports
// false if some are left.
func (s *server) acceptAll() bool {
	for {
		fd, err := s.listener.accept()
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
