package admin

import (
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A reading is what metrics are made of.
type reading struct {
	now     time.Time
	status  supervisor.Status
	stats   cgroup.Stats
	workers []workerReading // by slot, one for each that has or awaits one
}

// A workerReading is a worker, with what the kernel says of it.
type workerReading struct {
	*supervisor.WorkerStatus
	label       string // of its slot
	stat        procStat
	running     bool // else stat, fds and maxFDs are not known
	fds, maxFDs Figure
}

// A Figure is a number that may not be known.
type Figure struct {
	Value float64
	Known bool
}

// figure returns a number that is known.
func figure[T int | int64 | float64](n T) Figure { return Figure{float64(n), true} }

// AppendMetrics appends the families whose names begin with nodeinit_, as of now, in the
// text format of Prometheus or in OpenMetrics, without the end of that; false if the state
// of the workers cannot be had. Their order is fixed. What is not known is not there.
func (g *Gatherer) AppendMetrics(dst []byte, openMetrics bool) ([]byte, bool) {
	status, ok := g.Status()
	if !ok {
		return dst, false
	}
	m := &reading{now: time.Now(), status: status, stats: g.Stats()}
	for i := range status.Workers {
		if w := &status.Workers[i]; w.Current {
			m.workers = append(m.workers, readWorkerFigures(w))
		}
	}
	e := &exposition{dst: dst, open: openMetrics}
	g.addOwn(e)
	m.addState(e)
	m.addEvents(e, g.Facts)
	g.addLimits(e, m)
	g.addQueues(e, g.listeningLately(status.Workers, m.now))
	m.addWorkers(e, g.HandsOver)
	return e.dst, true
}

// addOwn adds the families of nodeinit's own process.
func (g *Gatherer) addOwn(e *exposition) {
	e.family("nodeinit_build_info", gauge, "1, with the version of nodeinit, that of Go, and the mode of the workers.")
	e.sample(1, "version", g.Version, "go_version", runtime.Version(), "mode", g.Mode)
	e.family("nodeinit_start_time_seconds", gauge, "When nodeinit was started, in Unix time.")
	e.sample(unixSeconds(g.Started))
	pid := os.Getpid()
	if own, ok := readStat(pid); ok {
		e.family("nodeinit_resident_memory_bytes", gauge, "Resident memory of nodeinit itself.")
		e.sample(float64(own.resident))
		e.family("nodeinit_cpu_seconds_total", counter, "CPU time of nodeinit itself.")
		e.sample(max(cpuTime(pid), own.cpu).Seconds())
	}
	e.family("nodeinit_open_fds", gauge, "Open file descriptors of nodeinit itself.")
	e.known(openFDs(pid))
	e.family("nodeinit_max_fds", gauge, "Maximum number of open file descriptors of nodeinit itself.")
	e.known(maxFDs(0))
}

// known writes a sample if its value is known.
func (e *exposition) known(f Figure, labels ...string) {
	if f.Known {
		e.sample(f.Value, labels...)
	}
}

// unixSeconds returns a time with three decimals.
func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }

// addState adds in which state the container is.
func (m *reading) addState(e *exposition) {
	e.family("nodeinit_state", gauge, "1 for the state in which the container is, 0 for the others.")
	now := stateName(m.status.State)
	for _, state := range [...]string{notStarted, "running", "drainDelay", "stopping", "killing", "finalTerm", "finalKill", "ended"} {
		e.sample(flag(now == state), "state", state)
	}
	ready, _ := supervisor.Health(m.status, m.now)
	e.family("nodeinit_ready", gauge, "1 if the container can serve, which is what /readyz says.")
	e.sample(flag(ready))
	e.family("nodeinit_workers", gauge, "Workers in each state. In the state waiting there is a place for one.")
	for _, state := range [...]string{"starting", "ready", "closed", "finishing", "draining", "stopping", "hung", "killed", "waiting"} {
		n := 0
		for i := range m.status.Workers {
			if m.status.Workers[i].State == state {
				n++
			}
		}
		e.sample(float64(n), "state", state)
	}
	e.family("nodeinit_workers_wanted", gauge, "How many workers there are to be.")
	e.sample(float64(m.status.Want))
}

