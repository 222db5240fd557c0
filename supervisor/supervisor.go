// Package supervisor decides when workers are started, signalled, stopped,
// killed and replaced, and when the container may end. One goroutine, Run's,
// owns all state. docs/lifecycle.md has a drawing of it.
package supervisor

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/signals"
)

// A Worker is a program that has been started: the only one in fork mode, one
// of several, with a channel to its primary, in per-core mode. Its dynamic type
// can be compared with ==.
type Worker interface {
	PID() int
	// Signal sends sig to the process, or to its group. Once the process has been
	// reaped it returns [os.ErrProcessDone].
	Signal(sig unix.Signal, group bool) error
	// Stopped reports whether the process, or one of those who get SIGCONT with it,
	// is stopped (^Z, SIGSTOP, a debugger); an error, that this cannot be told. One
	// that is not, after it was signalled, gets the signal. It must not take long.
	Stopped(group bool) (bool, error)
	// Exited is closed when the process has ended; Status and MaxRSS, in bytes,
	// may be asked then.
	Exited() <-chan struct{}
	Status() unix.WaitStatus
	MaxRSS() int64
	// RSS returns the resident set, in bytes. It must not take long.
	RSS() (int64, error)
	// OldSpace returns the heap limit it was started with, in bytes; 0 if that is
	// not known.
	OldSpace() int64
	// HasTerminal reports whether it was started in the foreground of a terminal.
	HasTerminal() bool
	// Stopping says that it is being asked to end: from now on its end is that of
	// all it has started, where it is known that another process stands before it.
	Stopping()
	// StopConnections says that it is to get no more connections. If it was replaced, the
	// next one in its slot is there for them. This and what follows does nothing
	// where there is no channel.
	StopConnections(replaced bool)
	// Drain says that it is to finish what it has and to end its channel. It gets
	// sig then.
	Drain(sig unix.Signal)
	// Finish says that it is to tell when it has no request in hand, or limit is
	// over: it gets a signal to end then, so its clients had better go elsewhere.
	Finish(limit time.Duration)
	// Watch says that it got sig, and is to tell if it goes on serving: after soon,
	// or late if it looks as if it wanted to wait; 0 is never.
	Watch(sig unix.Signal, soon, late time.Duration)
	// DisableKeepAlives says that it gets a signal to end, so that its clients had better go
	// elsewhere.
	DisableKeepAlives()
	// Disconnect says that it is to end its channel, as it has no use for it.
	Disconnect()
	// Release is called once, when the supervisor has done with it: it was seen
	// to end, or outlived SIGKILL. kept says that its slot has or is to get
	// another worker, so connections should wait for that one.
	Release(kept bool)
}

// LeftoverProcesses is what remains in the container when the workers have ended.
type LeftoverProcesses interface {
	// SignalRest sends sig to all of it.
	SignalRest(sig unix.Signal) error
	// WakeRest continues what of it is stopped.
	WakeRest()
	// Empty is closed when nothing remains.
	Empty() <-chan struct{}
}

// A Report is what a worker, as Start returned it, has told so far.
type Report struct {
	Worker Worker
	State  cluster.State
}

