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

// A Leftovers is what remains in the container when the workers have ended.
// *reaper.Reaper is one.
type Leftovers interface {
	// SignalAll sends sig to all of it.
	SignalAll(sig unix.Signal) error
	// ContinueAll continues what of it is stopped.
	ContinueAll()
	// NoChildren is closed when nothing remains.
	NoChildren() <-chan struct{}
}

// A Reporter brings what workers report. *cluster.Primary is one.
type Reporter interface {
	// Reported gets a value when Reports has something to return. It is never closed.
	Reported() <-chan struct{}
	// Reports returns the states that are new since the last call, each with the ID
	// of its worker.
	Reports() []cluster.Report
}

// A Supervisor looks after workers, from the start of the first to the end of
// the last process that they leave behind. Set the fields, then call Run once.
// Reload, Scale and Status may be called by any goroutine at any time.
type Supervisor struct {
	Log       *logs.Logger
	Signals   <-chan unix.Signal
	Rules     signals.Rules
	Leftovers Leftovers
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
	Start func(slot int) (*Worker, error)
	// Grow, if set, says that one worker is started alone, and the others once it
	// has asked for a server to share. It is called then, on Run's goroutine, and
	// returns why there are to be no others; "" if there are.
	Grow func(*Worker) (why string)
	// Listens, if set, reports whether a worker that has asked for no server has a
	// socket that listens. It must not take long.
	Listens func(*Worker) bool
	// Reports brings what workers report; nil where none has a channel.
	Reports Reporter

	Ready   Readiness
	Stop    StopPolicy
	Crashes CrashPolicy

	// What follows needs PerCore. ReloadSignal, if not 0, is not forwarded but
	// means Reload.
	ReloadSignal unix.Signal
	// Target, if set, returns how many workers there should be by now. It must not
	// take long.
	Target  func() int
	Recycle RecyclePolicy

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
	var reported <-chan struct{}
	if s.Reports != nil {
		reported = s.Reports.Reported()
	}
	for s.settle(); s.state != ended; s.settle() {
		select {
		case sig := <-s.Signals:
			s.arrived(sig)
		case l := <-s.exits:
			if slices.Contains(l.slot.lives(), l) { // not given up before
				s.lifeEnded(l, false)
			}
		case <-reported:
			for _, r := range s.Reports.Reports() {
				s.changed(r)
				s.settle()
			}
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
