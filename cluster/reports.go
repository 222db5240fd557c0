package cluster

import (
	"slices"
	"sync"
)

// A Report is the current state of a worker.
type Report struct {
	ID    int64 // of the worker, see [Worker.ID]
	State State
}

// reports holds the states that changed since they were taken last: one for each
// worker, however often it changed.
type reports struct {
	signal chan struct{} // gets a value when there is something to take

	mu    sync.Mutex
	list  []Report
	taken []Report // what take returned last
}

// publish replaces the report of a worker, or adds it.
func (r *reports) publish(id int64, s State) {
	report := Report{id, s.clone()}
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.IndexFunc(r.list, func(known Report) bool { return known.ID == id }); i >= 0 {
		r.list[i] = report
		return
	}
	r.list = append(r.list, report)
	select {
	case r.signal <- struct{}{}:
	default: // the last signal was not received yet
	}
}

// take returns the reports, in the order in which their workers changed first, until it is
// called again: the two lists are used by turns, since heartbeats come all the time.
func (r *reports) take() []Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list, r.taken = r.taken[:0], r.list
	return r.taken
}
