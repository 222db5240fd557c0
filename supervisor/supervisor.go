// Package supervisor decides when workers are started, signalled, stopped,
// killed and replaced, and when the container may end. One goroutine, Run's,
// owns all state.
package supervisor

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/signals"
)

const (
	// DefaultGrace fits the 10 s that docker stop waits before it kills.
	DefaultGrace = 9 * time.Second
	// killPatience is how long SIGKILL may take. What is not gone by then hangs
	// in the kernel or belongs to a user whom we may not signal; the kernel
	// ends it with PID 1.
	killPatience = time.Second
	// leastSweep is what processes left behind get to end by themselves even
	// when the workers used up all of the grace.
	leastSweep = 500 * time.Millisecond
)

// A Worker is a program that has been started: the only one in fork mode, one
// of several, with a channel to its primary, in per-core mode. Its dynamic type
// can be compared with ==.
type Worker interface {
	PID() int
	// Signal sends sig to the process, or to its group. Once the process has been
	// reaped it returns [os.ErrProcessDone].
	Signal(sig unix.Signal, group bool) error
	// Exited is closed when the process has ended; Status and MaxRSS, in bytes,
	// may be asked then.
	Exited() <-chan struct{}
	Status() unix.WaitStatus
	MaxRSS() int64
	// Drain says that it is to get no more connections, to finish what it has and
	// to leave. Without a channel it does nothing.
	Drain()
	// Release is called once, when the supervisor has done with it: it was seen
	// to end, or outlived SIGKILL. kept says that its slot is to get another
	// worker, so connections should wait for that one.
	Release(kept bool)
}

// Rest is what remains in the container when the workers have ended.
type Rest interface {
	// SignalRest sends sig to all of it.
	SignalRest(sig unix.Signal) error
	// Empty is closed when nothing remains.
	Empty() <-chan struct{}
}

// A Change is what a worker, as Start returned it, has told so far.
type Change struct {
	Worker Worker
	State  cluster.State
}

// A Supervisor looks after workers, from the start of the first to the end of
// the last process that they leave behind. Set the fields, then call Run once.
type Supervisor struct {
	Log     *logs.Logger
	Signals <-chan unix.Signal
	Rules   signals.Rules
	Rest    Rest
	Group   bool          // signals go to the process groups
	Grace   time.Duration // from the stop signal to SIGKILL; 0: for ever
	// Parental is the signal that comes when the parent dies, 0 for none. The
	// kernel sends it again for each thread of the parent that ends (prctl(2),
	// PR_SET_PDEATHSIG), so it is one stop request however often it comes.
	Parental unix.Signal

	// Workers is how many there are to be, each in a slot; 0 is one.
	Workers int
	// Start starts the worker of a slot, numbered from 0. Run calls it, on its own
	// goroutine, so it must not take long.
	Start func(slot int) (Worker, error)
	// Changes brings what workers tell. It is never closed. In fork mode, where
	// they have no channel, it is nil.
	Changes <-chan Change

	// MaxCrashes is how many crashes within CrashWindow are answered with a new
	// worker; one more ends the container. A CrashWindow of 0 never ends.
	MaxCrashes  int
	CrashWindow time.Duration

	// Before and Stats, if set, are readings of the counters: that from before
	// the start, and one made now. OldSpace is the heap limit of a worker in
	// bytes, 0 if it is not known. They tell why a worker ended.
	Before   cgroup.Stats
	Stats    func() cgroup.Stats
	OldSpace int64

	state    state
	slots    []*slot
	end      Exit
	err      error           // why a worker could not be started, if that is the end
	culprit  *slot           // its crash is the end; nil: none
	recent   []time.Time     // crashes in the window
	order    int             // so many workers have ended
	empty    <-chan struct{} // nil until all workers have ended
	deadline time.Time       // of the state; zero: none
	stops    int             // stop signals so far
	killAt   time.Time       // end of the grace; zero: none
	started  time.Time
	// explained are the counters without the OOM kills that explain no end yet.
	explained cgroup.Stats
	exits     chan *life    // those that have ended
	over      chan struct{} // closed when Run returns
	watchers  sync.WaitGroup
}

