package cluster

import (
	"slices"
	"time"
)

// listenPatience is how long a worker may take at least, from its first server
// on, to ask for all that its predecessor had.
const listenPatience = 10 * time.Second

// Reservations keep what slots have of a server open while no worker of theirs
// has it, for the next one: by slot, until when, or without a time as long as no
// worker has come that listens at all. Who closes a server that is reserved for
// its slot, as one that drains does, changes nothing of that.
type reservations map[int]time.Time

// reserve makes one. Where there is one that has a time, it counts no more.
func (r reservations) reserve(slot int) { r[slot] = time.Time{} }

// claim ends one: the next worker has come, or none will.
func (r reservations) claim(slot int) { delete(r, slot) }

func (r reservations) has(slot int) bool { _, ok := r[slot]; return ok }

// limit gives one a time, if it has none. It reports whether it did.
func (r reservations) limit(slot int, until time.Time) bool {
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
	s.kept.reserve(slot)
	if atOnce {
		s.limit(slot)
	}
}

func (s *server) limit(slot int) {
	patience := max(s.primary.ReopenTimeout, listenPatience)
	if s.kept.limit(slot, time.Now().Add(patience)) {
		s.primary.poll.tickIn(patience)
	}
}

// bequeath takes w out, which has ended; kept says that its slot has or is to get
// another worker. What w had, and what it was still to ask for, is that one's to
// claim. One that was retired has left what it has before.
func (s *server) bequeath(w *Worker, kept bool) {
	switch {
	case !kept:
		s.kept.claim(w.Slot)
	case !w.replaced && (s.kept.has(w.Slot) || slices.Contains(s.holders, w)):
		s.reserve(w.Slot, s.primary.anyListens(w.Slot, w))
	}
	s.leave(w)
}

// anyListens reports whether a worker of slot other than w has asked for a server.
func (p *Primary) anyListens(slot int, w *Worker) bool {
	for other := range p.workers {
		if other != w && other.Slot == slot && !other.retired && len(other.holds) > 0 {
			return true
		}
	}
	return false
}

// listens is called when a worker of slot has come to listen: what its
// predecessor had and it does not ask for soon is of the past.
func (p *Primary) listens(slot int) {
	for _, s := range p.servers {
		s.limit(slot)
	}
}

// expire ends the reservations whose time is up.
func (p *Primary) expire(now time.Time) {
	for _, s := range p.servers {
		slots, next := s.kept.expired(now)
		for _, slot := range slots {
			s.giveUp(slot)
			p.reckon(slot)
		}
		if next > 0 {
			p.poll.tickIn(next)
		}
	}
}

// giveUp ends a reservation that nobody has claimed. Those who were retired may
// have been left out of the end of s until now.
func (s *server) giveUp(slot int) {
	s.kept.claim(slot)
	if !s.heldIn(slot) {
		s.drop(slot)
	}
	for _, h := range s.holders {
		if h.retired {
			s.letGo(h)
		}
	}
}

// mostAwaited is how many servers State.Awaited names.
const mostAwaited = 8

// reckon publishes what the workers of slot are still to ask for.
func (p *Primary) reckon(slot int) {
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
	if w.retired {
		return nil
	}
	for _, s := range p.servers {
		if !s.anyPort && !s.finishing && s.awaits(w) {
			at, _ := slices.BinarySearch(names, s.where)
			names = slices.Insert(names, at, s.where)
			names = names[:min(len(names), mostAwaited)]
		}
	}
	return names
}

func (s *server) awaits(w *Worker) bool {
	earlier := func(h *Worker) bool { return h.Slot == w.Slot && !h.retired && h.nth < w.nth }
	return w.holds[s.key] != s && (s.kept.has(w.Slot) || slices.ContainsFunc(s.holders, earlier))
}
