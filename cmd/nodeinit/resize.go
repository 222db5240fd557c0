package main

import (
	"slices"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/node"
)

// planNow returns the plan for a worker of slot that is started now. It is that
// of the start, with a heap for the limits as they are by now and for as many workers
// as there are to be by now. Only the supervisor's goroutine may call it.
func (r *run) planNow(slot int, learned *node.Program) plan {
	p := r.plan
	p.limits = r.limitsNow()
	p.workers = r.wanted()
	p.slot, p.othersHeap, p.heapSums = slot, 0, ""
	p.program.Env, p.envAdded, p.oldSpace, p.warnings = p.environ, nil, 0, nil
	if learned != nil {
		p.program = *learned
	}
	r.sizeHeap(&p)
	for _, warning := range p.warnings {
		if !slices.Contains(r.warned, warning) {
			logWarning(r.log, warning)
		}
	}
	r.warned = p.warnings
	return p
}

// wanted returns how many workers there are to be by now.
func (r *run) wanted() int {
	if r.want != nil {
		if n := r.want(); n > 0 { // 0: the first ones are being started
			return n
		}
	}
	return r.plan.workers
}

// target returns how many workers the limits are good for by now. Only the
// supervisor's goroutine may call it.
func (r *run) target() int {
	n, _ := r.limitsNow().Workers()
	return n
}

// limitsNow reads the limits again, from where they were read at the start, but
// asks nobody over the network. It takes a few small files. What cannot be read,
// for want of descriptors for example, is as it was: that is no change.
func (r *run) limitsNow() cgroup.Limits {
	affinity, err := r.affinity()
	if err != nil {
		affinity = r.limits.Affinity
	}
	now := r.readLimits(r.group, affinity, r.task)
	if slices.ContainsFunc(now.Warnings, func(w string) bool { return !slices.Contains(r.plan.limits.Warnings, w) }) {
		return r.limits
	}
	if changed(r.limits, now) {
		_, from := r.limits.Workers()
		_, to := now.Workers()
		addLimits(r.log.Info("limits changed").Str("from", from).Str("to", to), now).Send()
	}
	r.limits = now
	return now
}

func changed(a, b cgroup.Limits) bool {
	return a.CPU != b.CPU || a.Affinity != b.Affinity || a.Memory != b.Memory || a.MemoryHigh != b.MemoryHigh
}
