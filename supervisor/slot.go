package supervisor

import (
	"slices"
	"time"

	"github.com/nodeinit/nodeinit/logs"
)

// A slot is the place of one worker and of those that replace it. It has a current
// one, waits to be refilled, or stays empty: its worker has done its work. Only in
// a [change] it has a second worker: a replacement, or an outgoing one.
type slot struct {
	number      int
	current     *worker
	replacement *worker   // is to become current once it is ready
	outgoing    *worker   // was current and is asked to end
	retryAt     time.Time // when it is to be refilled; zero: never
	backoff     backoff
	loop        crashLoop
	health      slotHealth
	last        Exit   // of the last current one that has ended
	exitSeq     int    // how many workers had ended by then; 0: none has
	wasReady    bool   // one in it has been ready
	listened    bool   // and listened by then
	starts      int    // workers it has had
	lastExit    string // of the last one that has ended, see [WorkerStatus]
	lastExitAt  time.Time
	traffic     traffic
}

// workers returns those in the slot, in the order of their start.
func (s *slot) workers() []*worker {
	places := s.places()
	return slices.DeleteFunc(places[:], func(w *worker) bool { return w == nil })
}

// places returns the same, with nil where there is none. It makes no garbage, for what is
// done at each event.
func (s *slot) places() [3]*worker { return [3]*worker{s.outgoing, s.current, s.replacement} }

// shown returns the one to show where one is to be shown; nil: there is none.
func (s *slot) shown() *worker {
	switch {
	case s.current != nil:
		return s.current
	case s.outgoing != nil:
		return s.outgoing
	default:
		return s.replacement
	}
}

// continues reports whether the slot has, or is to get, a worker that is not on
// its way out.
func (s *slot) continues() bool {
	return s.current != nil || s.replacement != nil || !s.retryAt.IsZero()
}

// done reports whether the slot is empty and stays so.
func (s *slot) done() bool { return s.outgoing == nil && !s.continues() }

// notStarted records and logs that no worker could be started for the slot.
func (e *env) notStarted(slot *slot, err error) {
	slot.lastExit, slot.lastExitAt = "not started", time.Now()
	e.Log.Error("worker not started").Int("worker", slot.number).Str("error", logs.Truncate(err.Error())).Send()
}
