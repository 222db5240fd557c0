package cluster

import (
	"slices"
	"time"
)

// minReopenTimeout is how long a worker may take at least, from its first server
// on, to ask for all that its predecessor had.
const minReopenTimeout = 10 * time.Second

// Reservations keep what slots have of a server open while no worker of theirs
// has it, for the next one: by slot, until when, or without a time as long as no
// worker has come that listens at all. Who closes a server that is reserved for
// its slot, as one that drains does, changes nothing of that.
type reservations map[int]time.Time

// add makes one. Where there is one that has a time, it counts no more.
func (r reservations) add(slot int) { r[slot] = time.Time{} }

// remove ends one: the next worker has come, or none will.
func (r reservations) remove(slot int) { delete(r, slot) }

func (r reservations) has(slot int) bool { _, ok := r[slot]; return ok }

// setDeadline gives one a time, if it has none. It reports whether it did.
func (r reservations) setDeadline(slot int, until time.Time) bool {
	if has, ok := r[slot]; !ok || !has.IsZero() {
		return false
	}
	r[slot] = until
	return true
}

// expired returns the slots whose time is up, and in how long the next one's is;
// 0: never.
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

// reserve reserves s for the next worker of slot; at once says that it is there
// and listens, so that its time runs.
func (s *server) reserve(slot int, atOnce bool) {
	s.reservedSlots.add(slot)
	if atOnce {
		s.limitReservation(slot)
	}
}

func (s *server) limitReservation(slot int) {
	patience := max(s.primary.ReopenTimeout, minReopenTimeout)
	if s.reservedSlots.setDeadline(slot, time.Now().Add(patience)) {
		s.primary.poller.tickIn(patience)
	}
}

// removeExited takes w out, which has ended; kept says that its slot has or is to get
// another worker. What w had, and what it was still to ask for, is that one's to
// claim. One that was retired has left what it has before.
func (s *server) removeExited(w *Worker, kept bool) {
	switch {
	case !kept:
		s.reservedSlots.remove(w.Slot)
	case !w.replaced && (s.reservedSlots.has(w.Slot) || slices.Contains(s.workers, w)):
		s.reserve(w.Slot, s.primary.otherListens(w.Slot, w))
	}
	s.removeWorker(w)
}

// otherListens reports whether a worker of slot other than w has asked for a server.
func (p *Primary) otherListens(slot int, w *Worker) bool {
	for other := range p.workers {
		if other != w && other.Slot == slot && !other.outOfRotation && len(other.servers) > 0 {
			return true
		}
	}
	return false
}

// limitReservations is called when a worker of slot has come to listen: what its
// predecessor had and it does not ask for soon is of the past.
func (p *Primary) limitReservations(slot int) {
	for _, s := range p.servers {
		s.limitReservation(slot)
	}
}

// expire ends the reservations whose time is up.
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

// expireReservation ends a reservation that nobody has claimed. Those who were retired may
// have been left out of the end of s until now.
func (s *server) expireReservation(slot int) {
	s.reservedSlots.remove(slot)
	if !s.hasWorker(slot) {
		s.releaseSlot(slot)
	}
	for _, h := range s.workers {
		if h.outOfRotation {
			s.removeFromRotation(h)
		}
	}
}

// maxAwaited is how many servers State.Awaited names.
const maxAwaited = 8

// updateAwaited publishes what the workers of slot are still to ask for.
func (p *Primary) updateAwaited(slot int) {
	for w := range p.workers {
		if w.Slot != slot || w.forkMode {
			continue
		}
		if awaited := p.awaited(w); !slices.Equal(awaited, w.state.Awaited) {
			w.state.Awaited = awaited
			p.publish(w)
		}
	}
}

// awaited returns what w is still to ask for: what is reserved for its slot, and
// what an earlier worker there has open. Of servers on port 0 nobody can know the
// port before, so nobody waits for them.
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
	earlier := func(h *Worker) bool { return h.Slot == w.Slot && !h.outOfRotation && h.id < w.id }
	return w.servers[s.key] != s && (s.reservedSlots.has(w.Slot) || slices.ContainsFunc(s.workers, earlier))
}
