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
	err := l.worker.Process.Signal(sig.send, s.toGroup())
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
	l.worker.onStop()
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
	if stopped, err := l.worker.Process.Stopped(s.Group); stopped || err != nil {
		_ = l.worker.Process.Signal(unix.SIGCONT, s.Group)
	}
}

// disconnectIfIdle asks a worker that has no server, any more or at all, to leave
// its channel: that keeps Node alive, for ever if need be, even when the
// application has closed everything. In fork mode it is nothing that keeps alive.
func (s *Supervisor) disconnectIfIdle(l *life) {
	if s.PerCore && l.told.Servers == 0 && !l.drained {
		l.drained = true
		l.worker.channel().Disconnect()
	}
}

// finish asks a worker, whose application is to shut itself down, over its channel
// to answer what it has in hand: some handlers end what is left after a second, or
// at once. It serves on meanwhile. It gets sig when it has, or its time is up.
func (s *Supervisor) finish(l *life, sig stopSignal, grace time.Duration) {
	s.about(s.Log.Info(s.called("program finishing", "worker finishing")), l).Send()
	s.wake(l)
	limit := mostFinish
	if grace > 0 {
		limit = min(grace/3, mostFinish)
	}
	l.state, l.deadline, l.stopWith = finishing, time.Now().Add(limit+finishAnswer), sig
	l.lastCall = lastCall(s.killAt, grace)
	l.worker.channel().Finish(limit)
}

const (
	// mostFinish is how long a worker may take to answer what it has in hand: there
	// are answers that never end.
	mostFinish = 3 * time.Second
	// finishAnswer is how much later its agent may say so: its event loop is busy.
	finishAnswer = 500 * time.Millisecond
	// closesBy is when an application that handles the signal, and does not look as
	// if it waited first, has begun to close its servers.
	closesBy = 2 * time.Second
)

// endFinish has a worker get the signal that has finished, or had its time for it.
func (s *Supervisor) endFinish(l *life) {
	s.sendStop(l, l.stopWith)
	s.ask(l)
	late := time.Duration(0)
	if !l.lastCall.IsZero() {
		late = max(time.Until(l.lastCall), time.Millisecond)
	}
	l.worker.channel().Watch(signals.Name(l.stopWith.send), closesBy, late)
}

// drainLate drains a worker that got the signal and goes on serving: what its
// application does with the signal is no shutdown.
func (s *Supervisor) drainLate(l *life) {
	if !l.told.Serving || l.drained {
		return
	}
	l.drained = true
	s.about(s.Log.Info(s.called("program serves on after the signal", "worker serves on after the signal")), l).Str("order", string(DrainFirst)).Send()
	l.worker.channel().StopConnections(false)
	l.worker.channel().Drain(signals.Name(l.stopWith.send))
}

// drain asks a worker over its channel to finish and leave. It gets sig when it
// has, or at lastCall.
func (s *Supervisor) drain(l *life, sig stopSignal, lastCall time.Time) {
	s.wake(l)
	l.state, l.deadline, l.stopWith, l.drained = draining, lastCall, sig, true
	l.worker.channel().Drain(signals.Name(sig.send))
}

// endDrain has a worker end that was drained, or had its time for it.
func (s *Supervisor) endDrain(l *life) {
	s.sendStop(l, l.stopWith)
	s.ask(l)
}

// retire asks a worker to end while the others go on. One that is about to be
// ended for a fault of its own has crashed all the same.
func (s *Supervisor) retire(l *life, why ChangeReason) {
	if !l.atWork() {
		return
	}
	l.leaving = true
	if s.Stop.Grace > 0 {
		l.killAt = time.Now().Add(s.Stop.Grace)
	}
	sig := s.ownStop()
	order := s.orderFor(l, sig.send)
	if order == FinishFirst { // others serve on
		order = DrainFirst
	}
	s.about(s.Log.Info("worker leaving"), l).Str("why", string(why)).Str("order", string(order)).
		Int64("grace_ms", s.Stop.Grace.Milliseconds()).Send()
	l.worker.channel().StopConnections(l.slot.old == l && l.slot.life != nil)
	if order == DrainFirst {
		s.drain(l, sig, lastCall(l.killAt, s.Stop.Grace))
		return
	}
	l.worker.channel().DisableKeepAlives()
	s.sendStop(l, sig)
	s.ask(l)
}
