package supervisor

import "time"

// startFirst starts the first worker of each slot, or of the first slot where the
// others are to follow.
func (r *run) startFirst() {
	n := max(r.env.Workers, 1)
	r.rollout.scale = scale{want: n, target: n}
	if r.env.Grow != nil && n > 1 {
		r.rollout.scale.waiting, n = true, 1
	}
	r.startSlots(n)
	if r.fleet.starts == 0 {
		r.shutdown.enter(ended, 0) // there is no process, and none was left behind
	}
}

// startSlots adds slots until there are n, with a worker each. If one cannot be
// started, all others are stopped.
func (r *run) startSlots(n int) {
	r.startedUp = false
	first := len(r.fleet.slots)
	for len(r.fleet.slots) < n {
		r.fleet.add()
	}
	for i, slot := range r.fleet.slots[first:] {
		if err := r.start(slot, &slot.current); err != nil {
			r.err = err
			r.fleet.slots = r.fleet.slots[:first+i+1]
			r.shutdown.abort(slot, "not_started")
			return
		}
	}
}

// start starts a worker for its place in a slot.
func (r *run) start(slot *slot, place **worker) error {
	started, err := r.env.Start(slot.number, r.rollout.scale.want)
	if err != nil {
		return err
	}
	r.fleet.starts++
	slot.starts++
	w := &worker{
		Worker: started, env: r.env, slot: slot, started: time.Now(), startSeq: r.fleet.starts,
		recycleAt: r.env.recycleAt(), startReason: r.rollout.reasonFor(slot),
		restarts: slot.starts - 1,
	}
	*place = w
	r.events.starts.add(w.reason())
	r.env.step(w, w.state.String(), "")
	r.watchers.Go(func() { r.awaitExit(w) })
	if r.env.PerCore {
		w.withWorker(r.env.Log.Info("worker started")).Send()
	}
	switch limit := r.env.Ready.timeout(); {
	case r.env.Ready.When == ReadyNone || r.env.Reports == nil: // there is nothing to wait for
		r.ready(w)
	case limit > 0:
		w.deadline = w.started.Add(limit)
	}
	return nil
}

// awaitExit brings the exit of w to Run's goroutine.
func (r *run) awaitExit(w *worker) {
	select {
	case <-w.Process.Exited():
	case <-r.over:
		return
	}
	select {
	case r.exits <- w:
	case <-r.over:
	}
}

// refill starts the next worker of a slot that was empty for a while.
func (r *run) refill(slot *slot) {
	slot.retryAt = time.Time{}
	if err := r.start(slot, &slot.current); err != nil {
		r.env.notStarted(slot, err)
		r.crashed(slot, slot.last, false, err)
		return
	}
	slot.current.waited = slot.backoff.delay
}

// grow is called when a worker has reported. The first one that has asked for a
// server to share does not stay alone.
func (r *run) grow(w *worker) {
	scale := &r.rollout.scale
	if !scale.waiting || w.reported.Servers == 0 || r.shutdown.state != running {
		return
	}
	scale.waiting = false
	if why := r.env.Grow(w.Worker, scale.want); why != "" {
		scale.stayAlone(why)
		r.env.Log.Warn("staying one process").Str("why", why).Send()
		return
	}
	r.env.Log.Info("starting the other workers").Int("workers", scale.want).Send()
	r.startSlots(scale.want)
}

// ready records that a worker is ready.
func (r *run) ready(w *worker) {
	w.readyAt = time.Now()
	w.enter(workerReady, time.Time{})
	w.slot.wasReady = true
	w.slot.listened = w.slot.listened || len(w.reported.Listening) > 0
	if r.env.PerCore || r.env.Reports != nil {
		w.withWorker(r.env.Log.Info(r.env.modeMsg("program ready", "worker ready"))).
			Int64("ready_ms", time.Since(w.started).Milliseconds()).Send()
	}
	r.checks.schedule(w)
	r.checkStartedUp()
	r.rollout.workerReady(w)
}

// notReady decides about a worker whose time to get ready is up.
func (r *run) notReady(w *worker) {
	readiness, reported := r.env.Ready, w.reported
	hasServers := reported.Servers > 0 || w.slot.listened
	switch {
	case r.shutdown.state != running: // it need not get ready any more
		w.deadline = time.Time{}
	case reported.Leaving && w.slot.replacement == w: // it is no use, and in the way
		w.kill(NotReady)
	case reported.Leaving: // it has its time, as one that was ready
		w.deadline = time.Time{}
	case readiness.partly(reported): // it may well be another program by now
		w.withWorker(r.env.Log.Warn("worker listens on less than the one before it")).Strs("missing", reported.Awaited).Send()
		r.ready(w)
	case r.reportsNothing(w), readiness.When == ReadyAuto && !hasServers:
		r.ready(w)
	case readiness.Timeout > 0:
		w.kill(NotReady)
	default:
		w.deadline = time.Time{}
	}
}

// reportsNothing reports whether nothing can tell that w is ready. In fork mode that is
// so without an agent, or where it could not be attached and has closed the channel, and
// below a wrapper of which no process has joined. Elsewhere the agent reports to the
// channel, but not before the program listens, or has run for a second.
func (r *run) reportsNothing(w *worker) bool {
	return !r.env.PerCore && !w.reported.Agent && (w.Channel == nil || r.env.Wrapped || w.reported.Ended)
}

// checkStartedUp sets startedUp when each of the first workers has been ready once,
// or has done its work.
func (r *run) checkStartedUp() {
	for _, slot := range r.fleet.slots {
		if !slot.wasReady && (slot.exitSeq == 0 || !slot.done()) && !r.rollout.adds(slot) {
			return
		}
	}
	r.startedUp = true
}
