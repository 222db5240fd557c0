package supervisor

import (
	"math"
	"time"
)

// steadyReads is how many times in a row Target must return the same before it is
// followed: a limit that changes twice is set by a program that is not finished.
const steadyReads = 3

// maxSlots is how many workers can be asked for, also by force: more than any machine
// has CPUs.
const maxSlots = 1024

// A scale is how many workers there are to be.
type scale struct {
	want   int  // slots
	fixed  bool // by Scale: Target is not followed
	target int  // what Target has returned lastingly
	last   int  // what it returned the last time,
	reads  int  // and so many times in a row

	waiting bool   // there is one worker until it asks for a server
	warned  bool   // that it seems not to
	alone   string // why there is one for good; "": there is not
}

// observe records what Target returns. It reports whether it is another number than
// before, and lasting.
func (c *scale) observe(n int) bool {
	if n != c.last {
		c.last, c.reads = n, 0
	}
	c.reads++
	if c.reads < steadyReads || n == c.target {
		return false
	}
	c.target = n
	return true
}

func (c *scale) stayAlone(why string) { *c = scale{want: 1, target: 1, fixed: true, alone: why} }

// followTarget has n workers if Target keeps returning n, unless Scale was called.
func (o *rollout) followTarget(n int) {
	n = max(n, 1)
	if o.scale.observe(n) && !o.scale.fixed {
		o.scaleTo(n, "limits")
	}
}

// anotherNumber is why a request to scale fails while it is carried out.
const anotherNumber = "another number of workers was asked for"

// requestScale has so many workers from now on, or with 0 as many as Target returns.
func (o *rollout) requestScale(asked scaleRequest, running bool) {
	n, before, refused := asked.workers, o.scale.want, ""
	switch {
	case !o.env.PerCore:
		refused = "one process cannot share its port with others"
	case !running:
		refused = stopped
	case o.scale.alone != "":
		refused = o.scale.alone
	case n <= 0:
		o.scale.fixed = false
		o.scaleTo(o.scale.target, "limits")
	case n > maxSlots:
		refused = "more than " + plural(maxSlots, "worker")
	default:
		if allowed := o.env.allowed(); n > allowed && !asked.force {
			refused = "the limits of the container are good for " + plural(allowed, "worker") + " (--force starts more)"
			break
		}
		o.scale.fixed = true
		o.scaleTo(n, "asked")
	}
	if refused != "" {
		o.env.Log.Warn("scale refused").Str("why", refused).Send()
		asked.by.fail(refused)
		return
	}
	if o.scale.want != before {
		o.scaling.fail(anotherNumber)
	}
	o.scaling.add(asked.by...)
	switch {
	case o.scale.waiting:
		o.scaling.done(plural(o.scale.want, "worker") + ", once the program has asked for a server")
	case o.reason() != ForScale:
		o.checkScaled()
	}
}

// allowed returns how many workers may be asked for without force.
func (e *env) allowed() int {
	if e.Allowed == nil {
		return math.MaxInt
	}
	n := max(e.Allowed(), 1)
	if e.Target == nil { // the user has set the number
		n = max(n, e.Workers)
	}
	return n
}

// checkScaled ends what waits for the number of workers, if it is there.
func (o *rollout) checkScaled() {
	if len(o.fleet.slots) == o.scale.want {
		o.scaling.done(plural(o.scale.want, "worker"))
	}
}

func (o *rollout) scaleTo(n int, why string) {
	o.pauseUntil = time.Time{}
	if n == o.scale.want {
		return
	}
	o.env.Log.Info("scaling").Int("from", len(o.fleet.slots)).Int("to", n).Str("why", why).Send()
	o.scale.want = n
}

// resize adds or removes one slot, the last. It reports whether it did.
func (o *rollout) resize() bool {
	n := len(o.fleet.slots)
	if o.scale.want > n {
		if !o.pauseUntil.IsZero() || o.scale.waiting || o.scale.alone != "" {
			return false
		}
		o.startReplacement(o.fleet.add(), ForScale)
		return true
	}
	if o.scale.want == n {
		return false
	}
	slot := o.fleet.last()
	w := slot.current
	switch {
	case slot.done(): // its worker has done its work
		o.resized()
		return true
	case w == nil: // it is to be refilled: its next worker serves what waits for it
		return false
	case w.serves() && !o.fleet.othersServe(w):
		return false
	}
	slot.outgoing, slot.current = w, nil
	o.change = &change{reason: ForScale, slot: slot}
	o.retireOutgoing()
	return true
}

// resized completes the addition or the removal of the last slot.
func (o *rollout) resized() {
	if o.fleet.last().done() {
		o.fleet.removeLast()
	}
	if len(o.fleet.slots) == o.scale.want {
		o.env.Log.Info("scaled").Int("workers", o.scale.want).Send()
	}
	o.checkScaled()
}

// ownServer is why a worker that listens and has asked for no server stays alone.
const ownServer = "it listens on a socket of its own (in a worker thread, or with exclusive or reusePort), which cannot be shared"

// warnOwnServer warns, once, that the only worker listens without having asked for
// a server. It may still ask: a debugger's port is a socket of its own too.
func (o *rollout) warnOwnServer() {
	if !o.scale.waiting || o.scale.warned || o.env.Listens == nil {
		return
	}
	for _, w := range o.fleet.workers() {
		if w.working() && o.env.Listens(w.Worker) {
			o.scale.warned = true
			o.env.Log.Warn("staying one process").Str("why", ownServer).Send()
		}
	}
}
