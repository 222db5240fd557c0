package supervisor

import (
	"strconv"
	"time"

	"github.com/nodeinit/nodeinit/logs"
)

// A ChangeReason is why a worker is started or ended that need not be.
type ChangeReason string

// The reasons, as the log gives them.
const (
	ForReload ChangeReason = "reload"
	ForMemory ChangeReason = "max_memory"
	ForAge    ChangeReason = "max_age"
	ForScale  ChangeReason = "scale"
	ForHealth ChangeReason = "health"
)

// A change is what nodeinit does to a slot of its own accord: a replacement takes
// the place of its worker, a first one is added, or the last slot goes. It takes
// nothing away before there is something better.
type change struct {
	reason ChangeReason
	slot   *slot
	state  changeState
}

// A changeState is what a change waits for.
type changeState int

const (
	replacementStarting changeState = iota // the replacement is to get ready
	outgoingRetiring                       // the outgoing worker is to end
)

// changePause is how long no change is made, unless it is requested, after a
// replacement has failed.
const changePause = time.Minute

// A rollout makes changes, one at a time: it scales, reloads and recycles.
type rollout struct {
	env   *env
	fleet *fleet
	start func(slot *slot, place **worker) error

	change  *change // nil: none
	reload  *reload // nil: none
	reloads int     // that were completed
	// reloadsFailed counts those that were given up because a replacement has ended.
	reloadsFailed int
	scale         scale      // how many workers there are to be
	scaling       operations // that wait until there are so many
	pauseUntil    time.Time  // no recycling and no growing until then; zero: no pause
}

// cancel gives up the change and the reload. They end where they are.
func (o *rollout) cancel() {
	o.giveUp()
	o.change, o.reload = nil, nil
}

// giveUp ends all operations, because nothing is to be started any more.
func (o *rollout) giveUp() {
	o.scaling.fail(stopped)
	if o.reload != nil {
		o.reload.by.fail(stopped)
		o.reload.nextBy.fail(stopped)
	}
}

// reportStep reports to the operation that changes the slot of w what this does, or how
// it has ended.
func reportStep(o *rollout, w *worker, step, text string) {
	if o.change == nil || o.change.slot != w.slot {
		return
	}
	e := Event{Slot: w.slot.number, PID: w.PID, Step: step, Text: text}
	switch o.change.reason {
	case ForReload:
		o.reload.by.report(e)
	case ForScale:
		o.scaling.report(e)
	case ForMemory, ForAge, ForHealth: // nobody has asked for it
	default:
		o.unknownReason(o.change)
	}
}

// next begins the next change, if there is one to make.
func (o *rollout) next() {
	for o.change == nil {
		if !o.resize() && !o.reloadNext() && !o.recycle() {
			return
		}
	}
}

// startReplacement begins a change with another worker for slot.
func (o *rollout) startReplacement(slot *slot, reason ChangeReason) {
	o.change = &change{reason: reason, slot: slot}
	if err := o.start(slot, &slot.replacement); err != nil {
		o.env.notStarted(slot, err)
		o.failed("not_started", logs.Truncate(err.Error()))
	}
}

// reason returns that of the change; "": there is none.
func (o *rollout) reason() ChangeReason {
	if o.change == nil {
		return ""
	}
	return o.change.reason
}

// reasonFor returns why a worker is started for slot now; "": it has to be.
func (o *rollout) reasonFor(slot *slot) ChangeReason {
	if o.change == nil || o.change.slot != slot {
		return ""
	}
	return o.change.reason
}

// starts reports whether the change is to slot, and its replacement is to get ready.
func (o *rollout) starts(slot *slot) bool {
	return o.change != nil && o.change.slot == slot && o.change.state == replacementStarting
}

// adds reports whether the change adds slot.
func (o *rollout) adds(slot *slot) bool { return o.starts(slot) && o.change.reason == ForScale }

// workerReady is called when w is ready. A replacement becomes current, and the one
// before it is asked to end; or it is current already, because that one has ended
// meanwhile.
func (o *rollout) workerReady(w *worker) {
	slot := w.slot
	if !o.starts(slot) {
		return
	}
	slot.loop.over()
	switch {
	case slot.replacement == w:
		slot.outgoing, slot.current, slot.replacement = slot.current, w, nil
		o.retireOutgoing()
	case slot.replacement == nil && slot.current == w:
		o.succeeded()
	}
}

// retireOutgoing is the second half of a change: the outgoing worker, if there is
// one, is to end.
func (o *rollout) retireOutgoing() {
	outgoing := o.change.slot.outgoing
	if outgoing == nil {
		o.succeeded()
		return
	}
	o.change.state = outgoingRetiring
	outgoing.retire(o.change.reason)
}

// succeeded ends the change, if there is one: there is nothing more to wait for.
func (o *rollout) succeeded() {
	c := o.change
	if c == nil {
		return
	}
	o.change = nil
	switch c.reason {
	case ForReload:
		o.reload.replaced++
	case ForScale:
		o.resized()
	case ForMemory, ForAge, ForHealth:
	default:
		o.unknownReason(c)
	}
}

// failed ends the change, if there is one, because its replacement has ended, for
// people: how. All is as before.
func (o *rollout) failed(cause, how string) {
	c := o.change
	if c == nil {
		return
	}
	o.change = nil
	why := "the new worker of slot " + strconv.Itoa(c.slot.number) + " did not come up: " + how
	line := o.env.Log.Warn(string(c.reason)+" failed").Int("worker", c.slot.number).Str("reason", cause)
	switch c.reason {
	case ForReload:
		o.reloadsFailed++
		line.Int("workers", o.reload.replaced).Send()
		o.reload.by.fail(why + " (" + plural(o.reload.replaced, "worker") + " replaced before)")
		o.endReload()
	case ForScale:
		line.Send()
		o.fleet.removeLast()
		o.pauseUntil = in(changePause)
		o.checkScaled() // it may be one that is not wanted by now
		o.scaling.fail(why + " (next attempt in a minute)")
	case ForMemory, ForAge, ForHealth:
		line.Send()
		o.pauseUntil = in(changePause)
	default:
		o.unknownReason(c)
	}
}

func (o *rollout) unknownReason(c *change) {
	o.env.Log.Error("internal error: unknown change").Str("why", string(c.reason)).Send()
}
