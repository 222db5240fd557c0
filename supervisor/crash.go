package supervisor

import (
	"slices"
	"time"
)

// A CrashPolicy is how many crashes within Window are answered with a new worker;
// one more ends the container, and so does a slot in which no worker was of use
// for a whole window. A Window of 0 never ends. A worker that served and exits
// with 0 while others go on is answered as well, if Max is not 0.
type CrashPolicy struct {
	Max    int
	Window time.Duration
}

// However short the window is, a slot may fail for minLoop, and so may minFailures
// replacements: most programs need some seconds to start, and so do those they
// depend on.
const (
	minLoop     = 10 * time.Second
	minFailures = 2
)

// How long a slot stays empty after a crash: the first time, and at most.
const (
	minDelay = 100 * time.Millisecond
	maxDelay = 15 * time.Second
)

// A crashBudget counts the crashes in the window.
type crashBudget struct {
	CrashPolicy
	recent []time.Time
}

// record records a crash and returns how many there were in the window, and whether
// that is too many.
func (b *crashBudget) record(now time.Time) (n int, exceeded bool) {
	b.recent = slices.DeleteFunc(b.recent, func(at time.Time) bool {
		return b.Window > 0 && now.Sub(at) >= b.Window
	})
	b.recent = append(b.recent, now)
	return len(b.recent), len(b.recent) > b.Max
}

// A crashLoop tells whether the workers of a slot are of any use. The zero value
// is that of a slot in which none has crashed.
type crashLoop struct {
	since  time.Time // of the first crash after which none was; zero: there was none
	failed int       // so many after that one
}

// over ends it: a worker is ready whose slot was not empty before.
func (c *crashLoop) over() { *c = crashLoop{} }

// record records a crash. useful says that the worker was; window is the time in
// which one must be, 0 for ever. It reports whether none was for so long.
func (c *crashLoop) record(now time.Time, useful bool, window time.Duration) bool {
	if useful || c.since.IsZero() {
		*c = crashLoop{since: now}
		return false
	}
	c.failed++
	return window > 0 && c.failed >= minFailures && now.Sub(c.since) >= max(window, minLoop)
}

// A backoff is how long a slot stays empty after a crash.
type backoff struct{ delay time.Duration } // the last one; 0: there was none

// next returns the next delay: twice the last one, unless afresh.
func (b *backoff) next(afresh bool) time.Duration {
	if b.delay == 0 || afresh {
		b.delay = minDelay
	} else {
		b.delay = min(2*b.delay, maxDelay)
	}
	return b.delay
}

func (r *run) workerTimedOut(w *worker) {
	switch w.state {
	case workerStarting:
		r.notReady(w)
	case workerClosed:
		w.kill(ChannelClosed)
	case workerFinishing:
		w.endFinish()
	case workerDraining:
		w.stop(w.stopWith)
	case workerStopping:
		w.kill(GraceExceeded)
	case workerHung:
		w.kill(Hang)
	case workerKilled:
		w.withWorker(r.env.Log.Error(r.env.modeMsg("the program survived SIGKILL", "worker survived SIGKILL"))).Send()
		r.workerExited(w, true)
	case workerReady: // has no deadline
	default:
		r.env.unknownState(int(w.state))
	}
}

