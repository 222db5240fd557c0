package supervisor

import (
	"slices"
	"time"
)

// A ChangeReason is why a worker comes or goes that did not have to.
type ChangeReason string

// The reasons, as the log gives them.
const (
	ForReload ChangeReason = "reload"
	ForMemory ChangeReason = "max_memory"
	ForAge    ChangeReason = "max_age"
	ForScale  ChangeReason = "scale"
)

// A change is what is being done to a slot of our own accord: a newcomer takes
// the place of its worker, a first one comes, or the last one goes. There is one
// at a time, and it takes nothing away before there is something better.
type change struct {
	why   ChangeReason
	slot  *slot
	state changeState
}

// A changeState is what a change waits for.
type changeState int

const (
	arriving changeState = iota // the newcomer is to get ready
	parting                     // the old one is to end
)

// changePause is for how long nothing is tried again, unasked, after a newcomer
// has failed.
const changePause = time.Minute

// A reload replaces each worker that was there when it began.
type reload struct {
	began time.Time
	mark  int     // so many workers had been started
	todo  []*slot // to look at yet
	done  int     // workers replaced
	again bool    // another one was asked for meanwhile
}

// proceed begins the next change, if there is one to make.
func (s *Supervisor) proceed() {
	for s.state == running && s.change == nil && s.PerCore {
		if !s.resize() && !s.reloadNext() && !s.recycle() {
			return
		}
	}
}

// arrive begins a change with a newcomer for slot.
func (s *Supervisor) arrive(slot *slot, why ChangeReason) {
	s.change = &change{why: why, slot: slot}
	if err := s.start(slot, &slot.next); err != nil {
		s.notStarted(slot, err)
		s.changeFailed("not_started")
	}
}

// comesFor returns why a worker comes that is started for slot now; "": it has to.
func (s *Supervisor) comesFor(slot *slot) ChangeReason {
	if s.change == nil || s.change.slot != slot {
		return ""
	}
	return s.change.why
}

// readyToChange takes note that a worker of the slot in change is ready. A
// newcomer holds the slot from now on, and the one before it is asked to end; or
// it holds it already, because that one has ended meanwhile.
func (s *Supervisor) readyToChange(l *life) {
	slot := l.slot
	slot.loop.over()
	switch {
	case slot.next == l:
		slot.old, slot.life, slot.next = slot.life, l, nil
		s.part(slot.old)
	case slot.next == nil && slot.life == l:
		s.changeDone()
	}
}

// part is the second half of a change: the old worker, if there is one, is to end.
func (s *Supervisor) part(old *life) {
	if old == nil {
		s.changeDone()
		return
	}
	s.change.state = parting
	s.retire(old, s.change.why)
}

// newcomerEnded takes note of the end of a newcomer that did not get ready. It
// was our idea, so it costs nobody anything.
func (s *Supervisor) newcomerEnded(l *life, e Exit, crash bool) {
	l.slot.next = nil
	if crash {
		s.end.Crashes++
	}
	if s.change != nil {
		s.changeFailed(string(e.Cause))
	}
}

// oldEnded takes note of the end of one who was asked to end, or was about to be
// killed for a fault of its own.
func (s *Supervisor) oldEnded(l *life, e Exit, crash bool) {
	l.slot.old = nil
	if crash {
		s.crashed(l.slot, e, l.useful(time.Now()), nil)
	}
	if s.change != nil {
		s.changeDone()
	}
}

func (s *Supervisor) changeDone() {
	c := s.change
	s.change = nil
	switch c.why {
	case ForReload:
		s.reload.done++
	case ForScale:
		s.sized()
	case ForMemory, ForAge:
	default:
		s.Log.Error("internal error: unknown change").Str("why", string(c.why)).Send()
	}
}

// changeFailed ends a change whose newcomer will not do, because of reason. All
// is as before, only that somebody should know.
func (s *Supervisor) changeFailed(reason string) {
	c := s.change
	s.change = nil
	line := s.Log.Warn(string(c.why)+" failed").Int("worker", c.slot.number).Str("reason", reason)
	switch c.why {
	case ForReload:
		line.Int("workers", s.reload.done).Send()
		s.endReload()
	case ForScale:
		line.Send()
		s.removeLast()
		s.pause()
	case ForMemory, ForAge:
		line.Send()
		s.pause()
	default:
		s.Log.Error("internal error: unknown change").Str("why", string(c.why)).Send()
	}
}

func (s *Supervisor) pause() { s.pauseUntil = time.Now().Add(changePause) }

// askReload begins a reload, or has another one follow.
func (s *Supervisor) askReload() {
	switch {
	case !s.PerCore:
		s.Log.Warn("reload refused").Str("why", "one process cannot share its port with the next one").Send()
	case s.state != running:
		s.Log.Warn("reload refused").Str("why", "stopping").Send()
	case s.alone.waiting:
		s.Log.Warn("reload refused").Str("why", "the program has asked for no server yet: it may be a job, which is to run once (--mode per-core for one that never listens)").Send()
	case s.reload != nil && s.reload.again: // two in a row are enough for all
	case s.reload != nil:
		s.reload.again = true
		s.Log.Info("another reload will follow").Send()
	default:
		s.beginReload()
	}
}

func (s *Supervisor) beginReload() {
	s.reload = &reload{began: time.Now(), mark: s.end.Starts, todo: slices.Clone(s.slots)}
	s.Log.Info("reloading").Int("workers", len(s.slots)).Send()
}

// reloadNext replaces the worker of the next slot. Who came after the reload
// began is new enough; the slot of one who has ended, or is about to, will get
// such a one or none.
func (s *Supervisor) reloadNext() bool {
	if s.reload == nil {
		return false
	}
	for len(s.reload.todo) > 0 {
		slot := s.reload.todo[0]
		s.reload.todo = s.reload.todo[1:]
		if l := slot.life; l != nil && l.nth <= s.reload.mark && l.atWork() {
			s.arrive(slot, ForReload)
			return true
		}
	}
	s.Log.Info("reload done").Int("workers", s.reload.done).
		Int64("took_ms", time.Since(s.reload.began).Milliseconds()).Send()
	s.endReload()
	return true
}

func (s *Supervisor) endReload() {
	again := s.reload.again
	s.reload = nil
	if again {
		s.beginReload()
	}
}

// recycle replaces a worker that is too old or too large.
func (s *Supervisor) recycle() bool {
	if !s.pauseUntil.IsZero() || s.alone.waiting {
		return false
	}
	for _, slot := range s.slots {
		if l := slot.life; l != nil && l.tired != "" && l.state == working {
			s.about(s.Log.Info("recycling worker"), l).Str("why", string(l.tired)).Send()
			s.arrive(slot, l.tired)
			return true
		}
	}
	return false
}
