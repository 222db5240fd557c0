package supervisor

import "time"

// quits reports whether l, which has ended as e has it, is to be missed: it exited
// with 0, though nobody had asked it to, it had served, and the others go on.
// Programs recycle themselves so. One that never listened has done its work.
func (s *Supervisor) quits(l *life, e Exit) bool {
	served := l.told.Servers > 0 || len(l.told.Listening) > 0
	return s.PerCore && s.state == running && !l.leaving && e.Code() == 0 && served &&
		l == l.slot.life && l.slot.next == nil && s.slotsLeft(l.slot) > 0
}

// holderQuit replaces a worker that is to be missed, if crashes are answered too.
func (s *Supervisor) holderQuit(l *life, e Exit) {
	if s.Crashes.Max > 0 {
		s.crashed(l.slot, e, l.useful(time.Now()), nil)
		return
	}
	s.about(s.Log.Warn("worker exited by itself and is not replaced (--max-crashes)"), l).
		Int("left", s.slotsLeft(l.slot)).Int("workers", len(s.slots)).Send()
}

// slotsLeft returns in how many slots but one there is a worker, or is to be one.
func (s *Supervisor) slotsLeft(but *slot) (left int) {
	for _, slot := range s.slots {
		if slot != but && !slot.done() {
			left++
		}
	}
	return left
}
