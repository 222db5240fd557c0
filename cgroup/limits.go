package cgroup

import (
	"fmt"
	"slices"
	"strings"
)

// Limits are the limits in force, 0 for none. Weights, shares, bursts and soft limits
// do not count.
type Limits struct {
	// CPU is the quota in CPUs, the minimum over all visible levels.
	CPU float64
	// Memory is the hard limit in bytes, the minimum over all visible levels and, if
	// there is any limit, MemTotal.
	Memory int64
	// MemoryHigh is the minimum of memory.high (v2) in bytes. Above it the kernel
	// reclaims memory and slows the processes down.
	MemoryHigh int64
	// MemTotal is the memory of the machine in bytes, 0 if unknown.
	MemTotal int64
	// Affinity is the number of CPUs that the process may run on, at least 1.
	Affinity int

	// CPUFrom and MemoryFrom name the source of CPU and Memory: the absolute path of
	// a file, or the ECS task metadata; "" without a limit.
	CPUFrom, MemoryFrom string
	// CPUVersion and MemoryVersion are the cgroup versions of the two controllers,
	// 1 or 2; 0 if one was not found.
	CPUVersion, MemoryVersion int

	// Approximate tells that the process's own cgroup is not visible: the limits are
	// those of its nearest visible ancestor or else of the mount's root.
	Approximate bool
	// Warnings list what could not be read or parsed, a line each.
	Warnings []string
}

const (
	meminfo = "/proc/meminfo"
	status  = "/proc/self/status"
)

// Limits reads the current limits. affinity is the number of CPUs in the affinity
// mask, from [Affinity]; if it is 0, Limits reads /proc/self/status.
func (g *Group) Limits(affinity int) Limits {
	l := Limits{
		Affinity:      affinity,
		CPUVersion:    g.cpu.version,
		MemoryVersion: g.memory.version,
		Approximate:   g.cpu.approximate() || g.memory.approximate(),
	}
	r := reader{root: g.root, warnings: slices.Clone(g.warnings)}
	r.cpu(&l, g.cpu)
	r.memory(&l, g.memory)
	l.MemTotal = r.memTotal()
	l.capMemory()
	if affinity <= 0 {
		l.Affinity = r.affinity()
	}
	l.Warnings = r.warnings
	return l
}

func (l *Limits) lowerCPU(cpus float64, from string) {
	if cpus > 0 && (l.CPU == 0 || cpus < l.CPU) {
		l.CPU, l.CPUFrom = cpus, from
	}
}

func (l *Limits) lowerMemory(size int64, from string) {
	if size > 0 && (l.Memory == 0 || size < l.Memory) {
		l.Memory, l.MemoryFrom = size, from
	}
}

// capMemory lowers a limit to the memory of the machine.
func (l *Limits) capMemory() {
	if l.Memory > 0 {
		l.lowerMemory(l.MemTotal, meminfo)
	}
}

func (r *reader) cpu(l *Limits, at location) {
	for _, dir := range at.levels {
		if at.version == 1 {
			l.lowerCPU(r.cfs(dir), dir+"/cpu.cfs_quota_us")
		} else {
			l.lowerCPU(r.cpuMax(dir+"/cpu.max"), dir+"/cpu.max")
		}
	}
}

func (r *reader) cpuMax(file string) float64 {
	text, ok := r.readIfAny(file)
	if !ok {
		return 0
	}
	cpus, err := parseCPUMax(text)
	r.check(file, err)
	return cpus
}

func (r *reader) cfs(dir string) float64 {
	quota, ok := r.readIfAny(dir + "/cpu.cfs_quota_us")
	if !ok {
		return 0
	}
	period, _ := r.readIfAny(dir + "/cpu.cfs_period_us") // parseCFS reports a missing period
	cpus, err := parseCFS(quota, period)
	r.check(dir+"/cpu.cfs_quota_us", err)
	return cpus
}

func (r *reader) memory(l *Limits, at location) {
	if at.version == 1 {
		r.memoryV1(l, at.levels)
		return
	}
	for _, dir := range at.levels {
		l.lowerMemory(r.size(dir+"/memory.max"), dir+"/memory.max")
		if high := r.size(dir + "/memory.high"); high > 0 && (l.MemoryHigh == 0 || high < l.MemoryHigh) {
			l.MemoryHigh = high
		}
	}
}

// memoryV1 stops below an ancestor with use_hierarchy 0 (kernels before 5.11): its
// limit does not apply to its children. memory.stat has the kernel's own minimum,
// which includes levels that are not visible here (mm/memcontrol-v1.c,
// memcg1_stat_format).
func (r *reader) memoryV1(l *Limits, levels []string) {
	for i, dir := range levels {
		if i > 0 && !r.hierarchical(dir) {
			break
		}
		l.lowerMemory(r.size(dir+"/memory.limit_in_bytes"), dir+"/memory.limit_in_bytes")
	}
	file := levels[0] + "/memory.stat"
	text, _ := r.readIfAny(file)
	if value, ok := find(text, "hierarchical_memory_limit"); ok {
		size, err := parseMemory(value)
		r.check(file, err)
		l.lowerMemory(size, file)
	}
}

func (r *reader) hierarchical(dir string) bool {
	text, _ := r.readIfAny(dir + "/memory.use_hierarchy")
	return strings.TrimSpace(text) != "0"
}

func (r *reader) size(file string) int64 {
	text, ok := r.readIfAny(file)
	if !ok {
		return 0
	}
	size, err := parseMemory(text)
	r.check(file, err)
	return size
}

func (r *reader) memTotal() int64 {
	text, ok := r.read(meminfo, maxFile)
	if !ok {
		return 0
	}
	value, _ := find(text, "MemTotal:")
	size, err := parseMemTotal(value)
	r.check(meminfo, err)
	return size
}

// affinity returns the number of CPUs in /proc/self/status (fs/proc/array.c,
// task_cpus_allowed), at least 1.
func (r *reader) affinity() int {
	text, ok := r.read(status, maxFile)
	if !ok {
		return 1
	}
	count, err := 1, fmt.Errorf("no Cpus_allowed_list")
	if list, ok := find(text, "Cpus_allowed_list:"); ok {
		count, err = parseCPUList(list)
	} else if mask, ok := find(text, "Cpus_allowed:"); ok {
		count, err = parseCPUMask(mask)
	}
	r.check(status, err)
	return max(count, 1)
}
