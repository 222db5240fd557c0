package supervisor

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

// stop counts a stop signal that has been forwarded: the first starts the
// grace, the third ends it.
func (s *Supervisor) stop(sent unix.Signal) {
	if s.stops >= 3 {
		s.killAll(StopRepeated)
		return
	}
	if s.state == running {
		s.Log.Info("stopping").Str("signal", signals.Name(sent)).Int64("grace_ms", s.Grace.Milliseconds()).Send()
		s.end.Requested = true
		s.halt(s.Grace)
		return
	}
	for _, l := range s.lives() {
		s.ask(l)
	}
}

// abort stops all workers, unasked, because of what became of one.
func (s *Supervisor) abort(culprit *slot, reason string) {
	if len(s.lives()) == 0 { // what they left behind gets a grace of its own
		s.noRefills()
		return
	}
	send, _ := s.Rules.Apply(unix.SIGTERM)
	if send == 0 { // SIGTERM is not to be forwarded, but this one is our own
		send = unix.SIGTERM
	}
	s.Log.Info("stopping").Str("reason", reason).Int("worker", culprit.number).
		Str("signal", signals.Name(send)).Int64("grace_ms", s.leastGrace().Milliseconds()).Send()
	for _, l := range s.lives() {
		s.forward(l, unix.SIGTERM, send)
	}
	s.halt(s.leastGrace())
}

// halt lets workers that were sent the stop signal end within grace, 0 for ever.
func (s *Supervisor) halt(grace time.Duration) {
	s.noRefills()
	for _, l := range s.lives() {
		s.ask(l)
	}
	if grace > 0 {
		s.killAt = time.Now().Add(grace)
	}
	s.enter(stopping, grace)
}

func (s *Supervisor) noRefills() {
	for _, slot := range s.slots {
		slot.retryAt = time.Time{}
	}
}

func (s *Supervisor) killAll(why Kill) {
	s.enter(killing, 0)
	for _, l := range s.lives() {
		s.kill(l, why)
	}
}

// sweep asks what the workers left behind to stop. When nothing is left, that
// shows at once and costs no wait.
func (s *Supervisor) sweep() {
	s.conclude()
	s.empty = s.Rest.Empty()
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
	s.signalRest(unix.SIGCONT)
	s.enter(sweeping, limit)
}

// conclude completes the Exit that Run returns: all workers have ended.
func (s *Supervisor) conclude() {
	v := s.verdict()
	s.end.Worker, s.end.Cause = v.Worker, v.Cause
	s.end.Status, s.end.Survived, s.end.Killed = v.Status, v.Survived, v.Killed
	s.end.Uptime = time.Since(s.started)
}

// sweepLimit is what is left of the grace after a stop, and a whole one when
// the workers ended unasked.
func (s *Supervisor) sweepLimit() time.Duration {
	if !s.killAt.IsZero() {
		return max(time.Until(s.killAt), leastSweep)
	}
	return s.leastGrace()
}

// leastGrace is the grace of what nobody asked for. That is never for ever: a
// container whose worker has crashed must end.
func (s *Supervisor) leastGrace() time.Duration {
	if s.Grace > 0 {
		return s.Grace
	}
	return DefaultGrace
}

func (s *Supervisor) purge() {
	s.signalRest(unix.SIGKILL)
	s.enter(purging, killPatience)
}

func (s *Supervisor) signalRest(sig unix.Signal) {
	if err := s.Rest.SignalRest(sig); err != nil {
		s.Log.Warn("processes left behind not signalled").Str("signal", signals.Name(sig)).Err(err).Send()
	}
}
