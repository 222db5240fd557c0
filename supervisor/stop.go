package supervisor

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

// A StopPolicy is how workers are stopped.
type StopPolicy struct {
	// Delay is how long they serve on after a stop signal, while Status says that
	// none is ready any more.
	Delay time.Duration
	// Grace is from then on to SIGKILL; 0: for ever.
	Grace time.Duration
	// Order is what a worker gets first.
	Order StopOrder
	// Message is what its application gets over its channel before all that; "": none.
	Message string
}

// A shutdown is the end of the container, from the first stop signal, or from a
// crash that is one too many, until nothing is left.
type shutdown struct {
	env     *env
	fleet   *fleet
	rollout *rollout // is cancelled

	state      state
	deadline   time.Time       // of the state; zero: none
	signals    int             // stop signals so far
	requested  bool            // it began with one
	signal     stopSignal      // what workers get, or got, to stop
	killAt     time.Time       // end of the grace; zero: none
	noChildren <-chan struct{} // nil until all workers have ended
}

// enter changes the state; limit, if not 0, is how long it may last.
func (d *shutdown) enter(next state, limit time.Duration) { d.state, d.deadline = next, in(limit) }

// onSignal handles a signal for the workers; stop says that it is a stop signal.
func (d *shutdown) onSignal(sig stopSignal, stop bool) {
	if stop && (sig.arrived != d.env.ParentDeathSignal || d.signals == 0) {
		d.count()
	}
	switch d.state {
	case running, drainDelay, stopping:
		if stop {
			d.stop(sig)
		} else {
			d.forwardAll(sig)
		}
	case finalTerm:
		if stop {
			d.signalLeftovers(sig.send)
		}
		if d.signals >= 3 {
			d.killLeftovers()
		}
	case killing, finalKill, ended: // SIGKILL is on its way
	default:
		d.env.unknownState(int(d.state))
	}
}

// count counts a stop signal.
func (d *shutdown) count() {
	d.signals++
	d.env.toGroup = d.env.Group || d.env.Wrapped && d.signals >= 2
}

// stop answers a stop signal. The first begins the stop, the second ends the
// drain delay or goes to the workers as well, the third kills.
func (d *shutdown) stop(sig stopSignal) {
	if d.signals >= 3 {
		d.forwardAll(sig)
		d.killAll(StopRepeated)
		return
	}
	switch d.state {
	case running:
		d.begin(sig)
	case drainDelay:
		if d.signals >= 2 { // the parent's death, signalled again, is no second one
			d.signal = sig
			d.endDrainDelay()
		}
	case stopping:
		d.signal = sig
		for _, w := range d.fleet.workers() {
			w.sendStop(sig)
		}
		for _, w := range d.fleet.workers() {
			w.markStopping()
		}
	case killing, finalTerm, finalKill, ended: // onSignal has handled it
	default:
		d.env.unknownState(int(d.state))
	}
}

// interrupt begins the stop as if SIGINT had come: ^C has ended the worker that has
// the terminal.
func (d *shutdown) interrupt() {
	d.count()
	d.begin(d.env.interrupt())
}

// endWith stops all other workers because the one of slot, which had the terminal, has
// exited with 0: of ^C, or by itself. So they get SIGINT, and it counts as the first
// stop signal. But a program that ends by itself is not to wait for others that would
// not be there under plain Node: there is no drain delay, and an end of the grace.
func (d *shutdown) endWith(slot *slot) {
	d.count()
	d.requested = true
	d.stopOthers(slot, "exit", d.env.interrupt())
}

func (d *shutdown) begin(sig stopSignal) {
	policy := d.env.Stop
	line := d.env.Log.Info("stopping").Str("signal", signals.Name(sig.send)).Int64("grace_ms", policy.Grace.Milliseconds())
	if policy.Delay > 0 {
		line = line.Int64("drain_delay_ms", policy.Delay.Milliseconds())
	}
	line.Send()
	d.warnUnhandled(sig)
	d.requested, d.signal = true, sig
	d.cancelStarts()
	if policy.Delay > 0 {
		d.enter(drainDelay, policy.Delay)
		return
	}
	d.stopWorkers(policy.Grace)
}

