package supervisor

import (
	"slices"
	"time"
)

// steadyReads is for how many reads in a row Target must say the same before it
// is followed: a limit that changes twice is set by a program that has not done.
const steadyReads = 3

// A size is how many workers there are to be.
type size struct {
	want   int  // slots
	fixed  bool // by Scale: Target is not followed
	target int  // what Target has said lastingly
	last   int  // what it said at last,
	reads  int  // and so often in a row
}

// readTarget asks Target, and follows it if it means it.
func (s *Supervisor) readTarget() {
	if s.Target == nil {
		return
	}
	n := max(s.Target(), 1)
	if n != s.size.last {
		s.size.last, s.size.reads = n, 0
	}
	s.size.reads++
	if s.size.reads < steadyReads || n == s.size.target {
		return
	}
	s.size.target = n
	if !s.size.fixed {
		s.resizeTo(n, "limits")
	}
}

// askScale has n workers be there from now on, or with 0 as many as Target says.
func (s *Supervisor) askScale(n int) {
	switch {
	case !s.PerCore:
		s.Log.Warn("scale refused").Str("why", "one process cannot share its port with others").Send()
	case s.state != running:
		s.Log.Warn("scale refused").Str("why", "stopping").Send()
	case s.alone.why != "":
		s.Log.Warn("scale refused").Str("why", s.alone.why).Send()
	case n <= 0:
		s.size.fixed = false
		s.resizeTo(s.size.target, "limits")
	default:
		s.size.fixed = true
		s.resizeTo(n, "asked")
	}
}

func (s *Supervisor) resizeTo(n int, why string) {
	s.pauseUntil = time.Time{}
	if n == s.size.want {
		return
	}
	s.Log.Info("scaling").Int("from", len(s.slots)).Int("to", n).Str("why", why).Send()
	s.size.want = n
	s.publish() // Start may want to know
}

// resize adds or takes away one slot, the highest. It reports whether it did.
func (s *Supervisor) resize() bool {
	n := len(s.slots)
	if s.size.want > n {
		if !s.pauseUntil.IsZero() || !s.canGrow() {
			return false
		}
		s.slots = append(s.slots, &slot{number: n})
		s.arrive(s.slots[n], ForScale)
		return true
	}
	if s.size.want == n {
		return false
	}
	slot := s.slots[n-1]
	l := slot.life
	switch {
	case slot.done(): // its worker has done its work
		s.removeLast()
		s.sayScaled()
		return true
	case l == nil: // it is to be refilled: who comes gives back what waits for it
		return false
	case l.serves() && !s.othersServe(l):
		return false
	}
	slot.old, slot.life = l, nil
	s.change = &change{why: ForScale, slot: slot}
	s.part(l)
	return true
}

// othersServe reports whether anybody but l does.
func (s *Supervisor) othersServe(l *life) bool {
	return slices.ContainsFunc(s.lives(), func(other *life) bool { return other != l && other.serves() })
}

// growing reports whether slot is one that a change adds.
func (s *Supervisor) growing(slot *slot) bool {
	return s.change != nil && s.change.slot == slot && s.change.why == ForScale && s.change.state == arriving
}

// sized completes a change that added or took away the last slot.
func (s *Supervisor) sized() {
	if s.slots[len(s.slots)-1].done() {
		s.removeLast()
	}
	s.sayScaled()
}

func (s *Supervisor) sayScaled() {
	if len(s.slots) == s.size.want {
		s.Log.Info("scaled").Int("workers", s.size.want).Send()
	}
}

func (s *Supervisor) removeLast() { s.slots = s.slots[:len(s.slots)-1] }
