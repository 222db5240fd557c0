package main

import (
	"context"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/reaper"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A fleet starts workers: processes with a channel to the primary.
type fleet struct {
	*run
	primary *cluster.Primary
	changes chan supervisor.Change
	lastID  int // of a worker, as cluster.worker.id; only start uses it

	mu    sync.Mutex
	known map[*cluster.Worker]*worker
}

// A worker is one of them.
type worker struct {
	process
	child   *reaper.Child
	channel *cluster.Worker
	fleet   *fleet
}

// A process is a child, or the group of one behind a wrapper.
type process interface {
	Signal(sig unix.Signal, group bool) error
	Exited() <-chan struct{}
	Status() unix.WaitStatus
	MaxRSS() int64
}

func newFleet(r *run) (*fleet, error) {
	primary, err := cluster.New(cluster.Balance(r.plan.balance))
	if err != nil {
		return nil, err
	}
	return &fleet{
		run: r, primary: primary,
		changes: make(chan supervisor.Change),
		known:   make(map[*cluster.Worker]*worker),
	}, nil
}

// serve serves the workers until ctx ends. An error is nodeinit's own: the
// workers have lost their channels and end, with 0.
func (f *fleet) serve(ctx context.Context) error {
	go f.tell(ctx)
	return f.primary.Run(ctx)
}

// tell brings the supervisor what workers tell. It may take its time with each:
// what comes meanwhile is one change.
func (f *fleet) tell(ctx context.Context) {
	for {
		select {
		case <-f.primary.Changed():
		case <-ctx.Done():
			return
		}
		for _, c := range f.primary.Changes() {
			f.mu.Lock()
			w, ok := f.known[c.Worker]
			f.mu.Unlock()
			if !ok {
				continue
			}
			select {
			case f.changes <- supervisor.Change{Worker: w, State: c.State}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// start starts the next worker of a slot.
func (f *fleet) start(slot int) (supervisor.Worker, error) {
	path, err := find(f.log, f.plan)
	if err != nil {
		return nil, err
	}
	channel, end, err := f.primary.Open(slot)
	if err != nil {
		return nil, err
	}
	defer unix.Close(end)
	w := &worker{channel: channel, fleet: f}
	f.mu.Lock()
	f.known[channel] = w
	f.mu.Unlock()
	f.lastID++
	child, err := f.fork(path, exec.Worker{ID: f.lastID, Slot: slot, Workers: f.plan.workers}, end)
	if err != nil {
		w.Release(true) // what waits for this slot waits for the next attempt
		return nil, err
	}
	w.child, w.process = child, child
	if f.plan.program.Join == exec.Late {
		w.process = wrap(child, child)
	}
	return w, nil
}

func (f *fleet) fork(path string, w exec.Worker, channel int) (*reaper.Child, error) {
	command, err := f.plan.program.Worker(path, w, channel, f.inherited)
	if err != nil {
		return nil, err
	}
	return command.Start(&f.reaper)
}

// PID returns the process ID.
func (w *worker) PID() int { return w.child.PID }

// Drain asks the worker to finish what it has and leave.
func (w *worker) Drain() { w.channel.Drain() }

// Release gives up the channel of a worker that has ended. Whoever it left in
// its group would serve without being seen.
func (w *worker) Release(kept bool) {
	if w.child != nil && w.fleet.plan.program.Join == exec.Late {
		_ = w.child.SignalGroup(unix.SIGKILL) // nobody, as a rule
	}
	w.fleet.mu.Lock()
	delete(w.fleet.known, w.channel)
	w.fleet.mu.Unlock()
	w.channel.Release(kept)
}
