package supervisor

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
)

// defaultGrace fits the 10 s that docker stop waits before it kills.
const defaultGrace = 9 * time.Second

// An env is what all parts of a run share: the settings, and toGroup.
type env struct {
	*Supervisor
	toGroup bool                               // signals go to process groups by now
	onStep  func(w *worker, step, text string) // is told what workers do; nil: nothing is
}

// step says that w has another state, or has ended: text is how.
func (e *env) step(w *worker, step, text string) {
	if e.onStep != nil {
		e.onStep(w, step, text)
	}
}

// modeMsg returns the message for the mode.
func (e *env) modeMsg(program, worker string) string {
	if e.PerCore {
		return worker
	}
	return program
}

// ownGrace is the grace of a stop that was not requested. That is never for ever:
// a container whose worker has crashed must end.
func (e *env) ownGrace() time.Duration {
	if e.Stop.Grace > 0 {
		return e.Stop.Grace
	}
	return defaultGrace
}

// ownStop is the signal of a stop that was not requested.
func (e *env) ownStop() stopSignal {
	send, _ := e.Rules.Apply(unix.SIGTERM)
	if send == 0 { // SIGTERM is not to be forwarded, but this one is our own
		send = unix.SIGTERM
	}
	return stopSignal{unix.SIGTERM, send}
}

// interrupt is the signal of a stop by ^C.
func (e *env) interrupt() stopSignal {
	send, _ := e.Rules.Apply(unix.SIGINT)
	if send == 0 { // as in ownStop
		send = unix.SIGINT
	}
	return stopSignal{unix.SIGINT, send}
}

// in returns the moment that is limit away; zero, which is none, where limit is 0.
func in(limit time.Duration) time.Time {
	if limit <= 0 {
		return time.Time{}
	}
	return time.Now().Add(limit)
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

// counters returns a reading of the counters, if there are any.
func (e *env) counters() cgroup.Stats {
	if e.Stats == nil {
		return cgroup.Stats{}
	}
	return e.Stats()
}

func (e *env) unknownState(state int) {
	e.Log.Error("internal error: unknown state").Int("state", state).Send()
}
