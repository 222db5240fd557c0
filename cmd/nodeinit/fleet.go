package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/reaper"
	"github.com/nodeinit/nodeinit/signals"
	"github.com/nodeinit/nodeinit/supervisor"
)

// endPatience is how long the end of the container waits for the primary, which
// some file or socket of a worker may hold up.
const endPatience = 3 * time.Second

// A fleet starts the processes that have a channel to the primary: workers, or
// in fork mode the program, for its agent.
type fleet struct {
	*run
	primary *cluster.Primary
	changes chan supervisor.Report

	// What follows belongs to the goroutine that starts workers.
	lastID  int           // of a worker, as cluster.worker.id
	reader  *worker       // has standard input; nil: nobody
	learned *node.Program // how workers are started without what wraps them; nil: not known

	starting sync.Mutex // one process at a time

	mu    sync.Mutex
	known map[int64]*worker // by cluster.Worker.ID
}

// A worker is one of them.
type worker struct {
	process
	child    *reaper.Child
	channel  *cluster.Worker
	fleet    *fleet
	joined   joined
	late     bool     // a process below child is to become the worker
	terminal bool     // it has the terminal
	env      []string // it was started with
	heap     int64    // its limit in bytes, 0 if not known
}

// A process is a child, or the group of one behind a wrapper.
type process interface {
	Signal(sig unix.Signal, group bool) error
	Stopped(group bool) (bool, error)
	Exited() <-chan struct{}
	Status() unix.WaitStatus
	MaxRSS() int64
}

func newFleet(r *run) (*fleet, error) {
	primary, err := cluster.New(cluster.Balance(r.plan.balance))
	if err != nil {
		return nil, err
	}
	f := &fleet{
		run: r, primary: primary,
		changes: make(chan supervisor.Report),
		known:   make(map[int64]*worker),
	}
	if p := r.plan.program; p.Runtime == node.RuntimeNode && p.Join == node.JoinDirect {
		primary.BindPrivileged = f.bind
	}
	return f, nil
}

// serving calls run while the primary serves what it starts. An error of the
// primary is nodeinit's own: the workers have lost their channels and end, with 0.
func (f *fleet) serving(ctx context.Context, run func() (supervisor.Exit, error)) (supervisor.Exit, error) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		go f.tell(ctx)
		done <- f.primary.Run(ctx)
	}()
	end, err := run()
	stop()
	select {
	case served := <-done: // the files of Unix sockets are gone
		return end, errors.Join(err, served)
	case <-time.After(endPatience):
		f.log.Warn("the primary does not end").Send()
		return end, err
	}
}

