package supervisor

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

func (s *Supervisor) forwardAll(sig stopSignal) {
	for _, l := range s.lives() {
		s.forward(l, sig)
	}
}

// forward sends a worker a signal that arrived for it.
func (s *Supervisor) forward(l *life, sig stopSignal) {
	if l.state == dying {
		return
	}
	err := l.worker.Signal(sig.send, s.toGroup())
	switch {
	case errors.Is(err, os.ErrProcessDone): // its exit is the next event
	case err != nil: // EPERM: it has become another user
		s.about(s.Log.Warn("signal not forwarded"), l).Str("signal", signals.Name(sig.send)).Err(err).Send()
	default:
		s.about(s.Log.Debug("signal forwarded"), l).Str("signal", signals.Name(sig.arrived)).Str("as", signals.Name(sig.send)).Send()
	}
}

// sendStop sends a worker the signal to end.
func (s *Supervisor) sendStop(l *life, sig stopSignal) {
	l.worker.Stopping()
	s.forward(l, sig)
}

// toGroup reports whether signals go to whole process groups.
func (s *Supervisor) toGroup() bool { return s.Group || s.Wrapped && s.stops >= 2 }

// ask notes that a worker has got the signal to end, and asks it over its channel
// too where that costs nobody anything.
func (s *Supervisor) ask(l *life) {
	if l.state == dying || l.state == hung {
		return
	}
	s.wake(l)
	l.state, l.deadline = asked, l.killAt
	s.disconnectIfIdle(l)
}

// wake continues a stopped process: it would hear of nothing before SIGKILL. Call
// it after what it is to hear was sent: a signal stays with a process that is
// stopped, so that none is missed that stops in between.
func (s *Supervisor) wake(l *life) {
	if stopped, err := l.worker.Stopped(s.Group); stopped || err != nil {
		_ = l.worker.Signal(unix.SIGCONT, s.Group)
	}
}

// disconnectIfIdle asks a worker that has no server, any more or at all, to leave
// its channel: that keeps Node alive, for ever if need be, even when the
// application has closed everything. In fork mode it is nothing that keeps alive.
func (s *Supervisor) disconnectIfIdle(l *life) {
	if s.PerCore && l.told.Servers == 0 && !l.drained {
		l.drained = true
		l.worker.Disconnect()
	}
}

// drain asks a worker over its channel to finish and leave. It gets sig when it
// has, or at lastCall.
func (s *Supervisor) drain(l *life, sig stopSignal, lastCall time.Time) {
	s.wake(l)
	l.state, l.deadline, l.stopWith, l.drained = draining, lastCall, sig, true
	l.worker.Drain()
}

// endDrain has a worker end that was drained, or had its time for it.
func (s *Supervisor) endDrain(l *life) {
	s.sendStop(l, l.stopWith)
	s.ask(l)
}

// retire asks a worker to end while the others go on. One that is about to be
// ended for a fault of its own has crashed all the same.
func (s *Supervisor) retire(l *life, why Why) {
	if !l.atWork() {
		return
	}
	l.leaving = true
	if s.Grace > 0 {
		l.killAt = time.Now().Add(s.Grace)
	}
	sig := s.ownStop()
	order := SignalFirst
	if s.drainsFirst(l, sig.send) {
		order = DrainFirst
	}
	s.about(s.Log.Info("worker leaving"), l).Str("why", string(why)).Str("order", string(order)).
		Int64("grace_ms", s.Grace.Milliseconds()).Send()
	l.worker.Retire(l.slot.old == l && l.slot.life != nil)
	if order == DrainFirst {
		s.drain(l, sig, lastCall(l.killAt, s.Grace))
		return
	}
	l.worker.Shed()
	s.sendStop(l, sig)
	s.ask(l)
}
