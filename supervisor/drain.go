package supervisor

import (
	"errors"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/signals"
)

// A StopOrder is what a worker gets first when it is to end: the stop signal, or a
// request over its channel to finish what it has and leave.
type StopOrder string

const (
	// AutoOrder: the drain first if others serve on, or if the application does not
	// handle the signal itself, as its agent reports; else FinishFirst. Without an
	// agent, SignalFirst.
	AutoOrder StopOrder = ""
	// SignalFirst: the drain only when the worker has no server any more: then it
	// loses no connection.
	SignalFirst StopOrder = "signal"
	// DrainFirst: the signal when the channel has ended, or shortly before the end
	// of the grace.
	DrainFirst StopOrder = "drain"
	// FinishFirst: the signal when no request is in hand, or soon; and the drain
	// after it, if the application then closes no server by itself.
	FinishFirst StopOrder = "finish"
)

const (
	// maxFinish is how long a worker may take to answer what it has in hand: there
	// are answers that never end.
	maxFinish = 3 * time.Second
	// finishReportTime is how much later its agent may report that: its event loop
	// is busy.
	finishReportTime = 500 * time.Millisecond
	// closeTime is when an application that handles the signal, and does not look as
	// if it waited first, has begun to close its servers.
	closeTime = 2 * time.Second
	// killTimeout is how long SIGKILL may take. What is not gone by then hangs in the
	// kernel or belongs to a user that we may not signal; the kernel ends it with PID 1.
	killTimeout = time.Second
)

// A stopSignal is one as it came, and as it is sent on.
type stopSignal struct{ arrived, send unix.Signal }

// orderFor returns in which order a worker with that state is to be stopped, with
// sig, if no other serves on.
func (p StopPolicy) orderFor(state cluster.State, sig unix.Signal, perCore bool) StopOrder {
	switch {
	case state.Ended, p.Order == SignalFirst:
		return SignalFirst
	case !perCore && !state.Agent: // nothing listens on the channel
		return SignalFirst
	case p.Order == DrainFirst:
		return DrainFirst
	case !state.Agent:
		return SignalFirst
	case slices.Contains(state.Handles, signals.Name(sig)):
		return FinishFirst
	}
	return DrainFirst
}

// order returns in which order w is to be stopped, with sig, if no other serves on.
func (w *worker) order(sig stopSignal) StopOrder {
	return w.env.Stop.orderFor(w.reported, sig.send, w.env.PerCore)
}

// drainDeadline is when a worker that drains gets the signal at last: at killAt, the
// end of the grace, it is too late to end well. Zero is never.
func drainDeadline(killAt time.Time, grace time.Duration) time.Time {
	if killAt.IsZero() {
		return killAt
	}
	return killAt.Add(-min(grace/4, 2*time.Second))
}

// forward sends w a signal.
func (w *worker) forward(sig stopSignal) {
	if w.state == workerKilled {
		return
	}
	err := w.Process.Signal(sig.send, w.env.toGroup)
	log := w.env.Log
	switch {
	case errors.Is(err, os.ErrProcessDone): // its exit is the next event
	case err != nil: // EPERM: it has become another user
		w.withWorker(log.Warn("signal not forwarded")).Str("signal", signals.Name(sig.send)).Err(err).Send()
	default:
		w.withWorker(log.Debug("signal forwarded")).Str("signal", signals.Name(sig.arrived)).Str("as", signals.Name(sig.send)).Send()
	}
}

// stop sends w the signal to end.
func (w *worker) stop(sig stopSignal) {
	w.sendStop(sig)
	w.markStopping()
}

// sendStop is the first half of stop: the signal itself.
func (w *worker) sendStop(sig stopSignal) {
	w.onStop()
	w.forward(sig)
}

// markStopping is the second half of stop: it records that w has got the signal, and
// asks it over its channel too where that loses no connection.
func (w *worker) markStopping() {
	if w.state == workerKilled || w.state == workerHung {
		return
	}
	w.resume()
	w.enter(workerStopping, w.killAt)
	w.disconnectIfIdle()
}

