package plan

import (
	"slices"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/node"
)

// Current plans for workers that are started later, under the limits as they are
// by then. One goroutine may use it.
type Current struct {
	log    *logs.Logger
	start  Plan
	source *Source
	limits cgroup.Limits // as last read
	warned []string      // what the last plan warned of
}

// Follow returns what plans for later workers of start, whose limits are read from
// source again. It logs changes of them.
func Follow(log *logs.Logger, source *Source, start Plan) *Current {
	return &Current{log: log, start: start, source: source, limits: start.Limits, warned: start.Warnings}
}

// Plan returns the plan for a worker of slot that is started now, of so many workers.
// It is that of the start, with a heap for that number and the limits by now. learned,
// if not nil, is the program that is run instead of that of the start.
func (c *Current) Plan(slot, workers int, learned *node.Program) Plan {
	p := c.start
	p.Limits = c.Limits()
	p.Workers = workers
	p.slot, p.Heap = slot, Heap{}
	p.Program.Env, p.EnvAdded, p.Warnings = p.Environ, nil, nil
	if learned != nil {
		p.Program = *learned
	}
	p.sizeHeap()
	p.addColors()
	for _, warning := range p.Warnings {
		if !slices.Contains(c.warned, warning) {
			c.log.Warn(limitsMsg).Str("warning", logs.Truncate(warning)).Send()
		}
	}
	c.warned = p.Warnings
	return p
}

// Target returns how many workers the limits are good for by now.
func (c *Current) Target() int {
	n, _ := c.Limits().Workers()
	return n
}

// MaxMemory returns how many bytes one of so many workers may have by now, 0 for any
// number.
func (c *Current) MaxMemory(workers int) int64 {
	return maxMemory(c.start.config.MaxMemory, c.Limits(), workers)
}

// Limits reads the limits again, from where they were read at the start, but asks
// nobody over the network. It takes a few small files. What cannot be read, for
// want of descriptors for example, is as it was: that is no change.
func (c *Current) Limits() cgroup.Limits {
	now := c.source.Read()
	if slices.ContainsFunc(now.Warnings, func(w string) bool { return !slices.Contains(c.start.Limits.Warnings, w) }) {
		return c.limits
	}
	old := c.limits
	c.limits = now
	if old.CPU != now.CPU || old.Affinity != now.Affinity ||
		old.Memory != now.Memory || old.MemoryHigh != now.MemoryHigh {
		_, from := old.Workers()
		_, to := now.Workers()
		line := c.log.Info("limits changed").Str("from", from).Str("to", to)
		addLimits(line, now)
		line.Send()
	}
	return now
}
