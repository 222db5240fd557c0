package plan

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/config"
	"github.com/nodeinit/nodeinit/node"
)

// A Heap is how much Node's old space may hold, in bytes.
type Heap struct {
	OldSpace int64  // of the worker that the plan is for, 0 if not known
	Others   int64  // of workers of other slots where it is less, else 0
	Text     string // how these came about, "" if they are not of the limits
}

// sizeHeap gives Node a heap that fits the memory limit unless the user has
// given it one.
func (p *Plan) sizeHeap() {
	size, given := node.HeapGiven(p.Program.Argv, p.Program.Env)
	limit := heapBudget(p.Limits)
	least := size // in a worker of any slot
	asked := p.config.Heap
	switch {
	case given:
		p.Heap.OldSpace = int64(size) * mib
		return
	case asked.Fixed > 0:
		size = int(min(asked.Fixed/mib, math.MaxInt32))
		least = size
	case asked.Auto && limit > 0:
		size, least = p.heapOf(limit)
	default:
		return
	}
	if len(p.Program.Argv) > 0 && limit > 0 && !node.HeapFits(least, limit, p.Workers) {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%d MiB of heap do not fit in %d MiB: the kernel may kill "+
			"before V8 gives up (more memory, fewer --workers, or --heap)", least*p.Workers, limit/mib))
	}
	p.Heap.OldSpace = int64(size) * mib
	p.Program.Env = node.AddNodeOption(p.Program.Env, node.HeapOption(size))
	p.EnvAdded = append(p.EnvAdded, "NODE_OPTIONS="+p.Program.Getenv("NODE_OPTIONS"))
}

// AddedText returns what was added to the environment, for the log: without what the
// user has in the same variables, which may be secret.
func (p *Plan) AddedText() string {
	before := node.Program{Env: p.Environ}
	var list []string
	for _, kv := range p.EnvAdded {
		key, value, _ := strings.Cut(kv, "=")
		list = append(list, key+"="+strings.TrimSpace(strings.TrimPrefix(value, before.Getenv(key))))
	}
	return strings.Join(list, " ")
}

// heapOf returns the old space in MiB of a worker of p's slot, and that of any
// slot. The first may turn out to be a job that never listens, and stay alone:
// then it may have what plain node could. V8 takes no other limit later.
func (p *Plan) heapOf(limit int64) (size, least int) {
	young := p.Program.HeapYoung(limit, p.Workers, p.Limits.MemoryVersion)
	least = node.HeapSize(limit, p.Workers, young)
	size = least
	p.Heap.Text = fmt.Sprintf("%d MiB", least)
	if p.Workers > 1 && p.Mode == PerCore && Mode(p.config.Mode) != PerCore {
		alone := node.HeapAlone(limit, p.Workers, p.Program.HeapYoung(limit, 1, p.Limits.MemoryVersion))
		p.Heap.Text = fmt.Sprintf("%d MiB in worker 0, which may stay alone, %d MiB in the others", alone, least)
		if p.slot == 0 {
			size, p.Heap.Others = alone, int64(least)*mib
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

// besideHeap is what a Node process has at least besides a full old space (seen
// with a leak of small objects, Node 18 and 24, at 64 to 1024 MiB: 26 to 160 MiB,
// mostly 50).
const besideHeap = 48 * mib

// limitWorkers finds how much memory each worker may have.
func (p *Plan) limitWorkers() error {
	if p.Mode == Fork {
		return nil
	}
	field := &p.config.MaxMemory
	p.MaxMemory = maxMemory(*field, p.Limits, p.Workers)
	if *field == (config.MaxMemory{}) {
		return nil
	}
	flag := p.config.Flag(field)
	if field.Percent > 0 && p.MaxMemory == 0 {
		return fmt.Errorf("%s: %q of no memory limit (set one, or try %s 400M or --memory 512M)", flag, field, flag)
	}
	least := cmp.Or(p.Heap.Others, p.Heap.OldSpace)
	if full := least + besideHeap; p.MaxMemory > full && least > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("a worker is ended by V8 before it has the %d MiB of %s: "+
			"its heap of %d MiB is full at about %d (try %s %dM, or a larger --heap)",
			p.MaxMemory/mib, flag, least/mib, full/mib, flag, full*9/10/mib))
	}
	return nil
}

// maxMemory returns so many bytes for each of workers under l, 0 for any number.
func maxMemory(m config.MaxMemory, l cgroup.Limits, workers int) int64 {
	if m.Percent > 0 {
		return int64(float64(heapBudget(l)/int64(workers)) * m.Percent / 100)
	}
	return int64(m.Fixed)
}