// resume continues a stopped process, which reacts to nothing but SIGKILL. Call it
// after what it is to get was sent: a signal stays with a process that is stopped,
// so that none is missed that stops in between.
func (w *worker) resume() {
	if stopped, err := w.Process.Stopped(w.env.Group); stopped || err != nil {
		_ = w.Process.Signal(unix.SIGCONT, w.env.Group)
	}
}

// disconnectIfIdle asks a worker that has no server, any more or at all, to leave
// its channel: that keeps Node alive, for ever if need be, even when the
// application has closed everything. In fork mode the channel keeps nothing alive.
func (w *worker) disconnectIfIdle() {
	if w.env.PerCore && w.reported.Servers == 0 && !w.drained {
		w.drained = true
		w.channel().Disconnect()
	}
}

// finish asks a worker, whose application is to shut itself down, over its channel
// to answer what it has in hand: some handlers end what is left after a second, or
// at once. It serves on meanwhile. It gets sig when it has, or its time is up.
func (w *worker) finish(sig stopSignal, killAt time.Time, grace time.Duration) {
	w.withWorker(w.env.Log.Info(w.env.modeMsg("program finishing", "worker finishing"))).Send()
	w.resume()
	limit := maxFinish
	if grace > 0 {
		limit = min(grace/3, maxFinish)
	}
	w.stopWith, w.drainDeadline = sig, drainDeadline(killAt, grace)
	w.enter(workerFinishing, in(limit+finishReportTime))
	w.channel().Finish(limit)
}

// endFinish sends the signal to a worker that has finished, or had its time for it.
func (w *worker) endFinish() {
	w.stop(w.stopWith)
	late := time.Duration(0)
	if !w.drainDeadline.IsZero() {
		late = max(time.Until(w.drainDeadline), time.Millisecond)
	}
	w.channel().Watch(signals.Name(w.stopWith.send), closeTime, late)
}

// drain asks a worker over its channel to finish and leave. It gets sig when it
// has, or at deadline.
func (w *worker) drain(sig stopSignal, deadline time.Time) {
	w.resume()
	w.stopWith, w.drained = sig, true
	w.enter(workerDraining, deadline)
	w.channel().Drain(signals.Name(sig.send))
}

// drainLate drains a worker that got the signal and goes on serving: what its
// application does with the signal is no shutdown.
func (w *worker) drainLate() {
	if !w.reported.Serving || w.drained {
		return
	}
	w.drained = true
	w.withWorker(w.env.Log.Info(w.env.modeMsg("program serves on after the signal", "worker serves on after the signal"))).
		Str("order", string(DrainFirst)).Send()
	w.channel().StopConnections(false)
	w.channel().Drain(signals.Name(w.stopWith.send))
}

// retire asks a worker to end while the others go on. One that is about to be
// ended for a fault of its own has crashed all the same.
func (w *worker) retire(reason ChangeReason) {
	if !w.working() {
		return
	}
	grace := w.env.Stop.Grace
	w.leaving, w.leaveReason, w.killAt = true, reason, in(grace)
	sig := w.env.ownStop()
	order := w.order(sig)
	if order == FinishFirst { // others serve on
		order = DrainFirst
	}
	w.withWorker(w.env.Log.Info("worker leaving")).Str("why", string(reason)).Str("order", string(order)).
		Int64("grace_ms", grace.Milliseconds()).Send()
	w.channel().StopConnections(w.slot.outgoing == w && w.slot.current != nil)
	if order == DrainFirst {
		w.drain(sig, drainDeadline(w.killAt, grace))
		return
	}
	w.channel().DisableKeepAlives()
	w.stop(sig)
}

func (w *worker) kill(reason KillReason) {
	if w.state == workerKilled {
		return
	}
	w.enter(workerKilled, in(killTimeout))
	w.onStop()
	err := w.Process.Signal(unix.SIGKILL, w.env.toGroup)
	if errors.Is(err, os.ErrProcessDone) {
		return // it has ended by itself; that is the next event
	}
	w.withWorker(w.env.Log.Warn(w.env.modeMsg("killing the program", "killing worker"))).Str("why", string(reason)).Send()
	w.killed = reason
	if err != nil {
		w.withWorker(w.env.Log.Warn(w.env.modeMsg("program not killed", "worker not killed"))).Err(err).Send()
	}
}
