package supervisor

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
)

// A Process is what [Supervisor.Start] started: *reaper.Child is one.
type Process interface {
	// Signal sends sig to the process, or to its group. Once the process has been
	// reaped it returns [os.ErrProcessDone].
	Signal(sig unix.Signal, group bool) error
	// Stopped reports whether the process, or one of those that get SIGCONT with it,
	// is stopped (^Z, SIGSTOP, a debugger); an error, that this is not known. One
	// that is not, after it was signalled, gets the signal. It must not take long.
	Stopped(group bool) (bool, error)
	// Exited is closed when the process has ended; Status and MaxRSS, in bytes,
	// may be called then.
	Exited() <-chan struct{}
	Status() unix.WaitStatus
	MaxRSS() int64
}

// A Channel is the primary's end of a worker's channel: *cluster.Worker is one.
type Channel interface {
	// Message sends the application text, if that is not empty.
	Message(text string)
	// Drain has the worker finish what it has and end its channel; it gets signal then.
	Drain(signal string)
	// Finish has it report when no request is in hand, or limit is over.
	Finish(limit time.Duration)
	// Watch has a worker that got signal report if it goes on serving: after soon,
	// or late if it looks as if it wanted to wait; 0 is never.
	Watch(signal string, soon, late time.Duration)
	// StopConnections gives it no more connections. If it was replaced, the next
	// worker in its slot gets them.
	StopConnections(replaced bool)
	// Pause, with true, gives it no new connections as long as others can get them.
	Pause(paused bool)
	// DisableKeepAlives has its clients go elsewhere.
	DisableKeepAlives()
	// Disconnect has it end its channel.
	Disconnect()
	// Handovers returns how many connections it has got over the channel so far.
	Handovers() int64
	// Release gives the channel up. With kept, connections wait for the next worker
	// of the slot.
	Release(kept bool)
}

// A Worker is a started process: the only one in fork mode, one of several in
// per-core mode.
type Worker struct {
	PID     int
	Process Process
	// Channel is nil where it has none: then nothing is sent over it.
	Channel Channel
	// ID is that of its reports ([cluster.Report]); 0 without a channel.
	ID int64
	// OldSpace is the heap limit it was started with, in bytes; 0 if not known.
	OldSpace int64
	// RSS returns the resident set in bytes. It must not take long. It is needed
	// only for [RecyclePolicy.MaxMemory].
	RSS func() (int64, error)

	// What follows may be nil. Run calls it on its own goroutine.

	// HasTerminal reports whether it is in the foreground of a terminal, also when it
	// has just ended: ^C reaches only what is.
	HasTerminal func() bool

	// OnReport is called with each report, before anything is done about it.
	OnReport func(cluster.State)
	// OnStop is called before a stop signal or SIGKILL is sent, each time: from now
	// on the worker's end is that of all that it started.
	OnStop func()
	// OnRelease is called once, when the process was seen to end or outlived
	// SIGKILL, before the channel is released. kept says that the slot has or is to
	// get another worker.
	OnRelease func(kept bool)
}

func (w *Worker) onReport(state cluster.State) {
	if w.OnReport != nil {
		w.OnReport(state)
	}
}

func (w *Worker) onStop() {
	if w.OnStop != nil {
		w.OnStop()
	}
}

func (w *Worker) release(kept bool) {
	if w.OnRelease != nil {
		w.OnRelease(kept)
	}
	w.channel().Release(kept)
}

// channel returns the Channel, or one that does nothing.
func (w *Worker) channel() Channel {
	if w.Channel == nil {
		return noChannel{}
	}
	return w.Channel
}

// A noChannel does nothing.
type noChannel struct{}

func (noChannel) Message(string)                     {}
func (noChannel) Drain(string)                       {}
func (noChannel) Finish(time.Duration)               {}
func (noChannel) Watch(_ string, _, _ time.Duration) {}
func (noChannel) StopConnections(bool)               {}
func (noChannel) Pause(bool)                         {}
func (noChannel) DisableKeepAlives()                 {}
func (noChannel) Disconnect()                        {}
func (noChannel) Handovers() int64                   { return 0 }
func (noChannel) Release(bool)                       {}
