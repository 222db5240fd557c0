package main

import (
	"context"
	"fmt"
	"io/fs"
	"math"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/node"
)

const mib = 1 << 20

// A plan is what nodeinit has decided before it starts anything.
type plan struct {
	limits     cgroup.Limits
	allowed    int    // workers that the limits are good for, or that the user wants
	arithmetic string // how that came about
	fromLimits bool   // allowed is what the limits are good for
	workers    int    // to start: allowed, or 1 in fork mode
	mode       mode   // fork or per-core
	oneFirst   bool   // one worker is started, and the others when it listens
	reason     string // why that mode
	balance    balance
	program    node.Program // what to run; its environment is what it gets
	environ    []string     // that environment without what nodeinit added
	envAdded   []string     // what nodeinit added
	agent      bool         // the program is Node and gets the agent
	agentless  string       // why it is Node and does not, "" if there is no more to say
	slot       int          // of the worker that it is for
	oldSpace   int64        // its Node's heap limit in bytes, 0 if not known
	othersHeap int64        // that of workers of other slots where it is less, else 0
	heapSums   string       // how these came about, "" if they are not of the limits
	maxMemory  int64        // what a worker may have before it is replaced, 0 for any
	warnings   []string     // about the limits
	caveat     string       // what does not work as workers, "" if all does
	unused     []string     // settings that mean nothing for this program in this mode
}

// makePlan decides from the configuration and limits how argv is run. An error
// says why it cannot be run as the user wants it.
func (a *app) makePlan(limits cgroup.Limits, argv []string) (plan, error) {
	p := plan{limits: limits, warnings: limits.Warnings}
	p.program = node.Identify(argv, exec.DropListenPID(a.environ), exec.WorkingDir())
	p.environ = p.program.Env
	a.countWorkers(&p)
	a.findAgent(&p)
	if err := a.chooseMode(&p); err != nil {
		return p, err
	}
	p.workers = 1
	if p.mode == "per-core" {
		p.workers = p.allowed
		a.chooseBalance(&p)
	}
	a.sizeHeap(&p)
	p.agent = p.agent || a.hiresUnknown(p)
	p.unused = a.unused(p)
	return p, a.limitWorkers(&p)
}

// countWorkers finds how many workers there are to be if there are several.
func (a *app) countWorkers(p *plan) {
	asked := a.config.Workers
	concurrency := exec.Getenv(a.environ, "WEB_CONCURRENCY")
	switch {
	case asked.fixed > 0:
		p.allowed, p.arithmetic = asked.fixed, fmt.Sprintf("--workers %d", asked.fixed)
		return
	case asked.most:
		p.allowed, p.arithmetic = max(p.limits.Affinity, 1), fmt.Sprintf("%d in the affinity mask", p.limits.Affinity)
		return
	case concurrency != "":
		var v workers
		if err := v.UnmarshalText([]byte(concurrency)); err == nil && v.fixed > 0 {
			p.allowed, p.arithmetic = v.fixed, fmt.Sprintf("WEB_CONCURRENCY=%d", v.fixed)
			return
		}
		p.warnings = append(p.warnings, fmt.Sprintf("WEB_CONCURRENCY=%q is not a number of workers", concurrency))
	}
	p.allowed, p.arithmetic = p.limits.Workers()
	p.fromLimits = true
}

// chooseMode decides between one process and workers.
func (a *app) chooseMode(p *plan) error {
	program := p.program
	fork := func(reason string) { p.mode, p.reason = "fork", reason }
	switch {
	case a.config.Mode == "fork":
		fork("--mode fork")
	case a.config.Mode == "per-core" && program.Join == node.JoinNone && len(program.Argv) > 0:
		return fmt.Errorf("--mode per-core: %s", program.Why)
	case a.config.Mode == "per-core":
		p.mode, p.reason = "per-core", "--mode per-core"
	case p.allowed == 1:
		fork("the limits allow one process")
	case len(program.Argv) > 0 && program.Runtime == node.RuntimeOther:
		fork("the program is not Node")
	case len(program.Argv) > 0 && program.Join == node.JoinNone:
		fork(program.Why)
	case p.agentless != "":
		fork(p.agentless + ": without the agent a worker that has done its work would not end (try --mode per-core)")
	case len(program.Argv) > 0 && program.Runtime != node.RuntimeNode:
		fork(fmt.Sprintf("the program is for %s: not all of it works as workers (try --mode per-core)", program.Runtime))
	default:
		p.mode, p.oneFirst = "per-core", true
		p.reason = fmt.Sprintf("the program is Node, and there are to be %d workers", p.allowed)
	}
	return nil
}

// chooseBalance honours Node's own variable where the user has not chosen.
func (a *app) chooseBalance(p *plan) {
	p.balance = a.config.Balance
	switch {
	case p.balance != "":
	case exec.Getenv(a.environ, "NODE_CLUSTER_SCHED_POLICY") == "none":
		p.balance = "shared"
	default:
		p.balance = "rr"
	}
	switch p.program.Runtime { // seen in Bun 1.4 and Deno 2.9
	case node.RuntimeBun:
		p.caveat = "Bun binds its port by itself in each worker: --balance has no effect, and Bun.serve does not tell that it listens"
	case node.RuntimeDeno:
		p.balance = "rr"
		p.caveat = "Deno takes connections by --balance rr only, and only for node:http; Deno.serve needs reusePort"
	}
}

