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
// waits to be refilled, or stays empty: its worker has done its work.
type slot struct {
	number  int
	life    *life         // nil: empty
	retryAt time.Time     // when it is to be refilled; zero: never
	delay   time.Duration // after the last crash
	last    Exit          // how the last worker in it ended
	order   int           // how many had ended by then; 0: none has
}

// startAll starts the first worker of each slot. If one cannot be started, the
// others are stopped.
func (s *Supervisor) startAll() {
	for n := range max(s.Workers, 1) {
		slot := &slot{number: n}
		s.slots = append(s.slots, slot)
		if err := s.start(slot); err != nil {
			s.err = err
			s.abort(slot, "not_started")
			break
		}
	}
	if s.end.Starts == 0 {
		s.enter(ended, 0) // there is nobody to stop, and nothing was left behind
	}
}

// refill starts the next worker of a slot.
func (s *Supervisor) refill(slot *slot) {
	slot.retryAt = time.Time{}
	err := s.start(slot)
	if err == nil {
		return
	}
	s.Log.Error("worker not started").Int("worker", slot.number).Str("error", logs.Clip(err.Error())).Send()
	s.crashed(slot, 0, err)
}

// crashed decides whether a slot whose worker has crashed after uptime, or could
// not be started, gets another one.
func (s *Supervisor) crashed(slot *slot, uptime time.Duration, startErr error) {
	now := time.Now()
	s.end.Crashes++
	s.recent = slices.DeleteFunc(s.recent, func(at time.Time) bool {
		return s.CrashWindow > 0 && now.Sub(at) >= s.CrashWindow
	})
	s.recent = append(s.recent, now)
	if len(s.recent) > s.MaxCrashes {
		s.err, s.culprit = startErr, slot
		s.abort(slot, "crash")
		return
	}
	if slot.delay == 0 || s.CrashWindow > 0 && uptime > s.CrashWindow {
		slot.delay = firstDelay
	} else {
		slot.delay = min(2*slot.delay, mostDelay)
	}
	slot.retryAt = now.Add(slot.delay)
	s.Log.Warn("replacing worker").Int("worker", slot.number).
		Int("crashes", len(s.recent)).Int("max_crashes", s.MaxCrashes).
		Int64("delay_ms", slot.delay.Milliseconds()).Send()
}

// verdict returns the end of the worker that counts for the container: the one
// whose crash ended it; else, of the last ones in each slot, the first whose
// status is not 0; else the last one.
func (s *Supervisor) verdict() Exit {
	if s.culprit != nil {
		return s.culprit.last
	}
	byOrder := slices.SortedFunc(slices.Values(s.slots), func(a, b *slot) int { return a.order - b.order })
	for _, slot := range byOrder {
		if slot.last.Code() != 0 {
			return slot.last
		}
	}
	return byOrder[len(byOrder)-1].last
}