// tell brings the supervisor what workers tell. It may take its time with each:
// what comes meanwhile is one change.
func (f *fleet) tell(ctx context.Context) {
	for {
		select {
		case <-f.primary.Reported():
		case <-ctx.Done():
			return
		}
		for _, c := range f.primary.Reports() {
			f.mu.Lock()
			w, ok := f.known[c.ID]
			f.mu.Unlock()
			if !ok {
				continue
			}
			w.joined.set(c.State)
			select {
			case f.changes <- supervisor.Report{Worker: w, State: c.State}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// start starts the next worker of a slot.
func (f *fleet) start(slot int) (supervisor.Worker, error) {
	f.lastID++
	channel, end, err := f.primary.Open(slot)
	if err != nil {
		return nil, err
	}
	now := f.planNow(slot, f.learned)
	w, err := f.fork(now, node.Slot{ID: f.lastID, Slot: slot, Workers: now.workers, Agent: now.agent, Alone: f.getsInput(slot)}, channel, end)
	if err != nil {
		return nil, err
	}
	if w.late {
		w.process = wrap(w.process, w.child, &w.joined)
	}
	return w, nil
}

// getsInput reports whether the next worker of slot gets standard input. Where
// all start at once the terminal stays nodeinit's, so that ^C reaches all.
func (f *fleet) getsInput(slot int) bool {
	return slot == 0 && f.reader == nil && (f.plan.oneFirst || !isTerminal(unix.Stdin))
}

// startSingle starts the program in fork mode.
func (f *fleet) startSingle(int) (supervisor.Worker, error) {
	channel, end, err := f.primary.OpenFork()
	if err != nil {
		return nil, err
	}
	w, err := f.fork(f.plan, node.Slot{Agent: true, Alone: true}, channel, end)
	if err != nil {
		return nil, err
	}
	w.process = supervisor.OnTerminal{Child: w.child, Heap: w.heap}
	if f.plan.program.Wrapped {
		w.process = wrap(w.process, w.child, &w.joined)
	}
	return w, nil
}

// fork starts the program of p with a channel whose other end is end.
func (f *fleet) fork(p plan, as node.Slot, channel *cluster.Worker, end int) (_ *worker, err error) {
	defer unix.Close(end)
	w := &worker{channel: channel, fleet: f, heap: p.oldSpace, late: p.program.Join == node.JoinLate}
	f.mu.Lock()
	f.known[channel.ID()] = w
	f.mu.Unlock()
	defer func() {
		if err != nil {
			w.Release(true) // what waits for this slot waits for the next attempt
		}
	}()
	path, err := find(f.log, p)
	if err != nil {
		return nil, err
	}
	command, err := p.program.Command(path, as, end, f.inherited)
	if err != nil {
		return nil, err
	}
	command.Threads = f.threads
	f.starting.Lock()
	child, err := command.Start(&f.reaper)
	f.starting.Unlock()
	if err != nil {
		return nil, err
	}
	w.child, w.process, w.env = child, child, command.Env
	w.joined.below(child)
	if as.Alone {
		f.reader, w.terminal = w, exec.HasForeground(child.PID)
	}
	return w, nil
}

// PID returns the process ID.
func (w *worker) PID() int { return w.child.PID }

// OldSpace returns the heap limit that the worker was started with.
func (w *worker) OldSpace() int64 { return w.heap }

// RSS returns the resident set of the program, in bytes.
func (w *worker) RSS() (int64, error) {
	pid, _ := w.joined.told()
	if pid == 0 {
		pid = w.child.PID
	}
	return supervisor.RSS(os.DirFS("/"), pid)
}

// Drain asks the worker to finish what it has and to end its channel.
func (w *worker) Drain(sig unix.Signal) { w.channel.Drain(signals.Name(sig)) }

// Finish has the worker say when it has no request in hand.
func (w *worker) Finish(limit time.Duration) { w.channel.Finish(limit) }

// Watch has it say if it goes on serving after sig.
func (w *worker) Watch(sig unix.Signal, soon, late time.Duration) {
	w.channel.Watch(signals.Name(sig), soon, late)
}

// StopConnections has it get no more connections.
func (w *worker) StopConnections(replaced bool) { w.channel.StopConnections(replaced) }

// DisableKeepAlives has its clients go elsewhere.
func (w *worker) DisableKeepAlives() { w.channel.DisableKeepAlives() }

// Disconnect asks the worker to end its channel.
func (w *worker) Disconnect() { w.channel.Disconnect() }

// HasTerminal reports whether it was started in the foreground of a terminal.
func (w *worker) HasTerminal() bool { return w.terminal }

// Stopping says that its end is that of all it has started, from now on.
func (w *worker) Stopping() {
	if wrapper, ok := w.process.(*wrapper); ok {
		wrapper.stopping.Store(true)
	}
}

// Release gives up the channel of a worker that has ended. Whoever it left in
// its group would serve without being seen; in fork mode the supervisor sees to
// that.
func (w *worker) Release(kept bool) {
	if w.child != nil && w.late && w.fleet.plan.mode == "per-core" {
		_ = w.child.SignalGroup(unix.SIGKILL) // nobody, as a rule
	}
	if w.terminal {
		exec.ReclaimForeground(w.child.PID)
	}
	if w.fleet.reader == w {
		w.fleet.reader = nil
	}
	w.joined.close()
	w.fleet.mu.Lock()
	delete(w.fleet.known, w.channel.ID())
	w.fleet.mu.Unlock()
	w.channel.Release(kept)
}
