package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nodeinit/nodeinit/admin"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/supervisor"
)

// snapshotFactor is how many times the heap a snapshot of it takes at most, nearly: 3 for long
// strings, 6 for parsed JSON, 10 for the modules of a program, 13 for small objects, 21 for a
// Map (seen with Node 18 to 26). One that does not fit costs the worker.
const snapshotFactor = 20

// profile has a worker of s write a profile to a socket, for [admin.Server].
func (st *starter) profile(s *supervisor.Supervisor, p admin.Profile, socket int) (supervisor.Event, error) {
	status, ok := s.Status()
	if !ok {
		return supervisor.Event{}, errors.New("nodeinit itself does not answer")
	}
	w := workerOf(status.Workers, p.Worker)
	if w == nil {
		return supervisor.Event{}, errors.New("there is no worker " + strconv.Itoa(p.Worker) + " (see nodeinit status)")
	}
	event := supervisor.Event{Slot: w.Slot, PID: w.PID, Step: admin.StepStarted}
	if w.Reported.PID > 1 { // below a wrapper
		event.PID = w.Reported.PID
	}
	if err := st.order(w, p, socket); err != nil {
		return supervisor.Event{}, fmt.Errorf("worker %d (pid %d): %w", event.Slot, event.PID, err)
	}
	st.log.Info("profile requested").Str("kind", p.Kind).Int("worker", event.Slot).Int("pid", event.PID).Send()
	return event, nil
}

// order has the agent of a worker write a profile, or returns why not.
func (st *starter) order(w *supervisor.WorkerStatus, p admin.Profile, socket int) error {
	if st.primary == nil {
		return errors.New("it has no agent (--no-agent, or no Node)")
	}
	if silence := w.Silence(time.Now()); silence >= supervisor.HeartbeatLimit {
		return errors.New("its event loop, which would have to take the profile, stands still for " + strconv.Itoa(int(silence.Seconds())) + " s")
	}
	if p.Kind == "heap" && !p.Force {
		if err := st.checkMemory(w.Reported.Loop.Heap); err != nil {
			return err
		}
	}
	order := strconv.AppendFloat([]byte(`{"kind":"`+p.Kind+`","seconds":`), p.Seconds, 'f', -1, 64)
	return st.primary.RunScript(w.ID, node.ProfileScript(), string(order)+"}", socket)
}

// workerOf returns the worker of a slot; nil: there is none.
func workerOf(workers []supervisor.WorkerStatus, slot int) *supervisor.WorkerStatus {
	for i := range workers {
		if w := &workers[i]; w.Slot == slot && w.Current && w.PID != 0 {
			return w
		}
	}
	return nil
}

// checkMemory returns why there can be no snapshot of a heap of so many bytes.
func (st *starter) checkMemory(heap int64) error {
	limit := st.statusLimits().Memory
	used := st.cgroup().MemoryInUse()
	if limit <= 0 || !used.Known {
		return nil
	}
	const mb = 1 << 20
	free := max(limit-int64(min(used.Value, uint64(limit))), 0)
	if need := snapshotFactor * heap; need > free {
		return fmt.Errorf("a snapshot of its heap of %d MB may take up to %d MB, and %d MB are free (--force takes it all the same, and the OOM killer perhaps the worker)",
			heap/mb, need/mb, free/mb)
	}
	return nil
}
