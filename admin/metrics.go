package admin

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/supervisor"
)

// recentTime is how long metrics are served again: however many clients ask for them, they
// are made ten times a second at most, which takes about a millisecond of CPU time each.
const recentTime = 100 * time.Millisecond

// A recent is metrics that were served last.
type recent struct {
	at   time.Time
	open bool // OpenMetrics
	text []byte
}

// AppendMetrics appends the families whose names begin with nodeinit_, as of now, in the
// text format of Prometheus or in OpenMetrics, without the end of that; false if the state
// of the workers cannot be had. Their order is fixed. What is not known is not there. They
// may be a tenth of a second old.
func (g *Gatherer) AppendMetrics(dst []byte, openMetrics bool) ([]byte, bool) {
	last := &g.recent
	if last.open == openMetrics && time.Since(last.at) < recentTime {
		return append(dst, last.text...), true
	}
	status, ok := g.Status()
	if !ok {
		return dst, false
	}
	now, e := time.Now(), &exposition{dst: last.text[:0], open: openMetrics}
	g.addOwn(e)
	addState(e, &status, now)
	addEvents(e, &status)
	e.single(eventFamilies[:], []float64{float64(g.Orphans()), float64(g.Dropped())})
	g.addContainer(e)
	g.addQueues(e, g.listeningLately(status.Workers, now))
	g.addWorkers(e, status.Workers, now)
	*last = recent{time.Now(), openMetrics, e.dst}
	return append(dst, e.dst...), true
}

var ownFamilies = [...]family{
	{"start_time_seconds", "When nodeinit was started, in Unix time."},
	{"resident_memory_bytes", "Resident memory of nodeinit itself."},
	{"cpu_seconds_total", "CPU time of nodeinit itself."},
	{"open_fds", "Open file descriptors of nodeinit itself."},
	{"max_fds", "Maximum number of open file descriptors of nodeinit itself."},
}

// addOwn adds what nodeinit's own process is like.
func (g *Gatherer) addOwn(e *exposition) {
	e.begin(family{"build_info", "1, with the version of nodeinit, that of Go, and the mode of the workers."})
	e.sample(1, "version", g.Version, "go_version", runtime.Version(), "mode", g.Mode)
	pid := os.Getpid()
	own, known := readStat(pid)
	e.single(ownFamilies[:], []float64{
		unixSeconds(g.Started), ifKnown(float64(own.resident), known), ifKnown(max(cpuTime(pid), own.cpu).Seconds(), known),
		openFDs(pid), maxFDs(0),
	})
}

// unixSeconds returns a time with three decimals.
func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }

// All states, as documents have them.
const (
	containerStates = notStarted + " running drainDelay stopping killing finalTerm finalKill ended"
	workerStates    = "starting ready closed finishing draining stopping hung killed waiting"
)

// addState adds in which state the container is.
func addState(e *exposition, s *supervisor.Status, now time.Time) {
	e.begin(family{"state", "1 for the state in which the container is, 0 for the others."})
	is := stateName(s.State)
	for _, state := range strings.Fields(containerStates) {
		e.sample(flag(is == state), "state", state)
	}
	e.begin(family{"workers", "Workers in each state. In the state waiting there is a place for one."})
	for _, state := range strings.Fields(workerStates) {
		n := 0
		for i := range s.Workers {
			if s.Workers[i].State == state {
				n++
			}
		}
		e.sample(float64(n), "state", state)
	}
	ready, _ := supervisor.Health(*s, now)
	e.single([]family{
		{"workers_wanted", "How many workers there are to be."},
		{"ready", "1 if the container can serve, which is what /readyz says."},
	}, []float64{float64(s.Want), flag(ready)})
}

var eventFamilies = [...]family{
	{"orphans_reaped_total", "Processes reaped that nodeinit had not started."},
	{"log_lines_dropped_total", "Log lines dropped because the output was stalled."},
}

// addEvents adds what has happened since the start.
func addEvents(e *exposition, s *supervisor.Status) {
	for _, f := range [...]struct {
		family
		label string
		list  []supervisor.Count
	}{
		{family{"worker_starts_total", "Workers started, by reason."}, "reason", s.StartsByReason},
		{family{"worker_crashes_total", "Workers that have crashed, by cause."}, "cause", s.CrashesByCause},
		{family{"reloads_total", "Reloads, by result."}, "result",
			[]supervisor.Count{{Name: "completed", N: int64(s.Reloads)}, {Name: "failed", N: int64(s.ReloadsFailed)}}},
		{family{"signals_received_total", "Signals that nodeinit has received for the program."}, "signal", s.Signals},
	} {
		e.begin(f.family)
		for _, c := range f.list {
			e.sample(float64(c.N), f.label, c.Name)
		}
	}
}

var containerFamilies = [...]family{
	{"cpu_limit_cores", "CPU limit of the container."},
	{"memory_limit_bytes", "Memory limit of the container."},
	{"memory_usage_bytes", "Memory charged to the container, with files in the page cache."},
	{"cpu_periods_total", "Periods of the CPU quota in which something ran."},
	{"cpu_throttled_periods_total", "Periods in which the CPU quota was used up."},
	{"cpu_throttled_seconds_total", "Time for which the CPU quota stopped threads, summed over CPUs."},
	{"oom_kills_total", "Processes of the container that the kernel has killed for memory."},
}

