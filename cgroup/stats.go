package cgroup

import (
	"strconv"
	"strings"
	"time"
)

// A Counter is a number that some kernels do not have.
type Counter struct {
	Value uint64
	Known bool // false if there is no such file or key
}

// Since returns how much the counter has grown since before. It is known if both
// are. A counter less than before was reset (v1's failcnt and max_usage_in_bytes can
// be written) and counts from 0.
func (c Counter) Since(before Counter) Counter {
	if !c.Known || !before.Known {
		return Counter{}
	}
	if c.Value >= before.Value {
		c.Value -= before.Value
	}
	return c
}

// Duration returns the value of a counter of nanoseconds.
func (c Counter) Duration() time.Duration {
	return time.Duration(min(c.Value, 1<<63-1))
}

// Stats are the counters of the process's own cgroup. If that is not visible all are
// unknown: those of an ancestor would include other containers.
type Stats struct {
	// Periods counts the periods of the CPU quota in which a task ran, Throttled
	// those in which the quota was used up.
	Periods, Throttled Counter
	// ThrottledTime is how long the cgroup's own quota stopped its tasks,
	// ThrottledAny how long that or one above did (v2, kernel >= 6.6). Both are in
	// nanoseconds, summed over CPUs.
	ThrottledTime, ThrottledAny Counter

	// OOM counts how often memory reached the limit of this cgroup, or of one below,
	// with nothing left to reclaim (v2).
	OOM Counter
	// OOMKill counts the processes that the kernel killed for want of memory, for any
	// limit. v1 does not count those in cgroups below.
	OOMKill Counter
	// Failcnt counts how often memory, alone or with swap, reached the limit of this
	// cgroup, whether or not there was something to reclaim (v1).
	Failcnt Counter
	// MemoryCurrent and MemoryPeak are in bytes, page cache included.
	MemoryCurrent, MemoryPeak Counter
	// OOMGroup tells that for the limit of this cgroup the kernel kills all of its
	// processes, PID 1 included, instead of one (v2).
	OOMGroup bool

	// CPUPressure, MemoryPressure and IOPressure are the share of time in which tasks of
	// this cgroup waited for the resource (v2).
	CPUPressure, MemoryPressure, IOPressure Pressure

	// swapPeaked tells that memory and swap together have reached their limit (v1).
	swapPeaked bool
}

// ThrottledAbove returns how long, in nanoseconds since before, a CPU quota above this
// cgroup stopped its tasks. It is not exact: the kernel reads the two times, of which
// it is the difference, at slightly different moments.
func (s Stats) ThrottledAbove(before Stats) Counter {
	all, own := s.ThrottledAny.Since(before.ThrottledAny), s.ThrottledTime.Since(before.ThrottledTime)
	if !all.Known || !own.Known {
		return Counter{}
	}
	return Counter{Value: all.Value - min(own.Value, all.Value), Known: true}
}

// Stats reads the current counters.
func (g *Group) Stats() Stats {
	r := reader{root: g.root}
	cpu, memory := g.own(&r, g.cpu), g.own(&r, g.memory)
	s := count(cpu, memory)
	if cpu.version == 2 {
		s.CPUPressure = parsePressure(cpu.read("cpu.pressure"))
		s.IOPressure = parsePressure(cpu.read("io.pressure")) // there without the controller too
	}
	switch memory.version {
	case 1:
		s.readMemoryV1(memory)
	case 2:
		s.MemoryCurrent = number(memory.read("memory.current"))
		s.MemoryPeak = number(memory.read("memory.peak"))
		s.MemoryPressure = parsePressure(memory.read("memory.pressure"))
	}
	return s
}

// Baseline reads what later Stats are compared with, and OOMGroup: half of the files.
// All else is unknown.
func (g *Group) Baseline() Stats {
	r := reader{root: g.root}
	return count(g.own(&r, g.cpu), g.own(&r, g.memory))
}

// count reads what Baseline returns.
func count(cpu, memory files) (s Stats) {
	stat := cpu.read("cpu.stat")
	s.Periods = counter(stat, "nr_periods")
	s.Throttled = counter(stat, "nr_throttled")
	switch cpu.version {
	case 1:
		s.ThrottledTime = counter(stat, "throttled_time") // nanoseconds
	case 2:
		s.ThrottledTime = counter(stat, "throttled_usec").microseconds()
		// kernel/sched/core.c, cpu_local_stat_show
		s.ThrottledAny = counter(cpu.read("cpu.stat.local"), "throttled_usec").microseconds()
	}
	switch memory.version {
	case 1:
		s.OOMKill = counter(memory.read("memory.oom_control"), "oom_kill")
		s.Failcnt = number(memory.read("memory.failcnt"))
		if s.Failcnt.Known {
			s.Failcnt.Value += number(memory.read("memory.memsw.failcnt")).Value
		}
	case 2:
		// Not memory.events.local, which does not count cgroups that the application
		// creates below its own.
		events := memory.read("memory.events")
		s.OOM = counter(events, "oom")
		s.OOMKill = counter(events, "oom_kill")
		s.OOMGroup = number(memory.read("memory.oom.group")).Value == 1
	}
	return s
}

// readMemoryV1 also reads the limit on memory and swap together. The kernel charges
// that first, so it is the one that fails if both limits are the same, as after
// docker run -m 1g --memory-swap 1g (mm/memcontrol.c, try_charge_memcg). Recent
// kernels then count no failure (seen on 6.18; mem_cgroup_css_alloc sets track_failcnt
// for memory alone), so the peak is compared too.
func (s *Stats) readMemoryV1(f files) {
	peak := number(f.read("memory.memsw.max_usage_in_bytes"))
	limit, _ := parseMemory(f.read("memory.memsw.limit_in_bytes"))
	s.swapPeaked = limit > 0 && peak.Value+slack >= uint64(limit)
	s.MemoryCurrent = number(f.read("memory.usage_in_bytes"))
	s.MemoryPeak = number(f.read("memory.max_usage_in_bytes"))
}

// slack is how far below the limit the peak may be when the kernel kills: for an
// allocation of eight pages (PAGE_ALLOC_COSTLY_ORDER) of up to 64 KiB.
const slack = 8 * 64 << 10

// files are the files of one cgroup.
type files struct {
	version int // 1 or 2; 0 for none
	reader  *reader
	dir     string
}

// own returns the files of the process's own cgroup.
func (g *Group) own(r *reader, l location) files {
	if l.first != self {
		return files{}
	}
	return files{l.version, r, l.levels[0]}
}

// read returns "" if the file cannot be read. Without pressure accounting, for
// example, reading gives EOPNOTSUPP (kernel/sched/psi.c).
func (f files) read(file string) string {
	if f.version == 0 {
		return ""
	}
	text, err := f.reader.readAll(f.dir+"/"+file, maxFile)
	if err != nil {
		return ""
	}
	return text
}

// counter returns the number after key in a file of lines such as "oom_kill 3".
func counter(text, key string) Counter {
	value, _ := find(text, key)
	return number(value)
}

func number(text string) Counter {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	return Counter{Value: n, Known: err == nil}
}

func (c Counter) microseconds() Counter {
	c.Value *= 1000
	return c
}
