package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/supervisor"
)

// findAgent finds out whether the program can have the agent.
func (a *app) findAgent(p *plan) {
	if !a.config.NoAgent {
		p.agent, p.agentless = p.program.Agent()
	}
}

// hiresUnknown reports whether p has workers of a command that may be anything:
// the Node that becomes a worker is one that can have the agent.
func (a *app) hiresUnknown(p plan) bool {
	return !bool(a.config.NoAgent) && p.mode == "per-core" && p.program.Runtime == node.RuntimeOther && p.program.Join == node.JoinLate
}

// withoutAgent returns why p has no agent, and whether that is known at all.
func (a *app) withoutAgent(p plan) (why string, ok bool) {
	switch {
	case bool(a.config.NoAgent):
		return "not with --no-agent", true
	case p.agent || len(p.program.Argv) == 0:
		return "", false
	case p.agentless != "":
		return p.agentless, true
	case p.program.Runtime == node.RuntimeNode:
		return p.program.Why, true
	default:
		return "only where the program is Node", true
	}
}

// unused returns a line for each reason why settings mean nothing. That is no
// error: the same image may run with and without workers.
func (a *app) unused(p plan) (lines []string) {
	fork := p.mode == "fork"
	reason, noAgent := a.withoutAgent(p)
	for _, why := range []struct {
		needs, reason string
		lacking       bool
	}{
		{"workers", "only for workers (--mode per-core)", fork},
		{"agent", reason, noAgent},
		{"channel", reason, fork && noAgent}, // a worker has one anyway
	} {
		if !why.lacking {
			continue
		}
		if given := a.given(why.needs); len(given) > 0 {
			lines = append(lines, strings.Join(given, ", ")+": "+why.reason)
		}
	}
	return lines
}

// given returns the settings that need something and are not as by default, nor
// as if it were not there.
func (a *app) given(needs string) (list []string) {
	original := defaults()
	before := options(&original)
	for i, o := range options(&a.config) {
		value := fmt.Sprint(o.value.Interface())
		if o.needs == needs && value != fmt.Sprint(before[i].value.Interface()) && value != "none" && value != "signal" {
			list = append(list, "--"+o.flag+" "+value)
		}
	}
	return list
}

// limitWorkers finds how much memory each worker may have.
func (a *app) limitWorkers(p *plan) error {
	if p.mode == "fork" {
		return nil
	}
	m := a.config.MaxMemory
	p.maxMemory = m.of(p.limits, p.workers)
	if m.percent > 0 && p.maxMemory == 0 {
		return fmt.Errorf("--max-memory: %q of no memory limit (set one, or try --max-memory 400M or --memory 512M)", m)
	}
	if full := p.oldSpace + besideHeap; p.maxMemory > full && p.oldSpace > 0 {
		p.warnings = append(p.warnings, fmt.Sprintf("a worker is ended by V8 before it has the %d MiB of --max-memory: its heap of %d MiB is full at about %d (try --max-memory %dM, or a larger --heap)",
			p.maxMemory/mib, p.oldSpace/mib, full/mib, full*9/10/mib))
	}
	return nil
}

// besideHeap is what a Node process has at least besides a full old space (seen
// with a leak of small objects, Node 18 and 24, at 64 to 1024 MiB: 26 to 160 MiB,
// mostly 50).
const besideHeap = 48 * mib

// of returns so many bytes for each of workers under l, 0 for any number.
func (m maxMemory) of(l cgroup.Limits, workers int) int64 {
	if m.percent > 0 {
		return int64(float64(heapBudget(l)/int64(workers)) * m.percent / 100)
	}
	return int64(m.fixed)
}

// tend has s look after the program as the user wants it.
func (r *run) tend(s *supervisor.Supervisor) {
	c := r.config
	s.Ready, s.ReadyTimeout = supervisor.Ready(c.Ready), time.Duration(c.ReadyTimeout)
	s.DrainDelay = time.Duration(c.DrainDelay)
	s.ReloadSignal = c.ReloadSignal.sig()
	switch {
	case c.StopOrder != "auto":
		s.StopOrder = supervisor.StopOrder(c.StopOrder)
	case r.plan.program.Single: // nobody tells what it handles, and the protocol's disconnect is no loss
		s.StopOrder = supervisor.DrainFirst
	}
	if r.plan.agent {
		s.HangTimeout = time.Duration(c.HangTimeout)
	}
}

// tendWorkers is tend for workers.
func (r *run) tendWorkers(s *supervisor.Supervisor) {
	r.tend(s)
	c := r.config
	s.PerCore = true
	s.MaxCrashes, s.CrashWindow = int(c.MaxCrashes), time.Duration(c.CrashWindow)
	s.MaxAge = time.Duration(c.MaxAge)
	if r.plan.maxMemory > 0 {
		s.MaxMemory = func() int64 { return c.MaxMemory.of(r.limitsNow(), r.wanted()) }
	}
	if r.plan.fromLimits && bool(c.Resize) {
		s.Target = r.target
	}
	r.want = func() int { return s.Status().Want }
}
