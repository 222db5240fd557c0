// Package plan decides what will run, from what the user has set and the limits
// that there are: in which mode, how many workers, with which heap and environment.
// It starts nothing; nodeinit explain prints what it decided.
package plan

import (
	"cmp"
	"fmt"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/config"
	"github.com/nodeinit/nodeinit/node"
)

const mib = 1 << 20

// A Mode is how the program is run.
type Mode string

// The modes.
const (
	Fork    Mode = "fork"     // as one process
	PerCore Mode = "per-core" // as workers of Node's cluster protocol
)

// A Plan is what will run.
type Plan struct {
	Of      string       // whose plan it is, for WriteText; "" for this process's own
	Pre     [][]string   // what is run before, each to its end
	Program node.Program // what is run; its environment is what it gets
	// Environ is that environment without EnvAdded, which nodeinit added.
	Environ, EnvAdded []string

	Mode     Mode
	Reason   string // why this mode
	Balance  string // how connections are balanced, "" in fork mode
	Workers  int    // how many are run: Count.Allowed, or 1 in fork mode
	OneFirst bool   // one worker is started, and the others when it listens
	Count    Count

	Agent         bool   // the program is Node and gets the agent
	NoAgentReason string // why it is Node and does not, "" if there is no more to say
	Limits        cgroup.Limits
	Heap          Heap
	Logs          Logs
	MaxMemory     int64 // bytes that a worker may have before it is replaced, 0 for any

	Warnings []string // about the limits
	Caveat   string   // what does not work as workers, "" if all does
	Unused   []string // settings without effect for this program in this mode

	slot   int // of the worker that the plan is for
	config config.Config
}

// A Count is how many workers there are to be if there are several.
type Count struct {
	Allowed    int    // what the limits are good for, or what the user wants
	Arithmetic string // how that came about, as one line for people
	FromLimits bool   // it is what the limits are good for
}

// New decides how program, which was identified in the environment that it is to
// have, is run under limits, with these outputs. An error is the user's: it says why
// the program cannot be run as wanted.
func New(c config.Config, limits cgroup.Limits, outputs Outputs, program node.Program) (Plan, error) {
	p := Plan{config: c, Limits: limits, Warnings: limits.Warnings, Program: program, Environ: program.Env}
	if err := p.splitPre(); err != nil {
		return p, err
	}
	p.countWorkers()
	if !c.NoAgent {
		p.Agent, p.NoAgentReason = program.Agent()
	}
	if err := p.chooseMode(); err != nil {
		return p, err
	}
	p.Workers = 1
	if p.Mode == PerCore {
		p.Workers = p.Count.Allowed
		p.chooseBalance()
	}
	p.chooseLogs(outputs)
	p.sizeHeap()
	p.addColors()
	if p.Mode == PerCore && program.Runtime == node.RuntimeOther && program.Join == node.JoinLate {
		p.Agent = !bool(c.NoAgent) // any command: the Node that joins below it is one that can have the agent
	}
	p.Unused = p.unused()
	return p, p.limitWorkers()
}

// Command returns the plan for running argv, in the environment env, to its end
// before the program.
func (p Plan) Command(argv, env []string) Plan {
	p.Program = node.Program{Argv: argv, Env: env}
	p.Workers, p.EnvAdded, p.Agent, p.Heap = 1, nil, false, Heap{}
	p.sizeHeap()
	p.addColors()
	return p
}

// splitPre splits the commands that run before the program.
func (p *Plan) splitPre() error {
	field := &p.config.Pre
	for _, text := range *field {
		words, err := node.Words(string(text))
		if err != nil {
			return fmt.Errorf("%s: %q: %w (try \"node migrate.js\", and %s again for another)",
				p.config.Source(field), text, err, p.config.Flag(field))
		}
		p.Pre = append(p.Pre, words)
	}
	return nil
}

// countWorkers finds how many workers there are to be if there are several.
func (p *Plan) countWorkers() {
	asked, by := p.config.Workers, ""
	if concurrency := p.Program.Getenv("WEB_CONCURRENCY"); concurrency != "" && asked == (config.WorkerCount{}) {
		if asked.UnmarshalText([]byte(concurrency)) != nil || asked.Fixed == 0 {
			asked = config.WorkerCount{}
			p.Warnings = append(p.Warnings, fmt.Sprintf("WEB_CONCURRENCY=%q is not a number of workers", concurrency))
		}
		by = "WEB_CONCURRENCY="
	}
	switch {
	case asked.Fixed > 0:
		by = cmp.Or(by, p.config.Flag(&p.config.Workers)+" ")
		p.Count = Count{Allowed: asked.Fixed, Arithmetic: by + asked.String()}
	case asked.Max:
		n := p.Limits.Affinity
		p.Count = Count{Allowed: max(n, 1), Arithmetic: fmt.Sprintf("%d in the affinity mask", n)}
	default:
		p.Count.Allowed, p.Count.Arithmetic = p.Limits.Workers()
		p.Count.FromLimits = true
	}
}

// chooseMode decides between one process and workers.
func (p *Plan) chooseMode() error {
	program, asked := p.Program, Mode(p.config.Mode)
	given := len(program.Argv) > 0
	p.Mode = Fork
	if asked == Fork || asked == PerCore {
		p.Mode, p.Reason = asked, p.config.Flag(&p.config.Mode)+" "+string(asked)
		if asked == PerCore && program.Join == node.JoinNone && given {
			return fmt.Errorf("%s: %s", p.Reason, program.Why)
		}
		return nil
	}
	switch {
	case p.Count.Allowed == 1:
		p.Reason = "the limits allow one process"
	case given && program.Runtime == node.RuntimeOther:
		p.Reason = "the program is not Node"
	case given && program.Join == node.JoinNone:
		p.Reason = program.Why
	case p.NoAgentReason != "":
		p.Reason = p.NoAgentReason +
			": without the agent a worker that has done its work would not end (try --mode per-core)"
	case given && program.Runtime != node.RuntimeNode:
		p.Reason = fmt.Sprintf("the program is for %s: "+
			"not all of it works as workers (try --mode per-core)", program.Runtime)
	default:
		p.Mode, p.OneFirst = PerCore, true
		p.Reason = fmt.Sprintf("the program is Node, and there are to be %d workers", p.Count.Allowed)
	}
	return nil
}

// chooseBalance honours Node's own variable where the user has not chosen.
func (p *Plan) chooseBalance() {
	p.Balance = cmp.Or(string(p.config.Balance), "rr")
	if p.config.Balance == "" && p.Program.Getenv("NODE_CLUSTER_SCHED_POLICY") == "none" {
		p.Balance = "shared"
	}
	switch p.Program.Runtime { // seen in Bun 1.4 and Deno 2.9
	case node.RuntimeBun:
		p.Caveat = "Bun binds its port by itself in each worker: " +
			"--balance has no effect, and Bun.serve does not tell that it listens"
	case node.RuntimeDeno:
		p.Balance = "rr"
		p.Caveat = "Deno takes connections by --balance rr only, and only for node:http; Deno.serve needs reusePort"
	}
}

// Start says how many workers are started, and when; "" in fork mode.
func (p *Plan) Start() string {
	switch {
	case p.Mode == Fork:
		return ""
	case p.OneFirst:
		return fmt.Sprintf("1, then %d when it listens", p.Workers)
	}
	return fmt.Sprintf("%d at once", p.Workers)
}

// Wrapped reports whether another process stands before the program, so that
// signals are for the process group.
func (p *Plan) Wrapped() bool {
	return p.Program.Wrapped || p.Mode == PerCore && p.Program.Join == node.JoinLate
}
