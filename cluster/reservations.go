package cluster

import (
	"slices"
	"time"
)

// minReopenTimeout is the least for Primary.ReopenTimeout.
const minReopenTimeout = 10 * time.Second

// Reservations keep what slots have of a server open while none of their workers has
// it, for the next one. The value is when the reservation ends; it is zero, for never,
// until a worker of the slot listens at all. That a worker closes a server, as one that
// drains does, leaves the reservations for its slot alone.
type reservations map[int]time.Time

// add makes a reservation, in place of the one that exists.
func (r reservations) add(slot int) { r[slot] = time.Time{} }

// remove ends a reservation: the next worker has the server, or there will be none.
func (r reservations) remove(slot int) { delete(r, slot) }

func (r reservations) has(slot int) bool { _, ok := r[slot]; return ok }

// setDeadline sets when a reservation ends, if it exists and has no deadline. It
// reports whether it did.
func (r reservations) setDeadline(slot int, until time.Time) bool {
	if deadline, ok := r[slot]; !ok || !deadline.IsZero() {
		return false
	}
	r[slot] = until
	return true
}

// expired returns the slots whose deadline is over, and how long it is until the next
// one; 0: never.
func (r reservations) expired(now time.Time) (slots []int, next time.Duration) {
	for slot, until := range r {
		switch left := until.Sub(now); {
		case until.IsZero():
		case left <= 0:
			slots = append(slots, slot)
		case next == 0 || left < next:
			next = left
		}
	}
	return slots, next
}

// limitReservation starts the time of a reservation: a worker of slot listens.
func (s *server) limitReservation(slot int) {
	timeout := max(s.primary.ReopenTimeout, minReopenTimeout)
	if s.reservedSlots.setDeadline(slot, time.Now().Add(timeout)) {
		s.primary.poller.tickIn(timeout)
	}
}

// removeExited removes a worker whose process has exited. With kept, its slot has or
// gets another worker, and what this one had, or was still to ask for, is reserved for
// that. For a worker that was replaced this was done before.
func (s *server) removeExited(w *Worker, kept bool) {
	switch {
	case !kept:
		s.reservedSlots.remove(w.Slot)
	case !w.replaced && (s.reservedSlots.has(w.Slot) || slices.Contains(s.workers, w)):
		s.reservedSlots.add(w.Slot)
		if s.primary.otherListens(w) {
			s.limitReservation(w.Slot)
		}
	}
	s.removeWorker(w)
}

// otherListens reports whether another worker of w's slot has a server.
func (p *Primary) otherListens(w *Worker) bool {
	for other := range p.workers {
		if other != w && other.Slot == w.Slot && !other.outOfRotation && len(other.servers) > 0 {
			return true
		}
	}
	return false
}

// limitReservations starts the time of all reservations for slot.
func (p *Primary) limitReservations(slot int) {
	for _, s := range p.servers {
		s.limitReservation(slot)
	}
}

// expire ends the reservations whose time is over.
func (p *Primary) expire(now time.Time) {
	for _, s := range p.servers {
		slots, next := s.reservedSlots.expired(now)
		for _, slot := range slots {
			s.expireReservation(slot)
			p.updateAwaited(slot)
		}
		if next > 0 {
			p.poller.tickIn(next)
		}
	}
}

// expireReservation ends a reservation. Because of it, workers out of rotation may have
// kept s open until now.
func (s *server) expireReservation(slot int) {
	s.reservedSlots.remove(slot)
	if !s.workers.has(slot) {
		s.releaseSlot(slot)
	}
	for _, w := range s.workers {
		if w.outOfRotation {
			s.removeFromRotation(w)
		}
	}
}

// maxAwaited is how many servers State.Awaited has.
const maxAwaited = 8

// updateAwaited updates and publishes State.Awaited of the workers of slot.
func (p *Primary) updateAwaited(slot int) {
	for w := range p.workers {
		if w.Slot != slot || w.forkMode {
			continue
		}
		if awaited := p.awaited(w); !slices.Equal(awaited, w.state.Awaited) {
			w.state.Awaited = awaited
			w.publish()
		}
	}
}

// awaited returns what w is still to ask for: what is reserved for its slot, and what
// an earlier worker there has open. Servers on port 0 are left out: their port is not
// known before.
func (p *Primary) awaited(w *Worker) (names []string) {
	if w.outOfRotation {
		return nil
	}
	for _, s := range p.servers {
		if !s.anyPort && !s.closing && s.awaits(w) {
			at, _ := slices.BinarySearch(names, s.where)
			names = slices.Insert(names, at, s.where)
			names = names[:min(len(names), maxAwaited)]
		}
	}
	return names
}

func (s *server) awaits(w *Worker) bool {
	earlier := func(other *Worker) bool { return other.Slot == w.Slot && !other.outOfRotation && other.id < w.id }
	return w.servers[s.key] != s && (s.reservedSlots.has(w.Slot) || slices.ContainsFunc(s.workers, earlier))
}
