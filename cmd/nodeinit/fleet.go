package main

import (
	"context"
	"errors"
	"os"
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
	*reaper.Child
	channel *cluster.Worker
	fleet   *fleet
	// Behind a wrapper the end is that of all who have the channel: npm ends
	// before the program does.
	left   chan struct{} // closed when nobody has it any more
	exited chan struct{} // closed when the child has exited, and after left
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

// serve serves the workers until ctx ends.
func (f *fleet) serve(ctx context.Context) {
	go f.tell(ctx)
	if err := f.primary.Run(ctx); err != nil {
		f.log.Error("internal error: the primary has ended").Err(err).Send()
	}
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
			if c.State.Ended {
				w.leave()
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
	w := &worker{channel: channel, fleet: f, left: make(chan struct{}), exited: make(chan struct{})}
	f.mu.Lock()
	f.known[channel] = w
	f.mu.Unlock()
	f.lastID++
	who := exec.Worker{ID: f.lastID, Slot: slot, Workers: f.plan.workers}
	command, err := f.plan.program.Worker(path, who, end, f.inherited)
	if err == nil {
		w.Child, err = command.Start(&f.reaper)
	}
	if err != nil {
		w.Release(true) // what waits for this slot waits for the next attempt
		return nil, err
	}
	go w.watch()
	return w, nil
}

// watch closes exited. It ends with the process.
func (w *worker) watch() {
	<-w.Child.Exited()
	if w.fleet.plan.program.Join == exec.Late {
		<-w.left
	}
	close(w.exited)
}

// leave is called when the channel is closed; only tell and Release call it.
func (w *worker) leave() {
	w.fleet.mu.Lock()
	defer w.fleet.mu.Unlock()
	select {
	case <-w.left:
	default:
		close(w.left)
	}
}

// PID returns the process ID.
func (w *worker) PID() int { return w.Child.PID }

// Exited is closed when the worker has ended.
func (w *worker) Exited() <-chan struct{} { return w.exited }

// Signal sends sig to the process or its group. A wrapper may be gone before
// the program; its number is that of the group as long as there is one.
func (w *worker) Signal(sig unix.Signal, group bool) error {
	err := w.Child.Signal(sig, group)
	if errors.Is(err, os.ErrProcessDone) && group && w.fleet.plan.program.Join == exec.Late {
		if unix.Kill(-w.Child.PID, sig) == nil {
			return nil
		}
	}
	return err
}

// Drain asks the worker to finish what it has and leave.
func (w *worker) Drain() { w.channel.Drain() }

// Release gives up the channel of a worker that has ended.
func (w *worker) Release(kept bool) {
	w.fleet.mu.Lock()
	delete(w.fleet.known, w.channel)
	w.fleet.mu.Unlock()
	w.leave()
	w.channel.Release(kept)
}