// addContainer adds the limits of the container, and what they did to it since the start.
func (g *Gatherer) addContainer(e *exposition) {
	limits, now, before := g.Limits(), g.Stats(), &g.Before
	number := func(c cgroup.Counter) float64 { return ifKnown(float64(c.Value), c.Known) }
	e.single(containerFamilies[:], []float64{
		ifKnown(limits.CPUs, limits.CPUs > 0), ifKnown(float64(limits.Memory), limits.Memory > 0),
		number(now.MemoryCurrent),
		number(now.Periods.Since(before.Periods)), number(now.Throttled.Since(before.Throttled)),
		number(now.ThrottledTime.Since(before.ThrottledTime)) / 1e9,
		number(now.OOMKill.Since(before.OOMKill)),
	})
	pressures := [...]*cgroup.Pressure{&now.CPUPressure, &now.MemoryPressure, &now.IOPressure}
	for i, f := range [...]family{
		{"pressure_waiting_seconds_total", "Time in which some task of the container waited for the resource."},
		{"pressure_stalled_seconds_total", "Time in which all tasks of the container waited for the resource."},
	} {
		e.begin(f)
		for j, p := range pressures {
			stall := p.Some
			if i == 1 {
				stall = p.Full
			}
			e.sample(ifKnown(stall.Total.Seconds(), p.Known), "resource", [...]string{"cpu", "memory", "io"}[j])
		}
	}
}

// addQueues adds the accept queues. With --balance reuseport several have one address.
func (g *Gatherer) addQueues(e *exposition, list []Listen) {
	for i, f := range [...]family{
		{"accept_queue_connections", "Connections that wait to be accepted."},
		{"accept_queue_limit", "Connections that may wait to be accepted."},
	} {
		e.begin(f)
		sum := 0
		for j := range list {
			n := list[j].Queue
			if i == 1 {
				n = list[j].Backlog
			}
			sum += *n
			if j+1 == len(list) || list[j+1].Address != list[j].Address {
				e.sample(float64(sum), "address", list[j].Address)
				sum = 0
			}
		}
	}
}

var workerFamilies = [...]family{
	{"worker_up", "1 if the worker serves."},
	{"worker_start_time_seconds", "When the worker was started, in Unix time."},
	{"worker_restarts_total", "Workers that the place of this one has had before."},
	{"worker_resident_memory_bytes", "Resident memory of the worker."},
	{"worker_cpu_seconds_total", "CPU time of the worker."},
	{"worker_open_fds", "Open file descriptors of the worker."},
	{"worker_max_fds", "Maximum number of open file descriptors of the worker."},
	{"worker_heap_size_used_bytes", "V8 heap in use."},
	{"worker_heap_size_limit_bytes", "Limit of the V8 heap that nodeinit has set."},
	{"worker_heartbeat_age_seconds", "Time since the event loop was last seen to turn."},
	{"worker_eventloop_utilization_ratio", "Share of the last second in which the event loop was busy."},
	{"worker_eventloop_lag_p50_seconds", "Median of the delay of timers in the last second."},
	{"worker_eventloop_lag_p99_seconds", "99th percentile of the delay of timers in the last second."},
	{"worker_connections", "Open connections of the servers of the worker."},
	{"worker_requests_total", "HTTP requests begun by all workers of this place."},
	{"worker_handovers_total", "Connections handed over to all workers of this place."},
	{"worker_health_failures", "Health checks of the worker that have failed in a row."},
	{"worker_health_check_failures_total", "Failed health checks of all workers of this place."},
}

// A workerRow has the values of workerFamilies.
type workerRow struct {
	slot   string
	values [len(workerFamilies)]float64
}

// addWorkers adds one worker of each slot.
func (g *Gatherer) addWorkers(e *exposition, workers []supervisor.WorkerStatus, now time.Time) {
	rows := make([]workerRow, 0, len(workers))
	for i := range workers {
		if w := &workers[i]; w.Current {
			rows = append(rows, workerRow{slot: strconv.Itoa(w.Slot)})
			g.readRow(&rows[len(rows)-1], w, now)
		}
	}
	for i, f := range workerFamilies {
		e.begin(f)
		for j := range rows {
			e.sample(rows[j].values[i], "worker", rows[j].slot)
		}
	}
}

// readRow reads the values of a worker. Where the slot awaits one, that is only what does
// not belong to a process.
func (g *Gatherer) readRow(row *workerRow, w *supervisor.WorkerStatus, now time.Time) {
	pid, started, said := programOf(w), w.PID != 0, &w.Reported
	fds, limit := unknown(), unknown()
	if started {
		fds, limit = openFDs(pid), maxFDs(pid)
	}
	// What was read is of the worker if it has its process ID afterwards.
	stat, runs := readWorker(w)
	age, loop := now.Sub(said.Heartbeat), &said.Loop
	beats := !said.Heartbeat.IsZero()
	turns := beats && age < supervisor.HeartbeatLimit // else what it said of its event loop is not so any more
	row.values = [...]float64{
		flag(w.Serves),
		ifKnown(unixSeconds(w.Started), started),
		float64(w.Restarts),
		ifKnown(float64(stat.resident), runs),
		ifKnown(stat.cpu.Seconds(), runs),
		ifKnown(fds, runs),
		ifKnown(limit, runs),
		ifKnown(float64(loop.Heap), loop.Heap > 0),
		ifKnown(float64(w.OldSpace), w.OldSpace > 0),
		ifKnown(rounded3(max(age.Seconds(), 0)), beats),
		ifKnown(rounded4(loop.Utilisation), turns),
		ifKnown(loop.DelayP50.Seconds(), turns),
		ifKnown(loop.DelayP99.Seconds(), turns),
		ifKnown(float64(said.Connections), said.Counted),
		ifKnown(float64(w.Requests), w.Counted),
		ifKnown(float64(w.Handovers), g.HandsOver || w.Handovers > 0),
		ifKnown(float64(w.HealthFailures), w.HealthChecked),
		ifKnown(float64(w.HealthFailed), w.HealthChecked),
	}
}
