package supervisor

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/logs"
)

// A worker is one that was started, until it is seen to end.
type worker struct {
	*Worker
	env         *env
	slot        *slot
	state       workerState
	deadline    time.Time // of the state; zero: none
	reported    cluster.State
	started     time.Time
	startSeq    int           // of all that were started
	startReason ChangeReason  // why it was started; "": it had to be
	restarts    int           // workers that its slot had before it
	waited      time.Duration // so long its slot was empty before it
	readyAt     time.Time     // since when it is ready; zero: it never was
	killed      KillReason

	drained       bool         // it was asked over its channel to leave
	leaving       bool         // it is to end while the others go on,
	leaveReason   ChangeReason // for that reason
	stopWith      stopSignal   // what it gets when it has finished or drained
	drainDeadline time.Time    // when it should have closed its servers; zero: never
	killAt        time.Time    // when it is to be killed; zero: when all are

	stoppedAt     time.Time    // when it was last seen to be stopped (^Z): silence before proves nothing
	recycleAt     time.Time    // when it is too old; zero: never, or recycleReason is set
	overLimit     int          // so many samples of its memory in a row were over the limit
	recycleReason ChangeReason // why it is to be replaced; "": it is not
	health        workerHealth
}

// withWorker says in line which worker it is about, where there are several.
func (w *worker) withWorker(line *logs.Event) *logs.Event {
	if !w.env.PerCore {
		return line
	}
	return line.Int("worker", w.slot.number).Int("pid", w.PID)
}

// enter changes the state; deadline is when it is over at the latest, zero for never.
// That a channel has closed is no step: most often the process has just ended.
func (w *worker) enter(state workerState, deadline time.Time) {
	changed := w.state != state
	w.state, w.deadline = state, deadline
	if changed && state != workerClosed {
		w.env.step(w, state.String(), "")
	}
}

// working reports whether it is not to end, so far.
func (w *worker) working() bool {
	return w.state == workerStarting || w.state == workerReady || w.state == workerClosed
}

// serves reports whether it is ready and will be, by what it has reported. In fork mode
// it serves without its channel.
func (w *worker) serves() bool {
	return w.state == workerReady && (!w.env.PerCore || !w.reported.Leaving && !w.reported.Ended)
}

// wasReady reports whether it has ever been ready.
func (w *worker) wasReady() bool { return !w.readyAt.IsZero() }

// useful reports whether it was ready for as long as its slot had been empty before
// it. A worker that crashes as soon as it is ready serves no request, and where
// ready means started it was not even that.
func (w *worker) useful(now time.Time) bool { return w.wasReady() && now.Sub(w.readyAt) >= w.waited }

// quits reports whether its end is a loss: it exited with 0 though it was not asked
// to, and it had served. Programs recycle themselves so. One that never listened
// has done its work.
func (w *worker) quits(e Exit) bool {
	served := w.reported.Servers > 0 || len(w.reported.Listening) > 0
	return w.env.PerCore && !w.leaving && e.Code() == 0 && served && w == w.slot.current && w.slot.replacement == nil
}

// interrupted reports whether its end may be that of ^C, which reaches only the worker
// that has the terminal. Nothing tells whether it was: the kernel signals that group
// and no other, and of one that exits with 0 not even the status shows it.
func (w *worker) interrupted(e Exit) bool {
	interrupt := slices.Contains([]int{0, 128 + int(unix.SIGINT), 128 + int(unix.SIGQUIT)}, e.Code())
	return interrupt && !w.leaving && w.killed == "" && w.HasTerminal != nil && w.HasTerminal()
}

// channelEnded reports whether a worker that needs its channel to serve has none
// any more, and had not announced that; what follows is done. In fork mode only the
// agent has one.
func (w *worker) channelEnded() bool {
	switch {
	case !w.env.PerCore:
		return false
	case w.reported.Fault != nil:
		w.kill(ChannelFault)
		return true
	case w.reported.Ended && !w.reported.Leaving: // if it has just exited, that is the next event
		w.enter(workerClosed, in(w.env.ownGrace()))
		return true
	}
	return false
}
