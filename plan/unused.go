package plan

import (
	"strings"

	"github.com/nodeinit/nodeinit/node"
)

// withoutAgent returns why p has no agent, and whether that is known at all.
func (p *Plan) withoutAgent() (why string, ok bool) {
	switch {
	case bool(p.config.NoAgent):
		return "not with " + p.config.Flag(&p.config.NoAgent), true
	case p.Agent || len(p.Program.Argv) == 0:
		return "", false
	case p.NoAgentReason != "":
		return p.NoAgentReason, true
	case p.Program.Runtime == node.RuntimeNode:
		return p.Program.Why, true
	default:
		return "only where the program is Node", true
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
	fork := p.Mode == Fork
	reason, noAgent := p.withoutAgent()
	for _, why := range []struct {
		needs, reason string
		lacking       bool
	}{
		{"mode", p.withoutWorkers(), Mode(p.config.Mode) == Fork}, // where it is chosen otherwise, the start line says why
		{"workers", p.withoutWorkers(), fork},
		{"agent", reason, noAgent},
		{"channel", reason, fork && noAgent}, // a worker has one anyway
	} {
		if !why.lacking {
			continue
		}
		if given := p.config.Given(why.needs); len(given) > 0 {
			lines = append(lines, strings.Join(given, ", ")+": "+why.reason)
		}
	}
	return lines
}
