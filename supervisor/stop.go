package supervisor

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

// A StopOrder is what a worker is told first when it is to end: the stop signal,
// or over its channel to finish what it has and leave.
type StopOrder string

const (
	// AutoOrder: the drain first if others serve on, or if the application does not
	// handle the signal itself, as its agent tells; else FinishFirst. Without an
	// agent, SignalFirst.
	AutoOrder StopOrder = ""
	// SignalFirst: the drain only when the worker has no server any more, as it
	// costs nobody anything then.
	SignalFirst StopOrder = "signal"
	// DrainFirst: the signal when the channel has ended, or a last call before
	// the end of the grace.
	DrainFirst StopOrder = "drain"
	// FinishFirst: the signal when no request is in hand, or soon; and the drain
	// after it, if the application then closes no server by itself.
	FinishFirst StopOrder = "finish"
)

// A stopSignal is one as it came, and as it is sent on.
type stopSignal struct{ arrived, send unix.Signal }

// stop answers a stop signal. The first begins the stop, the second ends the
// drain delay or goes to the workers as well, the third kills.
func (s *Supervisor) stop(sig stopSignal) {
	if s.stops >= 3 {
		s.forwardAll(sig)
		s.killAll(StopRepeated)
		return
	}
	switch s.state {
	case running:
		s.beginStop(sig)
	case lingering:
		if s.stops >= 2 { // the parent's death, told again, is no second one
			s.stopWith = sig
			s.endLinger()
		}
	case stopping:
		s.stopWith = sig
		for _, l := range s.lives() {
			s.sendStop(l, sig)
		}
		for _, l := range s.lives() {
			s.ask(l)
		}
	case killing, sweeping, purging, ended: // arrived has seen to them
	default:
		s.unknownState(int(s.state))
	}
}

func (s *Supervisor) beginStop(sig stopSignal) {
	line := s.Log.Info("stopping").Str("signal", signals.Name(sig.send)).Int64("grace_ms", s.Stop.Grace.Milliseconds())
	if s.Stop.Delay > 0 {
		line = line.Int64("drain_delay_ms", s.Stop.Delay.Milliseconds())
	}
	line.Send()
	s.end.Requested = true
	s.stopWith = sig
	s.noMoreStarts()
	if s.Stop.Delay > 0 {
		s.enter(lingering, s.Stop.Delay)
		return
	}
	s.halt(s.Stop.Grace)
}

func (s *Supervisor) endLinger() {
	s.Log.Info("drain delay over").Str("signal", signals.Name(s.stopWith.send)).Send()
	s.halt(s.Stop.Grace)
}

// abort stops all workers, unasked, because of what became of the one of a slot.
func (s *Supervisor) abort(culprit *slot, reason string) {
	s.noMoreStarts()
	if len(s.lives()) == 0 { // what they left behind gets a grace of its own
		return
	}
	s.stopWith = s.ownStop()
	s.Log.Info("stopping").Str("reason", reason).Int("worker", culprit.number).
		Str("signal", signals.Name(s.stopWith.send)).Int64("grace_ms", s.leastGrace().Milliseconds()).Send()
	s.halt(s.leastGrace())
}

// ownStop is the signal for a worker whom nobody but us wants to end.
func (s *Supervisor) ownStop() stopSignal {
	send, _ := s.Rules.Apply(unix.SIGTERM)
	if send == 0 { // SIGTERM is not to be forwarded, but this one is our own
		send = unix.SIGTERM
	}
	return stopSignal{unix.SIGTERM, send}
}

// noMoreStarts gives up what would start a worker. Changes end where they are.
func (s *Supervisor) noMoreStarts() {
	s.change, s.reload = nil, nil
	for _, slot := range s.slots {
		slot.retryAt = time.Time{}
	}
}

// halt asks all workers to end within grace, 0 for ever.
func (s *Supervisor) halt(grace time.Duration) {
	s.killAt = time.Time{}
	if grace > 0 {
		s.killAt = time.Now().Add(grace)
	}
	s.enter(stopping, grace)
	all := slices.DeleteFunc(s.lives(), func(l *life) bool { return !l.atWork() })
	for _, l := range all { // they are to hear of it all at once
		if s.orderFor(l, s.stopWith.send) == SignalFirst {
			l.worker.channel().DisableKeepAlives()
			s.sendStop(l, s.stopWith)
		}
	}
	for _, l := range all {
		switch s.orderFor(l, s.stopWith.send) {
		case SignalFirst:
			s.ask(l)
		case FinishFirst:
			s.finish(l, s.stopWith, grace)
		default:
			s.about(s.Log.Info(s.called("draining the program", "worker draining")), l).Send()
			l.worker.channel().StopConnections(false)
			s.drain(l, s.stopWith, lastCall(s.killAt, grace))
		}
	}
}

// orderFor returns in which order l is to be stopped, with sig, if nobody else serves.
func (s *Supervisor) orderFor(l *life, sig unix.Signal) StopOrder {
	switch {
	case l.told.Ended, s.Stop.Order == SignalFirst:
		return SignalFirst
	case !s.PerCore && !l.told.Agent: // there is nobody to hear it
		return SignalFirst
	case s.Stop.Order == DrainFirst:
		return DrainFirst
	case !l.told.Agent:
		return SignalFirst
	case slices.Contains(l.told.Handles, signals.Name(sig)):
		return FinishFirst
	}
	return DrainFirst
}

// lastCall is when a worker that drains gets the signal at last: at killAt, the
// end of the grace, it is too late to end well. Zero is never.
func lastCall(killAt time.Time, grace time.Duration) time.Time {
	if killAt.IsZero() {
		return killAt
	}
	return killAt.Add(-min(grace/4, 2*time.Second))
}

func (s *Supervisor) killAll(why KillReason) {
	s.enter(killing, 0)
	for _, l := range s.lives() {
		s.kill(l, why)
	}
}

// leastGrace is the grace of what nobody asked for. That is never for ever: a
// container whose worker has crashed must end.
func (s *Supervisor) leastGrace() time.Duration {
	if s.Stop.Grace > 0 {
		return s.Stop.Grace
	}
	return DefaultGrace
}
