package plan

import (
	"cmp"
	"strings"

	"github.com/nodeinit/nodeinit/node"
)

// withoutAgent returns why p has no agent, "" if it has one or there is no program.
func (p *Plan) withoutAgent() string {
	switch {
	case bool(p.config.NoAgent):
		return "not with " + p.config.Flag(&p.config.NoAgent)
	case p.Agent || len(p.Program.Argv) == 0:
		return ""
	case p.Program.Runtime == node.RuntimeNode:
		return cmp.Or(p.NoAgentReason, p.Program.Why)
	default:
		return cmp.Or(p.NoAgentReason, "only where the program is Node")
	}
}

// withoutWorkers returns why p has one process, and what helps.
func (p *Plan) withoutWorkers() string {
	mode := p.config.Flag(&p.config.Mode)
	switch {
	case Mode(p.config.Mode) == Fork:
		return "only for workers, not with " + mode + " fork (try " + mode + " per-core)"
	case p.Count.Allowed == 1 && p.Program.Runtime == node.RuntimeNode && p.Program.Join != node.JoinNone:
		return "only for workers, and " + p.Reason + " (try " + mode + " per-core --workers 1)"
	default:
		return "only for workers, and " + p.Reason
	}
}

// unused returns a line for each reason why settings have no effect. That is no
// error: the same image may run with and without workers.
func (p *Plan) unused() (lines []string) {
	add := func(needs string, why func() string) {
		if given := p.config.Given(needs); len(given) > 0 {
			lines = append(lines, strings.Join(given, ", ")+": "+why())
		}
	}
	if Mode(p.config.Mode) == Fork { // else the start line says why
		add("mode", p.withoutWorkers)
	}
	if p.Mode == Fork {
		add("workers", p.withoutWorkers)
	}
	if p.withoutAgent() != "" {
		add("agent", p.withoutAgent)
		if p.Mode == Fork { // a worker has a channel anyway
			add("channel", p.withoutAgent)
		}
	}
	if c := p.config; c.Metrics.Port == 0 {
		add("metrics", func() string { return "only with " + c.Flag(&c.Metrics) })
	}
	if c := p.config; c.HealthPath.Path == "" {
		add("health", func() string { return "only with " + c.Flag(&c.HealthPath) })
	}
	if !p.Logs.IsJSON() {
		add("json", func() string { return "only with " + p.config.Flag(&p.config.Logs) + " json" })
		if p.Logs.ownText {
			add("fields", func() string { return "only for JSON lines, and there are none" })
		}
	}
	return lines
}
