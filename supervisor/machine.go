package supervisor

import (
	"slices"
	"time"
)

const (
	// DefaultGrace fits the 10 s that docker stop waits before it kills.
	DefaultGrace = 9 * time.Second
	// killPatience is how long SIGKILL may take. What is not gone by then hangs
	// in the kernel or belongs to a user whom we may not signal; the kernel
	// ends it with PID 1.
	killPatience = time.Second
	// leastSweep is what processes left behind get to end by themselves even
	// when the workers used up all of the grace.
	leastSweep = 500 * time.Millisecond
)

// A state is what the container waits for.
type state int

const (
	running   state = iota // workers run, or are about to be replaced
	lingering              // a stop was asked for; workers serve until the drain delay is over
	stopping               // workers were asked to stop; the grace runs
	killing                // they were sent SIGKILL
	sweeping               // they have ended; the rest was asked to stop
	purging                // the rest was sent SIGKILL
	ended                  // nothing is left
)

// String returns the state as Status and the documentation name it.
func (s state) String() string {
	return [...]string{"running", "lingering", "stopping", "killing", "sweeping", "purging", "ended"}[s]
}

// enter changes the state; limit, if not 0, is how long it may last.
func (s *Supervisor) enter(next state, limit time.Duration) {
	s.state, s.deadline = next, time.Time{}
	if limit > 0 {
		s.deadline = time.Now().Add(limit)
	}
}

// settle sees, after each event, whether there is still somebody to wait for,
// and begins the next change only then: when all have done their work, or one
// has crashed once too often, there are to be no new ones.
func (s *Supervisor) settle() {
	switch s.state {
	case running, lingering, stopping, killing:
		if slices.ContainsFunc(s.slots, func(slot *slot) bool { return !slot.done() }) {
			s.proceed()
		} else {
			s.sweep()
		}
	case sweeping, purging, ended:
	default:
		s.unknownState(int(s.state))
	}
	s.publish()
}

// alarm is ready at the next deadline; it is nil if there is none.
func (s *Supervisor) alarm() <-chan time.Time {
	next := earlier(s.deadline, s.pauseUntil)
	next = earlier(next, earlier(s.watch.sampleAt, s.watch.beatAt))
	for _, slot := range s.slots {
		next = earlier(next, slot.retryAt)
		for _, l := range slot.lives() {
			next = earlier(next, earlier(l.deadline, l.oldAt))
		}
	}
	if next.IsZero() {
		return nil
	}
	return time.After(time.Until(next))
}

// earlier returns the earlier one of two moments; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// passed reports whether deadline is there; zero is none.
func passed(deadline, now time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }

func (s *Supervisor) timePassed(now time.Time) {
	if passed(s.pauseUntil, now) {
		s.pauseUntil = time.Time{}
	}
	s.look(now)
	for _, l := range s.lives() {
		if passed(l.oldAt, now) {
			l.oldAt, l.tired = time.Time{}, ForAge
		}
		if passed(l.deadline, now) {
			s.lifeTimedOut(l)
		}
	}
	for _, slot := range s.slots {
		if passed(slot.retryAt, now) {
			s.refill(slot)
		}
	}
	if passed(s.deadline, now) {
		s.deadlinePassed()
	}
}

func (s *Supervisor) deadlinePassed() {
	switch s.state {
	case lingering:
		s.endLinger()
	case stopping:
		s.killAll(GraceExceeded)
	case sweeping:
		s.purge()
	case purging:
		s.Log.Error("processes survived SIGKILL").Send()
		s.enter(ended, 0)
	case running, killing, ended: // have none: each life that is killed has its own
	default:
		s.unknownState(int(s.state))
	}
}

func (s *Supervisor) unknownState(state int) {
	s.Log.Error("internal error: unknown state").Int("state", state).Send()
}
