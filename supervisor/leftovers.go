package supervisor

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

// Leftovers are the processes still in the container after all workers exited.
// *reaper.Reaper has these methods.
type Leftovers interface {
	// SignalAll sends sig to all of them.
	SignalAll(sig unix.Signal) error
	// ContinueAll continues those that are stopped.
	ContinueAll()
	// NoChildren is closed when none is left.
	NoChildren() <-chan struct{}
}

// minFinalTerm is what leftovers get to end by themselves even when the workers
// used up all of the grace.
const minFinalTerm = 500 * time.Millisecond

// terminateLeftovers asks leftovers to end. When there are none, that shows at once
// and costs no wait.
func (d *shutdown) terminateLeftovers() {
	d.noChildren = d.env.Leftovers.NoChildren()
	select {
	case <-d.noChildren:
		d.enter(ended, 0)
		return
	default:
	}
	if d.signals >= 3 {
		d.killLeftovers()
		return
	}
	limit := d.finalTermLimit()
	d.env.Log.Info(d.env.modeMsg("stopping what the program left behind", "stopping what the workers left behind")).
		Int64("grace_ms", limit.Milliseconds()).Send()
	d.signalLeftovers(unix.SIGTERM)
	d.env.Leftovers.ContinueAll()
	d.enter(finalTerm, limit)
}

// finalTermLimit is what is left of the grace after a stop, and a whole one when
// the workers ended unasked.
func (d *shutdown) finalTermLimit() time.Duration {
	if d.killAt.IsZero() {
		return d.env.ownGrace()
	}
	return max(time.Until(d.killAt), minFinalTerm)
}

func (d *shutdown) killLeftovers() {
	d.signalLeftovers(unix.SIGKILL)
	d.enter(finalKill, killTimeout)
}

func (d *shutdown) signalLeftovers(sig unix.Signal) {
	if err := d.env.Leftovers.SignalAll(sig); err != nil {
		d.env.Log.Warn("processes left behind not signalled").Str("signal", signals.Name(sig)).Err(err).Send()
	}
}
