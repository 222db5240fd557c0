package supervisor

import (
	"time"

	"github.com/nodeinit/nodeinit/cluster"
)

// Readiness is when a worker is ready.
type Readiness struct {
	When ReadyWhen
	// Timeout is how long that may take; 0: for ever, but see [ReadyAuto].
	Timeout time.Duration
}

// ReadyWhen is what makes a worker ready.
type ReadyWhen string

const (
	// ReadyAuto: as ReadyListen, for those that listen. A worker that has asked for
	// no server when its time is up, in a slot where none has ever listened in time,
	// takes jobs from a queue or the like: it counts as ready then. Without a Timeout
	// that is after 30 s.
	ReadyAuto ReadyWhen = ""
	// ReadyListen: when it listens, in the place of another one on all that this one
	// had open.
	ReadyListen ReadyWhen = "listen"
	// ReadyMessage: when the application has sent 'ready'.
	ReadyMessage ReadyWhen = "message"
	// ReadyNone: as soon as it is started.
	ReadyNone ReadyWhen = "none"
)

// defaultReadyTimeout is how long most applications may take to listen.
const defaultReadyTimeout = 30 * time.Second

func (r Readiness) timeout() time.Duration {
	if r.When == ReadyAuto && r.Timeout == 0 {
		return defaultReadyTimeout
	}
	return r.Timeout
}

// met reports whether a worker with that state is ready.
func (r Readiness) met(state cluster.State, perCore bool) bool {
	switch {
	case state.Leaving || state.Ended && perCore: // it would not stay
		return false
	case r.When == ReadyMessage:
		return state.Ready
	default:
		return len(state.Listening) > 0 && len(state.Awaited) == 0
	}
}

// partly reports whether a worker with that state is not ready only because its
// predecessor had more open.
func (r Readiness) partly(state cluster.State) bool {
	return (r.When == ReadyAuto || r.When == ReadyListen) && len(state.Listening) > 0 && !state.Leaving
}
