package main

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/exec"
)

const mib = 1 << 20

// A plan is what nodeinit has decided before it starts anything.
type plan struct {
	limits     cgroup.Limits
	workers    int    // what the limits allow
	arithmetic string // how workers came about
	mode       mode
	reason     string // why that mode
	argv       []string
	env        []string // the program's environment
	envAdded   []string // what of it nodeinit added
	oldSpace   int64    // Node's heap limit in bytes, 0 if not known
	warnings   []string
}

// makePlan decides from the configuration and limits how argv is run.
func (a *app) makePlan(limits cgroup.Limits, argv []string) plan {
	p := plan{limits: limits, argv: argv, warnings: limits.Warnings, mode: "fork"}
	p.workers, p.arithmetic = limits.Workers()
	switch {
	case a.config.Mode == "fork":
		p.reason = "--mode fork"
	case p.workers == 1:
		p.reason = "the limits allow one process"
	default:
		p.reason = fmt.Sprintf("the limits allow %d workers, but this version runs one process", p.workers)
	}
	p.env = exec.DropListenPID(a.environ)
	a.sizeHeap(&p)
	return p
}

// sizeHeap gives Node a heap that fits the memory limit unless the user has
// given it one.
func (a *app) sizeHeap(p *plan) {
	size, given := exec.HeapGiven(p.argv, p.env)
	limit := heapBudget(p.limits)
	switch {
	case given:
		p.oldSpace = int64(size) * mib
		return
	case a.config.Heap.fixed > 0:
		size = int(a.config.Heap.fixed / mib)
	case a.config.Heap.auto && limit > 0:
		size = exec.HeapSize(limit, 1)
	default:
		return
	}
	if len(p.argv) > 0 && limit > 0 && !exec.HeapFits(size, limit) {
		p.warnings = append(p.warnings, fmt.Sprintf("a heap of %d MiB does not fit in %d MiB: the kernel may kill before V8 gives up (more memory, or --heap)", size, limit/mib))
	}
	p.oldSpace = int64(size) * mib
	p.env = exec.AddNodeOption(p.env, exec.HeapOption(size))
	p.envAdded = append(p.envAdded, "NODE_OPTIONS="+exec.Lookup(p.env, "NODE_OPTIONS"))
}

// heapBudget is the memory that heaps must fit in, 0 if there is no limit.
// Above memory.high the kernel does not kill, but it slows down to a crawl.
func heapBudget(l cgroup.Limits) int64 {
	if l.MemoryHigh > 0 && (l.Memory == 0 || l.MemoryHigh < l.Memory) {
		return l.MemoryHigh
	}
	return l.Memory
}

// readLimits returns the limits that group is under, or what the user says
// they are. Below an explicit root there is nobody to ask but its files.
func (a *app) readLimits(group *cgroup.Group, affinity int, askECS bool) cgroup.Limits {
	l := group.Limits(affinity)
	uri := exec.Lookup(a.environ, "ECS_CONTAINER_METADATA_URI_V4")
	unknown := l.CPU == 0 && a.config.CPUs == 0 || l.Memory == 0 && a.config.Memory == 0
	if askECS && uri != "" && unknown {
		ctx, cancel := context.WithTimeout(context.Background(), cgroup.ECSTimeout)
		defer cancel()
		cpus, memory, err := cgroup.ECS(ctx, uri)
		if err != nil {
			l.Warnings = append(l.Warnings, fmt.Sprintf("no limits from ECS: %v", err))
		}
		l = l.WithECS(cpus, memory)
	}
	if a.config.CPUs > 0 {
		l.CPU, l.CPUFrom = float64(a.config.CPUs), "--cpus"
	}
	if a.config.Memory > 0 {
		l.Memory, l.MemoryFrom, l.MemoryHigh = int64(a.config.Memory), "--memory", 0
	}
	return l
}

// liveLimits returns the limits of this process and the group they are from.
func (a *app) liveLimits(root fs.FS) (*cgroup.Group, cgroup.Limits) {
	group := cgroup.Find(root)
	affinity, err := cgroup.Affinity()
	l := a.readLimits(group, affinity, true)
	if err != nil {
		l.Warnings = append(l.Warnings, err.Error())
	}
	return group, l
}
