package supervisor

import "time"

// A Status is the state of a container at one moment.
type Status struct {
	State   string       // running, drainDelay, stopping, killing, finalTerm, finalKill or ended
	Ready   int          // workers that serve; 0 once a stop has begun
	Want    int          // slots there are to be
	Change  ChangeReason // why a worker is being replaced, added or removed; "": none is
	Starts  int
	Crashes int
	Workers []WorkerStatus // by slot; in a slot in the order of their start
}

// A WorkerStatus is the state of a worker.
type WorkerStatus struct {
	Slot, PID int
	State     string // starting, ready, closed, finishing, draining, stopping, hung or killed
	Started   time.Time
}

// publish makes the state visible to Status.
func (r *run) publish() {
	now := &Status{
		State: r.shutdown.state.String(), Want: r.rollout.scale.want, Change: r.rollout.reason(),
		Starts: r.fleet.starts, Crashes: r.exit.Crashes,
	}
	for _, w := range r.fleet.workers() {
		now.Workers = append(now.Workers, WorkerStatus{w.slot.number, w.PID, w.state.String(), w.started})
		if r.shutdown.state == running && w.serves() {
			now.Ready++
		}
	}
	r.env.control.status.Store(now)
}