// A state is what the container waits for.
type state int

const (
	running  state = iota // workers run, or are about to be replaced
	stopping              // they were asked to stop; the grace runs
	killing               // they were sent SIGKILL
	sweeping              // they have ended; the rest was asked to stop
	purging               // the rest was sent SIGKILL
	ended                 // nothing is left
)

// Run starts the workers and looks after them until they and all they left
// behind have ended, and returns how that came about. An error tells why a
// worker could not be started, one of the first or a replacement once too often;
// what else there was has been stopped. Call Run on the goroutine that may start
// processes.
func (s *Supervisor) Run() (Exit, error) {
	s.started, s.explained = time.Now(), s.Before
	s.end = Exit{PerCore: s.perCore()}
	s.exits, s.over = make(chan *life), make(chan struct{})
	defer s.watchers.Wait()
	defer close(s.over)
	s.startAll()
	for s.settle(); s.state != ended; s.settle() {
		select {
		case sig := <-s.Signals:
			s.arrived(sig)
		case l := <-s.exits:
			if l.slot.life == l { // not given up before
				s.lifeEnded(l, false)
			}
		case c := <-s.Changes:
			s.changed(c)
		case <-s.alarm():
			s.timePassed(time.Now())
		case <-s.empty:
			s.enter(ended, 0)
		}
	}
	return s.end, s.err
}

func (s *Supervisor) perCore() bool { return s.Changes != nil }

// enter changes the state; limit, if not 0, is how long it may last.
func (s *Supervisor) enter(next state, limit time.Duration) {
	s.state, s.deadline = next, time.Time{}
	if limit > 0 {
		s.deadline = time.Now().Add(limit)
	}
}

// settle sees whether there is still somebody to wait for.
func (s *Supervisor) settle() {
	switch s.state {
	case running, stopping, killing:
		for _, slot := range s.slots {
			if slot.life != nil || !slot.retryAt.IsZero() {
				return
			}
		}
		s.sweep()
	case sweeping, purging, ended:
	default:
		s.unknownState(int(s.state))
	}
}

func (s *Supervisor) arrived(sig unix.Signal) {
	send, stop := s.Rules.Apply(sig)
	if send == 0 {
		s.Log.Debug("signal dropped").Str("signal", signals.Name(sig)).Send()
		return
	}
	if stop && (sig != s.Parental || s.stops == 0) {
		s.stops++
	}
	switch s.state {
	case running, stopping:
		for _, l := range s.lives() {
			s.forward(l, sig, send)
		}
		if stop {
			s.stop(send)
		}
	case sweeping:
		if stop {
			s.signalRest(send)
		}
		if s.stops >= 3 {
			s.purge()
		}
	case killing, purging, ended: // SIGKILL is on its way
	default:
		s.unknownState(int(s.state))
	}
}

// alarm is ready at the next deadline; it is nil if there is none.
func (s *Supervisor) alarm() <-chan time.Time {
	next := s.deadline
	for _, slot := range s.slots {
		next = earlier(next, slot.retryAt)
		if slot.life != nil {
			next = earlier(next, slot.life.deadline)
		}
	}
	if next.IsZero() {
		return nil
	}
	return time.After(time.Until(next))
}

// earlier returns the earlier one of two moments; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (s *Supervisor) timePassed(now time.Time) {
	due := func(deadline time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }
	for _, slot := range s.slots {
		if slot.life != nil && due(slot.life.deadline) {
			s.lifeTimedOut(slot.life)
		}
		if due(slot.retryAt) {
			s.refill(slot)
		}
	}
	if due(s.deadline) {
		s.deadlinePassed()
	}
}

func (s *Supervisor) deadlinePassed() {
	switch s.state {
	case stopping:
		s.killAll(GraceExceeded)
	case sweeping:
		s.purge()
	case purging:
		s.Log.Error("processes survived SIGKILL").Send()
		s.enter(ended, 0)
	case running, killing, ended: // have none: each life that is killed has its own
	default:
		s.unknownState(int(s.state))
	}
}

func (s *Supervisor) unknownState(state int) {
	s.Log.Error("internal error: unknown state").Int("state", state).Send()
}