// addEvents adds what has happened since the start.
func (m *reading) addEvents(e *exposition, facts Facts) {
	counts := func(name, help, label string, list []supervisor.Count) {
		e.family(name, counter, help)
		for _, c := range list {
			e.sample(float64(c.N), label, c.Name)
		}
	}
	s := &m.status
	counts("nodeinit_worker_starts_total", "Workers started, by reason.", "reason", s.StartsByReason)
	counts("nodeinit_worker_crashes_total", "Workers that have crashed, by cause.", "cause", s.CrashesByCause)
	counts("nodeinit_reloads_total", "Reloads, by result.", "result",
		[]supervisor.Count{{Name: "completed", N: int64(s.Reloads)}, {Name: "failed", N: int64(s.ReloadsFailed)}})
	counts("nodeinit_signals_received_total", "Signals that nodeinit has received for the program.", "signal", s.Signals)
	e.family("nodeinit_orphans_reaped_total", counter, "Processes reaped that nodeinit had not started.")
	e.sample(float64(facts.Orphans()))
	e.family("nodeinit_log_lines_dropped_total", counter, "Log lines dropped because the output was stalled.")
	e.sample(float64(facts.Dropped()))
}

// addLimits adds the limits of the container, and what they did to it.
func (g *Gatherer) addLimits(e *exposition, m *reading) {
	limits, now, before := g.Limits(), &m.stats, &g.Before
	e.family("nodeinit_cpu_limit_cores", gauge, "CPU limit of the container.")
	e.known(Figure{limits.CPUs, limits.CPUs > 0})
	e.family("nodeinit_memory_limit_bytes", gauge, "Memory limit of the container.")
	e.known(Figure{float64(limits.Memory), limits.Memory > 0})
	count := func(name, kind, help string, c cgroup.Counter, unit float64) {
		e.family(name, kind, help)
		e.known(Figure{float64(c.Value) * unit, c.Known})
	}
	const nanosecond = 1e-9
	count("nodeinit_memory_usage_bytes", gauge, "Memory charged to the container, with files in the page cache.", now.MemoryCurrent, 1)
	count("nodeinit_cpu_periods_total", counter, "Periods of the CPU quota in which something ran.", now.Periods.Since(before.Periods), 1)
	count("nodeinit_cpu_throttled_periods_total", counter, "Periods in which the CPU quota was used up.", now.Throttled.Since(before.Throttled), 1)
	count("nodeinit_cpu_throttled_seconds_total", counter, "Time for which the CPU quota stopped threads, summed over CPUs.",
		now.ThrottledTime.Since(before.ThrottledTime), nanosecond)
	count("nodeinit_oom_kills_total", counter, "Processes of the container that the kernel has killed for memory.", now.OOMKill.Since(before.OOMKill), 1)
	pressure := func(name, help string, stall func(cgroup.Pressure) cgroup.Stall) {
		e.family(name, counter, help)
		for _, r := range [...]struct {
			name string
			cgroup.Pressure
		}{{"cpu", now.CPUPressure}, {"memory", now.MemoryPressure}, {"io", now.IOPressure}} {
			e.known(Figure{stall(r.Pressure).Total.Seconds(), r.Known}, "resource", r.name)
		}
	}
	pressure("nodeinit_pressure_waiting_seconds_total", "Time in which some task of the container waited for the resource.",
		func(p cgroup.Pressure) cgroup.Stall { return p.Some })
	pressure("nodeinit_pressure_stalled_seconds_total", "Time in which all tasks of the container waited for the resource.",
		func(p cgroup.Pressure) cgroup.Stall { return p.Full })
}

// addQueues adds the accept queues. With --balance reuseport several have one address.
func (g *Gatherer) addQueues(e *exposition, list []Listen) {
	each := func(name, help string, number func(*Listen) *int) {
		e.family(name, gauge, help)
		for i := 0; i < len(list); {
			address, sum, known := list[i].Address, 0, false
			for ; i < len(list) && list[i].Address == address; i++ {
				if n := number(&list[i]); n != nil {
					sum, known = sum+*n, true
				}
			}
			e.known(Figure{float64(sum), known}, "address", address)
		}
	}
	each("nodeinit_accept_queue_connections", "Connections that wait to be accepted.", func(l *Listen) *int { return l.Queue })
	each("nodeinit_accept_queue_limit", "Connections that may wait to be accepted.", func(l *Listen) *int { return l.Backlog })
}

// slotLabel returns the label of a slot.
func slotLabel(slot int) string { return strconv.Itoa(slot) }