// A Supervisor looks after workers, from the start of the first to the end of
// the last process that they leave behind. Set the fields, then call Run once.
// Reload, Scale and Status may be called by any goroutine at any time.
type Supervisor struct {
	Log       *logs.Logger
	Signals   <-chan unix.Signal
	Rules     signals.Rules
	Leftovers LeftoverProcesses
	Group     bool // signals go to the process groups
	Wrapped   bool // they do from the second stop signal on
	// ParentDeathSignal is the signal that comes when the parent dies, 0 for none. The
	// kernel sends it again for each thread of the parent that ends (prctl(2),
	// PR_SET_PDEATHSIG), so it is one stop request however often it comes.
	ParentDeathSignal unix.Signal

	// Workers is how many there are to be, each in a slot; 0 is one.
	Workers int
	// PerCore says that they share their sockets, so that there can be two in a
	// slot for a while. Else there is one process: fork mode.
	PerCore bool
	// Start starts a worker of a slot, numbered from 0. Run calls it, on its own
	// goroutine, so it must not take long.
	Start func(slot int) (Worker, error)
	// Grow, if set, says that one worker is started alone, and the others once it
	// has asked for a server to share. It is called then, on Run's goroutine, and
	// returns why there are to be no others; "" if there are.
	Grow func(Worker) (why string)
	// Listens, if set, reports whether a worker that has asked for no server has a
	// socket that listens. It must not take long.
	Listens func(Worker) bool
	// Reports brings what workers tell. It is never closed. It is nil in fork mode
	// where the program has no channel either.
	Reports <-chan Report

	// Ready is when a worker is ready, and ReadyTimeout how long that may take; 0:
	// for ever, but see [ReadyAuto].
	Ready        Ready
	ReadyTimeout time.Duration

	// DrainDelay is for how long workers serve on after a stop signal, while
	// Status says that nothing is ready any more. Grace is from then on to SIGKILL;
	// 0: for ever. StopOrder is what a worker is told first.
	DrainDelay time.Duration
	Grace      time.Duration
	StopOrder  StopOrder

	// MaxCrashes is how many crashes within CrashWindow are answered with a new
	// worker; one more ends the container, and so does a slot in which no worker was
	// of use for a whole window. A CrashWindow of 0 never ends. A worker that served
	// and exits with 0 while others go on is answered as well, if MaxCrashes is not 0.
	MaxCrashes  int
	CrashWindow time.Duration

	// What follows needs PerCore. ReloadSignal, if not 0, is not forwarded but
	// means Reload.
	ReloadSignal unix.Signal
	// Target, if set, returns how many workers there should be by now. It must not
	// take long.
	Target func() int
	// MaxMemory, if set, returns how much memory a worker may have, in bytes,
	// before it is replaced; 0 is any. It must not take long. MaxAge, if not 0, is
	// how old it may become, a tenth more or less.
	MaxMemory func() int64
	MaxAge    time.Duration
	// Spread returns a random number from 0 to n-1; nil: as rand.Int64N.
	Spread func(n int64) int64

	// HangTimeout, if not 0, is for how long an agent that has reported may be
	// silent. It must be some times as long as agents take from report to report.
	HangTimeout time.Duration

	// Before and Stats, if set, are readings of the counters: that from before
	// the start, and one made now. They tell why a worker ended.
	Before cgroup.Stats
	Stats  func() cgroup.Stats

	state    state
	slots    []*slot
	end      Exit
	err      error           // why a worker could not be started, if that is the end
	culprit  *Exit           // the crash that is the end; nil: none
	recent   []time.Time     // crashes in the window
	order    int             // so many workers have ended
	empty    <-chan struct{} // nil until all workers have ended
	deadline time.Time       // of the state; zero: none
	stops    int             // stop signals so far
	senders  []string        // whose lost messages have been told of
	stopWith stopSignal      // what the workers get, or got, to stop
	killAt   time.Time       // end of the grace; zero: none
	started  time.Time
	up       bool // each of the first workers has been ready, or has done its work
	// explained are the counters without the OOM kills that explain no end yet.
	explained cgroup.Stats

	change     *change    // what is being done to a slot; nil: nothing
	reload     *reload    // nil: none
	size       size       // how many workers there are to be
	alone      alone      // whether there is to be one only, for now
	pauseUntil time.Time  // no recycling and no growing until then; zero: now
	watch      watch      // of memory, limits and beats
	diet       diet       // of workers that are too large from the start
	requests   requests   // of other goroutines
	status     statusCell // for other goroutines

	exits    chan *life    // those that have ended
	over     chan struct{} // closed when Run returns
	watchers sync.WaitGroup
}

// A statusCell has the latest Status.
type statusCell = atomic.Pointer[Status]

// Run starts the workers and looks after them until they and all they left
// behind have ended, and returns how that came about. An error tells why a
// worker could not be started, one of the first or a replacement once too often;
// what else there was has been stopped. Call Run on the goroutine that may start
// processes.
func (s *Supervisor) Run() (Exit, error) {
	s.started, s.explained = time.Now(), s.Before
	s.end = Exit{PerCore: s.PerCore}
	s.exits, s.over = make(chan *life), make(chan struct{})
	defer s.watchers.Wait()
	defer close(s.over)
	s.beginWatch()
	s.startAll()
	for s.settle(); s.state != ended; s.settle() {
		select {
		case sig := <-s.Signals:
			s.arrived(sig)
		case l := <-s.exits:
			if slices.Contains(l.slot.lives(), l) { // not given up before
				s.lifeEnded(l, false)
			}
		case c := <-s.Reports:
			s.changed(c)
		case <-s.requests.made():
			s.answer()
		case <-s.alarm():
			s.timePassed(time.Now())
		case <-s.empty:
			s.enter(ended, 0)
		}
	}
	return s.end, s.err
}

func (s *Supervisor) arrived(sig unix.Signal) {
	if sig == s.ReloadSignal && sig != 0 {
		s.askReload()
		return
	}
	send, stop := s.Rules.Apply(sig)
	if send == 0 {
		s.Log.Debug("signal dropped").Str("signal", signals.Name(sig)).Send()
		return
	}
	if stop && (sig != s.ParentDeathSignal || s.stops == 0) {
		s.stops++
	}
	switch s.state {
	case running, lingering, stopping:
		if stop {
			s.stop(stopSignal{sig, send})
		} else {
			s.forwardAll(stopSignal{sig, send})
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
