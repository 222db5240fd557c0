package supervisor

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

// sweep asks what the workers left behind to stop. When nothing is left, that
// shows at once and costs no wait.
func (s *Supervisor) sweep() {
	s.conclude()
	s.empty = s.Leftovers.NoChildren()
	select {
	case <-s.empty:
		s.enter(ended, 0)
		return
	default:
	}
	if s.stops >= 3 {
		s.purge()
		return
	}
	limit := s.sweepLimit()
	s.Log.Info(s.called("stopping what the program left behind", "stopping what the workers left behind")).
		Int64("grace_ms", limit.Milliseconds()).Send()
	s.signalRest(unix.SIGTERM)
	s.Leftovers.ContinueAll()
	s.enter(sweeping, limit)
}

// conclude completes the Exit that Run returns: all workers have ended.
func (s *Supervisor) conclude() {
	v := s.verdict()
	s.end.Worker, s.end.Cause = v.Worker, v.Cause
	s.end.Status, s.end.Survived, s.end.Killed = v.Status, v.Survived, v.Killed
	s.end.Uptime = time.Since(s.started)
}

// verdict returns the end of the worker that counts for the container: the one
// whose crash ended it; else, of the last ones in each slot, the first whose
// status is not 0; else the last one.
func (s *Supervisor) verdict() Exit {
	if s.culprit != nil {
		return *s.culprit
	}
	byOrder := slices.SortedFunc(slices.Values(s.slots), func(a, b *slot) int { return a.order - b.order })
	for _, slot := range byOrder {
		if slot.last.Code() != 0 {
			return slot.last
		}
	}
	return byOrder[len(byOrder)-1].last
}

// sweepLimit is what is left of the grace after a stop, and a whole one when
// the workers ended unasked.
func (s *Supervisor) sweepLimit() time.Duration {
	if !s.killAt.IsZero() {
		return max(time.Until(s.killAt), leastSweep)
	}
	return s.leastGrace()
}

func (s *Supervisor) purge() {
	s.signalRest(unix.SIGKILL)
	s.enter(purging, killPatience)
}

func (s *Supervisor) signalRest(sig unix.Signal) {
	if err := s.Leftovers.SignalAll(sig); err != nil {
		s.Log.Warn("processes left behind not signalled").Str("signal", signals.Name(sig)).Err(err).Send()
	}
}