// workerExited decides what becomes of the slot of a worker that has ended, or has
// survived SIGKILL.
func (r *run) workerExited(w *worker, survived bool) {
	slot, running := w.slot, r.shutdown.state == running
	e := exitOf(w, survived)
	e.Cause = r.oom.explain(e, r.env.counters(), w.OldSpace)
	r.fleet.exits++
	slot.traffic.handovers += w.channel().Handovers()
	r.exit.MaxRSS = max(r.exit.MaxRSS, e.MaxRSS)
	others := len(r.fleet.workers()) > 1 || r.fleet.left(slot) > 0
	interrupted := running && w.interrupted(e) && others
	// A worker that hangs and handles SIGABRT has crashed all the same.
	crash := running && !w.leaving && (e.Code() != 0 || w.killed == Hang) && !interrupted
	quit := running && !crash && !interrupted && w.quits(e) && r.fleet.left(slot) > 0
	e.log(w, crash, quit)
	slot.lastExit, slot.lastExitAt = e.text(w), time.Now()
	r.env.step(w, "ended", slot.lastExit)
	kept := w != slot.replacement
	switch w {
	case slot.replacement: // nodeinit started it of its own accord, so its crash is none of those that count
		slot.replacement = nil
		if crash {
			r.countCrash(string(e.Cause))
		}
		r.rollout.failed(string(e.Cause), slot.lastExit)
	case slot.outgoing:
		slot.outgoing = nil
		if crash {
			r.crashed(slot, e, w.useful(time.Now()), nil)
		}
		r.rollout.succeeded()
	case slot.current:
		r.currentExited(w, e, crash, quit)
	}
	w.release(kept && slot.continues())
	if interrupted {
		r.interrupted(slot, e)
	}
}

// interrupted begins the stop after the worker with the terminal has ended. If it
// exited with 0, that is the status of the container, as without the other workers.
func (r *run) interrupted(slot *slot, e Exit) {
	if e.Code() != 0 {
		r.shutdown.interrupt()
		return
	}
	r.decisive = &e
	r.shutdown.endWith(slot)
}

// currentExited decides about a slot whose current worker has ended. A replacement
// takes its place at once, unless all are to end: then it is not to decide the
// status.
func (r *run) currentExited(w *worker, e Exit, crash, quit bool) {
	slot := w.slot
	slot.current = nil
	if r.shutdown.state == running {
		slot.current, slot.replacement = slot.replacement, nil
	}
	slot.last, slot.exitSeq = e, r.fleet.exits
	switch {
	case crash && !r.startedUp && !w.wasReady(): // the program does not come up: say so to what starts containers
		r.countCrash(string(e.Cause))
		r.decisive = &e
		r.shutdown.abort(slot, "crash")
	case crash, quit && r.env.Crashes.Max > 0:
		r.crashed(slot, e, w.useful(time.Now()), nil)
	case quit:
		w.withWorker(r.env.Log.Warn("worker exited by itself and is not replaced (--max-crashes)")).
			Int("left", r.fleet.left(slot)).Int("workers", len(r.fleet.slots)).Send()
	}
	r.checkStartedUp()
	if slot.current == nil && r.rollout.starts(slot) { // w was the replacement, early in its place
		r.rollout.failed(string(e.Cause), slot.lastExit)
	}
}

// crashed decides whether a slot whose worker has crashed, as e has it, or could
// not be started, gets another one. useful says that the worker was of use.
func (r *run) crashed(slot *slot, e Exit, useful bool, startErr error) {
	now := time.Now()
	policy := r.env.Crashes
	cause := string(e.Cause)
	if startErr != nil {
		cause = notStartedCause
	}
	r.countCrash(cause)
	recent, exceeded := r.crashes.record(now)
	loops := slot.loop.record(now, useful, policy.Window)
	if exceeded || loops {
		if !exceeded {
			r.env.Log.Error("crash loop").Int("worker", slot.number).
				Int64("not_ready_ms", now.Sub(slot.loop.since).Milliseconds()).
				Int64("crash_window_ms", policy.Window.Milliseconds()).Send()
		}
		r.err, r.decisive = startErr, &e
		r.shutdown.abort(slot, e.reason())
		return
	}
	delay := time.Duration(0) // it has another one already
	if slot.current == nil {
		delay = slot.backoff.next(startErr == nil && policy.Window > 0 && e.Uptime > policy.Window)
		slot.retryAt = now.Add(delay)
	}
	r.env.Log.Warn("replacing worker").Int("worker", slot.number).
		Int("crashes", recent).Int("max_crashes", policy.Max).
		Int64("delay_ms", delay.Milliseconds()).Send()
}
