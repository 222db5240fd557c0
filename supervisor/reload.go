package supervisor

import (
	"slices"
	"strconv"
	"time"
)

// A reload replaces each worker that was there when it began.
type reload struct {
	began         time.Time
	startsAtBegin int        // so many workers had been started
	todo          []*slot    // not looked at so far
	replaced      int        // workers
	again         bool       // another reload was requested meanwhile
	by            operations // that have requested it,
	nextBy        operations // and those that have requested the other one
}

// next returns the next slot whose worker is to be replaced; nil: there is none.
// It skips workers started after the reload began, and those exited or stopping:
// their replacements are new anyway.
func (r *reload) next() *slot {
	for len(r.todo) > 0 {
		slot := r.todo[0]
		r.todo = r.todo[1:]
		if w := slot.current; w != nil && w.startSeq <= r.startsAtBegin && w.working() {
			return slot
		}
	}
	return nil
}

// requestReload begins a reload, or has another one follow. by have requested it.
func (o *rollout) requestReload(running bool, by ...*Operation) {
	refused := ""
	switch {
	case !o.env.PerCore:
		refused = "one process cannot share its port with the next one (try --mode per-core --workers 1)"
	case !running:
		refused = stopped
	case o.scale.waiting:
		refused = "the program has asked for no server yet: it may be a job, which is to run once (--mode per-core for one that never listens)"
	case o.reload == nil:
		o.beginReload(by)
	default: // two in a row are enough for all
		o.reload.nextBy.add(by...)
		if !o.reload.again {
			o.reload.again = true
			o.env.Log.Info("another reload will follow").Send()
		}
	}
	if refused != "" {
		o.env.Log.Warn("reload refused").Str("why", refused).Send()
		(*operations)(&by).fail(refused)
	}
}

func (o *rollout) beginReload(by operations) {
	o.reload = &reload{began: time.Now(), startsAtBegin: o.fleet.starts, todo: slices.Clone(o.fleet.slots), by: by}
	o.env.Log.Info("reloading").Int("workers", len(o.fleet.slots)).Send()
}

// reloadNext goes on with the reload. It reports whether there was something to do.
func (o *rollout) reloadNext() bool {
	if o.reload == nil {
		return false
	}
	if slot := o.reload.next(); slot != nil {
		o.startReplacement(slot, ForReload)
		return true
	}
	took := time.Since(o.reload.began)
	o.env.Log.Info("reload done").Int("workers", o.reload.replaced).
		Int64("took_ms", took.Milliseconds()).Send()
	o.reloads++
	if o.reload.replaced == 0 && !o.fleet.othersServe(nil) {
		o.reload.by.fail("no worker runs that could be replaced: the next ones are new anyway, if they come up")
	}
	o.reload.by.done("reloaded " + plural(o.reload.replaced, "worker") + " in " +
		strconv.FormatFloat(took.Seconds(), 'f', 1, 64) + " s")
	o.endReload()
	return true
}

func (o *rollout) endReload() {
	last := o.reload
	o.reload = nil
	if last.again {
		o.beginReload(last.nextBy)
	}
}

// plural returns n of things: "1 worker", "2 workers".
func plural(n int, thing string) string {
	text := strconv.Itoa(n) + " " + thing
	if n != 1 {
		text += "s"
	}
	return text
}