// warnUnhandled warns of an application that handles another stop signal than that
// which it gets. It is called at the start of the stop: applications install
// handlers at any time, so before that a warning could be wrong. ^C is no
// deployment's stop signal.
func (d *shutdown) warnUnhandled(sig stopSignal) {
	if sig.arrived == unix.SIGINT {
		return
	}
	for _, w := range d.fleet.workers() {
		handles := slices.DeleteFunc(slices.Clone(w.reported.Handles), func(name string) bool {
			return name != "SIGTERM" && name != "SIGINT" && name != "SIGQUIT"
		})
		if len(handles) == 0 || slices.Contains(handles, signals.Name(sig.send)) {
			continue
		}
		w.withWorker(d.env.Log.Warn("the application does not handle the stop signal")).
			Strs("handles", handles).Str("signal", signals.Name(sig.send)).
			Str("try", "--stop-signal "+strings.TrimPrefix(handles[0], "SIG")).Send()
		return
	}
}

func (d *shutdown) endDrainDelay() {
	d.env.Log.Info("drain delay over").Str("signal", signals.Name(d.signal.send)).Send()
	d.stopWorkers(d.env.Stop.Grace)
}

// abort stops all workers, though no stop was requested, because of what became of
// the one of a slot.
func (d *shutdown) abort(slot *slot, reason string) { d.stopOthers(slot, reason, d.env.ownStop()) }

// stopOthers stops, with sig, all workers there are after what became of the one of slot.
func (d *shutdown) stopOthers(slot *slot, reason string, sig stopSignal) {
	d.cancelStarts()
	if len(d.fleet.workers()) == 0 { // leftovers get a grace of their own
		return
	}
	d.signal = sig
	grace := d.env.ownGrace()
	d.env.Log.Info("stopping").Str("reason", reason).Int("worker", slot.number).
		Str("signal", signals.Name(d.signal.send)).Int64("grace_ms", grace.Milliseconds()).Send()
	d.stopWorkers(grace)
}

// cancelStarts gives up what would start a worker. Changes end where they are.
func (d *shutdown) cancelStarts() {
	d.rollout.cancel()
	d.fleet.cancelRetries()
}

// stopWorkers asks all workers to end within grace, 0 for ever.
func (d *shutdown) stopWorkers(grace time.Duration) {
	d.killAt = in(grace)
	d.enter(stopping, grace)
	all := slices.DeleteFunc(d.fleet.workers(), func(w *worker) bool { return !w.working() })
	for _, w := range all { // they are to get it all at once
		w.channel().Message(d.env.Stop.Message)
		if w.order(d.signal) == SignalFirst {
			w.channel().DisableKeepAlives()
			w.sendStop(d.signal)
		}
	}
	for _, w := range all {
		switch w.order(d.signal) {
		case SignalFirst:
			w.markStopping()
		case FinishFirst:
			w.finish(d.signal, d.killAt, grace)
		default:
			w.withWorker(d.env.Log.Info(d.env.modeMsg("draining the program", "worker draining"))).Send()
			w.channel().StopConnections(false)
			w.drain(d.signal, drainDeadline(d.killAt, grace))
		}
	}
}

func (d *shutdown) forwardAll(sig stopSignal) {
	for _, w := range d.fleet.workers() {
		w.forward(sig)
	}
}

func (d *shutdown) killAll(reason KillReason) {
	d.enter(killing, 0)
	for _, w := range d.fleet.workers() {
		w.kill(reason)
	}
}

// timedOut handles the deadline of the state.
func (d *shutdown) timedOut() {
	switch d.state {
	case drainDelay:
		d.endDrainDelay()
	case stopping:
		d.killAll(GraceExceeded)
	case finalTerm:
		d.killLeftovers()
	case finalKill:
		d.env.Log.Error("processes survived SIGKILL").Send()
		d.enter(ended, 0)
	case running, killing, ended: // have none: each worker that is killed has its own
	default:
		d.env.unknownState(int(d.state))
	}
}
