package supervisor

import (
	"time"

	"github.com/nodeinit/nodeinit/cluster"
)

// A Status is the state of a container at one moment. Several may share what it
// refers to: do not modify it.
type Status struct {
	State     string // running, drainDelay, stopping, killing, finalTerm, finalKill or ended; "" before the start
	PerCore   bool
	Ready     int          // workers that serve; 0 once a stop has begun
	Want      int          // slots there are to be
	Change    ChangeReason // why a worker is being replaced, added or removed; "": none is
	Reloading bool         // a reload is not over
	Fixed     bool         // Want is by Scale, or one process stays alone: Target is not followed
	Alone     string       // why there is one process for good; "": there is not
	Starts    int          // workers that were started
	Crashes   int          // see [Exit]
	Reloads   int          // that were completed

	ReloadsFailed  int     // that were given up because a new worker did not come up
	StartsByReason []Count // start, crash, or a [ChangeReason]
	CrashesByCause []Count // a [Cause], or not_started
	Signals        []Count // that nodeinit got, SIGTERM and so on

	// HealthPath is what workers are asked for, "": they are not; and HealthPasses says
	// that a worker passed its last check, or the last one did of which that was known.
	HealthPath   string
	HealthPasses bool

	// Workers are those that run, and a slot that waits for its next one; by slot, in
	// a slot in the order of their start.
	Workers []WorkerStatus
}

// A WorkerStatus is the state of a worker, or of a slot that waits for one.
type WorkerStatus struct {
	Slot, PID      int       // PID 0: the slot waits
	State          string    // starting, ready, closed, finishing, draining, stopping, hung, killed, or waiting
	Serves         bool      // it is ready, and does not leave by itself
	Started        time.Time // what follows is zero for a slot that waits, but Restarts and LastExit
	ReadySince     time.Time // zero: it never was
	Restarts       int       // workers that the slot had before
	Reason         string    // why it was started: a [ChangeReason], crash, or "" for the first one
	OldSpace       int64     // see [Worker]
	HealthChecked  bool      // there are health checks
	HealthFailures int       // health checks that have failed in a row,
	HealthError    string    // and why the last one has
	HealthFailed   int64     // that have failed in the slot so far
	Reported       cluster.State
	// LastExit is how the last one of the slot ended that has: the reason to end it, or
	// exit 1, SIGKILL (oom_kill) and the like; "": none has.
	LastExit   string
	LastExitAt time.Time

	// Current says that of its slot this is the one to show where one is to be shown: that
	// which serves, or is to next.
	Current bool
	ID      int64 // see [Worker]; 0: it has no channel
	// What all workers that the slot has had have done together, which never falls.
	Requests  int64 // HTTP requests that their agents have reported
	Counted   bool  // one of them has
	Handovers int64 // connections that nodeinit has handed over to them
}

// Status returns the state. It may be called by any goroutine at any time, but not by
// the functions in s. It waits for Run's goroutine, for three seconds at most: false
// says that this does not answer.
func (s *Supervisor) Status() (Status, bool) {
	reply, final := s.control.askStatus()
	if reply == nil {
		return *final, true
	}
	timeout := time.NewTimer(statusTimeout)
	defer timeout.Stop()
	select {
	case <-reply.done:
		return *reply.status, true
	case <-timeout.C:
		return Status{}, false
	}
}

// status returns the state now.
func (r *run) status() *Status {
	scale := &r.rollout.scale
	now := &Status{
		State: r.shutdown.state.String(), PerCore: r.env.PerCore, Want: scale.want,
		Change: r.rollout.reason(), Reloading: r.rollout.reload != nil, Fixed: scale.fixed, Alone: scale.alone,
		Starts: r.fleet.starts, Crashes: r.exit.Crashes, Reloads: r.rollout.reloads, ReloadsFailed: r.rollout.reloadsFailed,
		HealthPath: r.env.Health.Path, HealthPasses: r.checks.passes,
	}
	r.events.addTo(now)
	for _, slot := range r.fleet.slots {
		for _, w := range slot.workers() {
			slot.addWorker(now, w)
			if r.shutdown.state == running && w.serves() {
				now.Ready++
			}
		}
		if !slot.retryAt.IsZero() {
			waiting := slot.addTo(now)
			waiting.State, waiting.Restarts, waiting.Current = "waiting", slot.starts, slot.shown() == nil
		}
	}
	return now
}

// addTo adds to a status what all workers of the slot have in common.
func (s *slot) addTo(status *Status) *WorkerStatus {
	one := WorkerStatus{
		Slot: s.number, LastExit: s.lastExit, LastExitAt: s.lastExitAt,
		Requests: s.traffic.requests, Counted: s.traffic.counted, Handovers: s.traffic.handovers,
		HealthFailed: s.health.failed,
	}
	for _, w := range s.places() {
		if w != nil {
			one.Handovers += w.channel().Handovers()
		}
	}
	status.Workers = append(status.Workers, one)
	return &status.Workers[len(status.Workers)-1]
}

func (s *slot) addWorker(status *Status, w *worker) {
	one := s.addTo(status)
	one.HealthChecked = w.env.Health.Check != nil
	one.HealthFailures, one.HealthError = w.health.failures, w.health.err
	one.PID, one.State, one.Serves = w.PID, w.state.String(), w.serves()
	one.Started, one.ReadySince, one.OldSpace = w.started, w.readyAt, w.OldSpace
	one.Restarts, one.Reason = w.restarts, w.reason()
	if one.Reason == firstStart {
		one.Reason = ""
	}
	one.Current, one.ID = s.shown() == w, w.ID
	one.Reported = w.reported // what it refers to is never modified
}

// aloneStatus returns the state of w alone.
func aloneStatus(w *worker) WorkerStatus {
	var s Status
	w.slot.addWorker(&s, w)
	return s.Workers[0]
}
