package supervisor

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/signals"
)

// A run is one call of [Supervisor.Run], and belongs to its goroutine. It brings
// each event to the part of the run that decides what follows.
type run struct {
	env      *env
	fleet    *fleet
	shutdown *shutdown
	rollout  *rollout
	crashes  crashBudget
	oom      oomAccount
	memory   memoryRelief
	checks   checks
	schedule schedule
	timer    *time.Timer // of alarm; nil: not used yet
	reports  reportLog
	events   eventCounts

	exit      Exit  // that Run returns
	err       error // why a worker could not be started, if the container ends of that
	decisive  *Exit // the end of a worker that decides the status; nil: the last ones of all do
	started   time.Time
	startedUp bool // each of the first workers has been ready, or has done its work

	exits    chan *worker // workers that have ended
	over     chan struct{}
	watchers sync.WaitGroup
}

func newRun(s *Supervisor) *run {
	now := time.Now()
	e, f := &env{Supervisor: s, toGroup: s.Group}, new(fleet)
	r := &run{
		env: e, fleet: f, rollout: &rollout{env: e, fleet: f},
		crashes: crashBudget{CrashPolicy: s.Crashes}, oom: oomAccount{s.Before},
		exit: Exit{PerCore: s.PerCore}, started: now,
		exits: make(chan *worker), over: make(chan struct{}), events: newEventCounts(),
	}
	r.rollout.start = r.start
	e.onStep = func(w *worker, step, text string) { reportStep(r.rollout, w, step, text) }
	r.shutdown = &shutdown{env: e, fleet: f, rollout: r.rollout}
	sampled := s.PerCore && (s.Recycle.MaxMemory != nil || s.Target != nil || s.Listens != nil)
	r.schedule = newSchedule(now, sampled, s.Health.HangTimeout)
	r.checks = checks{env: e, fleet: f}
	return r
}

func (r *run) onSignal(sig unix.Signal) {
	r.events.signals.add(signals.Name(sig))
	if sig == r.env.ReloadSignal && sig != 0 {
		r.rollout.requestReload(r.shutdown.state == running)
		return
	}
	send, stop := r.env.Rules.Apply(sig)
	if send == 0 {
		r.env.Log.Debug("signal dropped").Str("signal", signals.Name(sig)).Send()
		return
	}
	r.shutdown.onSignal(stopSignal{sig, send}, stop)
}

func (r *run) onReport(report cluster.Report) {
	w := r.fleet.find(report.ID)
	if w == nil {
		return // it has ended meanwhile
	}
	before := w.reported
	w.reported = report.State
	if report.State.Counted {
		w.slot.traffic.count(before.Requests, report.State.Requests)
	}
	w.onReport(report.State)
	r.reports.log(w, before)
	r.grow(w)
	switch w.state {
	case workerStarting:
		switch {
		case w.channelEnded():
		case r.env.Ready.met(w.reported, r.env.PerCore):
			r.ready(w)
		case r.shutdown.state == running && w.deadline.IsZero() && r.env.Ready.partly(w.reported):
			w.deadline = in(defaultReadyTimeout) // the program may not open the rest any more
		}
	case workerReady:
		w.channelEnded()
	case workerFinishing:
		if w.reported.Finished || w.reported.Ended {
			w.endFinish()
		}
	case workerDraining:
		if w.reported.Ended && !r.env.Stop.awaitsExit(w.reported, w.stopWith.send, w.deadline) {
			w.stop(w.stopWith)
		}
	case workerStopping:
		w.disconnectIfIdle()
		w.drainLate()
	case workerClosed, workerHung, workerKilled: // no more is to be expected of it
	default:
		r.env.unknownState(int(w.state))
	}
}

func (r *run) onRequests() {
	asked := r.env.control.take()
	for _, result := range asked.checked {
		r.checks.record(result, r.shutdown.state == running)
	}
	if asked.scale != nil {
		r.rollout.requestScale(*asked.scale, r.shutdown.state == running)
	}
	if asked.reload != nil {
		r.rollout.requestReload(r.shutdown.state == running, asked.reload...)
	}
	if asked.status != nil {
		r.reconcile() // what was requested with it shows
		asked.status.answer(r.status())
	}
}

func (r *run) onTimer(now time.Time) {
	if passed(r.rollout.pauseUntil, now) {
		r.rollout.pauseUntil = time.Time{}
	}
	r.poll(now)
	for _, w := range r.fleet.workers() {
		if passed(w.recycleAt, now) {
			w.recycleAt, w.recycleReason = time.Time{}, ForAge
		}
		if passed(w.deadline, now) {
			r.workerTimedOut(w)
		}
		r.checks.poll(w, now, r.shutdown.state == running)
	}
	for _, slot := range r.fleet.slots {
		if passed(slot.retryAt, now) {
			r.refill(slot)
		}
	}
	if passed(r.shutdown.deadline, now) {
		r.shutdown.timedOut()
	}
}

// alarm is ready at the next deadline; it is nil if there is none.
func (r *run) alarm() <-chan time.Time {
	next := earlier(r.shutdown.deadline, r.rollout.pauseUntil)
	next = earlier(next, earlier(r.schedule.sampleAt, r.schedule.heartbeatAt))
	for _, slot := range r.fleet.slots {
		next = earlier(next, slot.retryAt)
		for _, w := range slot.places() {
			if w != nil {
				next = earlier(next, earlier(w.health.checkAt, earlier(w.deadline, w.recycleAt)))
			}
		}
	}
	if next.IsZero() {
		return nil
	}
	if r.timer == nil { // one for all: each event sets it, and would leave 200 bytes of garbage
		r.timer = time.NewTimer(time.Until(next))
	} else {
		r.timer.Reset(time.Until(next))
	}
	return r.timer.C
}

// poll checks what changes without an event, where it is time for it.
func (r *run) poll(now time.Time) {
	sample, heartbeats := r.schedule.due(now, r.shutdown.state)
	if sample {
		if r.env.Target != nil {
			r.rollout.followTarget(r.env.Target())
		}
		if r.env.Recycle.MaxMemory != nil {
			r.memory.sample(r.fleet.workers(), r.env.Recycle.MaxMemory(r.rollout.scale.want), now)
		}
		r.rollout.warnOwnServer()
	}
	if heartbeats {
		for _, w := range r.fleet.workers() {
			w.checkHeartbeat(now, r.schedule.pollingSince)
		}
	}
}

// reconcile is called after each event. It begins the next change only here: when
// all workers have done their work, or one has crashed once too often, there are
// to be no new ones.
func (r *run) reconcile() {
	switch r.shutdown.state {
	case running, drainDelay, stopping, killing:
		switch {
		case r.fleet.done():
			r.setResult()
			r.rollout.giveUp()
			r.shutdown.terminateLeftovers()
		case r.shutdown.state == running:
			r.checks.rotate()
			if r.env.PerCore {
				r.rollout.next()
				r.checks.rotate() // one may have been asked to leave
			}
		}
	case finalTerm, finalKill, ended:
	default:
		r.env.unknownState(int(r.shutdown.state))
	}
}

// setResult completes the Exit that Run returns: all workers have ended.
func (r *run) setResult() {
	counts := r.decisive
	if counts == nil {
		counts = r.fleet.result()
	}
	r.exit.Worker, r.exit.Cause = counts.Worker, counts.Cause
	r.exit.Status, r.exit.Survived, r.exit.Killed = counts.Status, counts.Survived, counts.Killed
	r.exit.Requested, r.exit.KillAt = r.shutdown.requested, r.shutdown.killAt
	r.exit.Starts, r.exit.Uptime = r.fleet.starts, time.Since(r.started)
}
