package supervisor

import (
	"slices"
	"time"

	"github.com/nodeinit/nodeinit/logs"
)

// How long a slot stays empty after a crash: the first time, and at most.
const (
	firstDelay = 100 * time.Millisecond
	mostDelay  = 15 * time.Second
)

// A slot is the place of one worker and of those who replace it. It is occupied,
// waits to be refilled, or stays empty: its worker has done its work. Of our own
// accord it is changed by a [change]; only then it has a next or an old one.
type slot struct {
	number   int
	life     *life         // who holds it; nil: nobody
	next     *life         // the newcomer, who is to hold it once it is ready
	old      *life         // who held it before and has been asked to end
	retryAt  time.Time     // when it is to be refilled; zero: never
	delay    time.Duration // after the last crash
	last     Exit          // how the last one that held it ended
	order    int           // how many workers had ended by then; 0: none has
	wasReady bool          // one in it has been ready
	listened bool          // and listened by then
	loop     crashLoop
}

// lives returns those in the slot, in the order in which they came.
func (slot *slot) lives() []*life {
	return slices.DeleteFunc([]*life{slot.old, slot.life, slot.next}, func(l *life) bool { return l == nil })
}

// done reports whether the slot is empty and stays so.
func (slot *slot) done() bool {
	return slot.old == nil && slot.life == nil && slot.next == nil && slot.retryAt.IsZero()
}

// startAll starts the first worker of each slot, or where one is to be first, that.
func (s *Supervisor) startAll() {
	n := max(s.Workers, 1)
	s.size = size{want: n, target: n}
	if s.Grow != nil && n > 1 {
		s.alone.waiting, n = true, 1
	}
	s.startSlots(n)
	if s.end.Starts == 0 {
		s.enter(ended, 0) // there is nobody to stop, and nothing was left behind
	}
}

// startSlots adds slots until there are n, with a worker each. If one cannot be
// started, all others are stopped.
func (s *Supervisor) startSlots(n int) {
	first := len(s.slots)
	for number := first; number < n; number++ {
		s.slots = append(s.slots, &slot{number: number})
	}
	s.up = false
	for i, slot := range s.slots[first:] {
		if err := s.start(slot, &slot.life); err != nil {
			s.err = err
			s.slots = s.slots[:first+i+1]
			s.abort(slot, "not_started")
			return
		}
	}
}

// refill starts the next worker of a slot.
func (s *Supervisor) refill(slot *slot) {
	slot.retryAt = time.Time{}
	if err := s.start(slot, &slot.life); err != nil {
		s.notStarted(slot, err)
		s.crashed(slot, slot.last, false, err)
		return
	}
	slot.life.waited = slot.delay
}

func (s *Supervisor) notStarted(slot *slot, err error) {
	s.Log.Error("worker not started").Int("worker", slot.number).Str("error", logs.Truncate(err.Error())).Send()
}

// holderEnded takes note of the end of the one who held a slot. A newcomer takes
// its place at once, unless all are to end: then it is not to decide the status.
func (s *Supervisor) holderEnded(l *life, e Exit, crash, quit bool) {
	slot := l.slot
	slot.life = nil
	if s.state == running {
		slot.life, slot.next = slot.next, nil
	}
	slot.last, slot.order = e, s.order
	switch {
	case crash:
		s.holderCrashed(l, e)
	case quit:
		s.holderQuit(l, e)
	}
	s.checkUp()
	if slot.life == nil && s.change != nil && s.change.slot == slot && s.change.state == arriving {
		s.changeFailed(string(e.Cause)) // l was the newcomer, early in its place
	}
}

// holderCrashed ends the container if a worker has never been ready and neither
// have all others: the program does not come up, and who starts containers has
// to know.
func (s *Supervisor) holderCrashed(l *life, e Exit) {
	if !s.up && !l.wasReady {
		s.end.Crashes++
		s.culprit = &e
		s.abort(l.slot, "crash")
		return
	}
	s.crashed(l.slot, e, l.useful(time.Now()), nil)
}

// crashed decides whether a slot whose worker has crashed, as e has it, or could
// not be started, gets another one. useful says that the worker was of use.
func (s *Supervisor) crashed(slot *slot, e Exit, useful bool, startErr error) {
	now := time.Now()
	s.end.Crashes++
	s.recent = slices.DeleteFunc(s.recent, func(at time.Time) bool {
		return s.Crashes.Window > 0 && now.Sub(at) >= s.Crashes.Window
	})
	s.recent = append(s.recent, now)
	loops := slot.loop.crashed(now, useful, s.Crashes.Window)
	if len(s.recent) > s.Crashes.Max || loops {
		if len(s.recent) <= s.Crashes.Max {
			s.Log.Error("crash loop").Int("worker", slot.number).Int64("not_ready_ms", now.Sub(slot.loop.since).Milliseconds()).
				Int64("crash_window_ms", s.Crashes.Window.Milliseconds()).Send()
		}
		s.err, s.culprit = startErr, &e
		s.abort(slot, e.reason())
		return
	}
	delay := time.Duration(0) // somebody is there already
	if slot.life == nil {
		delay = s.delayAfter(slot, e, startErr)
		slot.retryAt = now.Add(delay)
	}
	s.Log.Warn("replacing worker").Int("worker", slot.number).
		Int("crashes", len(s.recent)).Int("max_crashes", s.Crashes.Max).
		Int64("delay_ms", delay.Milliseconds()).Send()
}

// delayAfter returns for how long a slot stays empty.
func (s *Supervisor) delayAfter(slot *slot, e Exit, startErr error) time.Duration {
	long := startErr == nil && s.Crashes.Window > 0 && e.Uptime > s.Crashes.Window
	if slot.delay == 0 || long {
		slot.delay = firstDelay
	} else {
		slot.delay = min(2*slot.delay, mostDelay)
	}
	return slot.delay
}
