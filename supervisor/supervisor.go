// Package supervisor starts, watches, replaces and stops the workers of a
// container, and decides when the container ends and with which status.
//
// A [Supervisor] is a set of settings. [Supervisor.Run] calls Start for each
// worker and returns when all of them, and all processes that they left behind,
// have ended. One goroutine, that of Run, owns all state; [Supervisor.Reload],
// [Supervisor.Scale] and [Supervisor.Status] are for all others.
//
// What Start returns is a [Worker]: a [Process] and, where the program has one, a
// [Channel]. What it says over the channel comes from the [Reporter]. In fork mode
// there is one worker. In per-core mode there are several, each in a slot, and
// they share their sockets: a slot can have two for a while, so that one replaces
// the other without a gap.
//
// A container is running until a stop signal comes, a crash is one too many, or
// all workers have ended with 0. Then its workers are asked to end (draining,
// finishing, stopping), killed when the grace is over, and what is left behind
// gets SIGTERM and SIGKILL. docs/lifecycle.md has both state machines.
package supervisor

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/signals"
)

// A Reporter brings what workers report. *cluster.Primary is one.
type Reporter interface {
	// Reported gets a value when Reports has something to return. It is never closed.
	Reported() <-chan struct{}
	// Reports returns the states that are new since the last call, each with the ID
	// of its worker.
	Reports() []cluster.Report
}

// A Supervisor supervises workers, from the start of the first to the end of the
// last process that they leave behind. Set the fields, then call Run once. The
// functions in them are called on Run's goroutine, so they must not take long.
type Supervisor struct {
	Log *logs.Logger

	// Signals are those that nodeinit gets, and Rules what is made of them.
	Signals <-chan unix.Signal
	Rules   signals.Rules
	// Group says that signals go to process groups, and Wrapped that they do from
	// the second stop signal on.
	Group, Wrapped bool
	// ParentDeathSignal is the signal that comes when the parent dies, 0 for none. The
	// kernel sends it again for each thread of the parent that ends (prctl(2),
	// PR_SET_PDEATHSIG), so it is one stop request however often it comes.
	ParentDeathSignal unix.Signal
	// ReloadSignal, if not 0, is not forwarded but means Reload. It needs PerCore.
	ReloadSignal unix.Signal

	// Workers is how many there are to be, each in a slot; 0 is one.
	Workers int
	// PerCore says that workers share their sockets. Else there is one process: fork
	// mode.
	PerCore bool
	// Start starts a worker of a slot, numbered from 0, of so many workers.
	Start func(slot, workers int) (*Worker, error)
	// Grow, if set, says that one of the workers is started first, and the others when
	// it has asked for a server to share. It is called then, and returns why there are
	// to be no others; "" if there are.
	Grow func(first *Worker, workers int) (why string)
	// Listens, if set, reports whether a worker that has asked for no server has a
	// socket that listens.
	Listens func(*Worker) bool
	// Reports brings what workers report; nil where none has a channel.
	Reports Reporter
	// Leftovers are the processes still in the container after all workers exited.
	Leftovers Leftovers

	Ready   Readiness
	Stop    StopPolicy
	Crashes CrashPolicy
	Recycle RecyclePolicy // needs PerCore
	Health  HealthPolicy
	// Target, if set, returns how many workers there are to be by the limits of the
	// container as they are now, and is followed. It needs PerCore.
	Target func() int
	// Allowed, if set, returns how many workers the limits allow by now, whether or not
	// they are followed: Scale refuses more. Without Target, as many as Workers are
	// allowed in any case.
	Allowed func() int

	// Before and Stats, if set, are readings of the counters: one from before the
	// start, and one made now. They show why a worker ended.
	Before cgroup.Stats
	Stats  func() cgroup.Stats

	control control
}

// Run starts the workers and supervises them until they and all that they left
// behind have ended, and returns how that came about. An error says why a worker
// could not be started, one of the first or a replacement once too often; the
// others have been stopped. Call Run on the goroutine that may start processes.
func (s *Supervisor) Run() (Exit, error) {
	r := newRun(s)
	defer r.watchers.Wait()
	defer close(r.over)
	s.control.begin()
	defer func() { s.control.end(r.status()) }()
	r.startFirst()
	var reported <-chan struct{}
	if s.Reports != nil {
		reported = s.Reports.Reported()
	}
	for r.reconcile(); r.shutdown.state != ended; r.reconcile() {
		select {
		case sig := <-s.Signals:
			r.onSignal(sig)
		case w := <-r.exits:
			if slices.Contains(w.slot.workers(), w) { // it may have been given up, after SIGKILL
				r.workerExited(w, false)
			}
		case <-reported:
			for _, report := range s.Reports.Reports() {
				r.onReport(report)
				r.reconcile()
			}
		case <-s.control.requested():
			r.onRequests()
		case <-r.alarm():
			r.onTimer(time.Now())
		case <-r.shutdown.noChildren:
			r.shutdown.enter(ended, 0)
		}
	}
	return r.exit, r.err
}

// Reload replaces all workers, one after the other, each when the new one is
// ready. During a reload it has another one follow, which the operation is about
// then. It may be called by any goroutine at any time and does not block.
func (s *Supervisor) Reload() *Operation {
	return s.control.request(func(q *requests, asked *Operation) { q.reload.add(asked) })
}

// Scale has n workers from now on, or with 0 as many as Target says. More than
// Allowed are refused, but with force. A Scale with another number takes the place of one that is
// not over. It may be called by any goroutine at any time and does not block.
func (s *Supervisor) Scale(n int, force bool) *Operation {
	return s.control.request(func(q *requests, asked *Operation) {
		if q.scale != nil && (q.scale.workers != n || q.scale.force != force) {
			q.scale.by.fail(anotherNumber)
			q.scale = nil
		}
		if q.scale == nil {
			q.scale = &scaleRequest{workers: n, force: force}
		}
		q.scale.by.add(asked)
	})
}