// start tells how many workers are started, and when; "" in fork mode.
func (p plan) start() string {
	switch {
	case p.mode == "fork":
		return ""
	case p.oneFirst:
		return fmt.Sprintf("1, then %d when it listens", p.workers)
	default:
		return fmt.Sprintf("%d at once", p.workers)
	}
}

// wrapped reports whether another process stands before the program, so that
// signals are for the process group.
func (p plan) wrapped() bool {
	return p.program.Wrapped || p.mode == "per-core" && p.program.Join == node.JoinLate
}

// sizeHeap gives Node a heap that fits the memory limit unless the user has
// given it one.
func (a *app) sizeHeap(p *plan) {
	size, given := node.HeapGiven(p.program.Argv, p.program.Env)
	limit := heapBudget(p.limits)
	least := size // in a worker of any slot
	switch {
	case given:
		p.oldSpace = int64(size) * mib
		return
	case a.config.Heap.fixed > 0:
		size = int(min(a.config.Heap.fixed/mib, math.MaxInt32))
		least = size
	case a.config.Heap.auto && limit > 0:
		size, least = a.heapOf(p, limit)
	default:
		return
	}
	if len(p.program.Argv) > 0 && limit > 0 && !node.HeapFits(least, limit, p.workers) {
		p.warnings = append(p.warnings, fmt.Sprintf("%d MiB of heap do not fit in %d MiB: the kernel may kill before V8 gives up (more memory, fewer --workers, or --heap)", least*p.workers, limit/mib))
	}
	p.oldSpace = int64(size) * mib
	p.program.Env = node.AddNodeOption(p.program.Env, node.HeapOption(size))
	p.envAdded = append(p.envAdded, "NODE_OPTIONS="+exec.Getenv(p.program.Env, "NODE_OPTIONS"))
}

// heapOf returns the old space in MiB of a worker of p's slot, and that of any
// slot. The first may turn out to be a job that never listens, and stay alone:
// then it may have what plain node could. V8 takes no other limit later.
func (a *app) heapOf(p *plan, limit int64) (size, least int) {
	young := p.program.HeapYoung(limit, p.workers, p.limits.MemoryVersion)
	least = node.HeapSize(limit, p.workers, young)
	size = least
	p.heapSums = fmt.Sprintf("%d MiB", least)
	if p.workers > 1 && p.mode == "per-core" && a.config.Mode != "per-core" {
		alone := node.HeapAlone(limit, p.workers, p.program.HeapYoung(limit, 1, p.limits.MemoryVersion))
		p.heapSums = fmt.Sprintf("%d MiB in worker 0, which may stay alone, %d MiB in the others", alone, least)
		if p.slot == 0 {
			size, p.othersHeap = alone, int64(least)*mib
		}
	}
	return size, least
}

// heapBudget is the memory that heaps must fit in, 0 if there is no limit.
// Above memory.high the kernel does not kill, but it slows down to a crawl.
func heapBudget(l cgroup.Limits) int64 {
	if l.MemoryHigh > 0 && (l.Memory == 0 || l.MemoryHigh < l.Memory) {
		return l.MemoryHigh
	}
	return l.Memory
}

// A task is what ECS told of the limits of its task, 0 for none.
type task struct {
	asked  bool
	cpus   float64
	memory int64
}

// readLimits returns the limits that group is under, or what the user says they
// are. With a task, ECS is asked for its limits if need be, but only the first
// time: that takes a while. Below an explicit root there is none to ask for.
func (a *app) readLimits(group *cgroup.Group, affinity int, t *task) cgroup.Limits {
	l := group.Limits(affinity)
	uri := exec.Getenv(a.environ, "ECS_CONTAINER_METADATA_URI_V4")
	unknown := l.CPU == 0 && a.config.CPUs == 0 || l.Memory == 0 && a.config.Memory == 0
	if t != nil && !t.asked && uri != "" && unknown {
		ctx, cancel := context.WithTimeout(context.Background(), cgroup.ECSTimeout)
		defer cancel()
		var err error
		if t.cpus, t.memory, err = cgroup.ECS(ctx, uri); err != nil {
			l.Warnings = append(l.Warnings, fmt.Sprintf("no limits from ECS: %v", err))
		}
	}
	if t != nil {
		t.asked = true
		l = l.WithECS(t.cpus, t.memory)
	}
	if a.config.CPUs > 0 {
		l.CPU, l.CPUFrom = float64(a.config.CPUs), "--cpus"
	}
	if a.config.Memory > 0 {
		l.Memory, l.MemoryFrom, l.MemoryHigh = int64(a.config.Memory), "--memory", 0
	}
	return l
}

// liveLimits returns the limits of this process and the group they are from, and
// notes in t what ECS told.
func (a *app) liveLimits(root fs.FS, t *task) (*cgroup.Group, cgroup.Limits) {
	group := cgroup.Find(root)
	affinity, err := cgroup.Affinity()
	l := a.readLimits(group, affinity, t)
	if err != nil {
		l.Warnings = append(l.Warnings, err.Error())
	}
	return group, l
}
