package admin

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/supervisor"
)

// sampleLine is a sample: a name, labels and a value.
var sampleLine = regexp.MustCompile(`^([a-z0-9_]+)(\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\})? (\S+)$`)

// samplesOf returns the samples of an exposition by name and labels. It checks that each
// belongs to the family before it, and that no family or sample comes twice.
func samplesOf(t *testing.T, text []byte, open bool) map[string]float64 {
	t.Helper()
	samples, families, family, counts := make(map[string]float64), make(map[string]bool), "", 0
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i, line := range lines {
		if help, ok := strings.CutPrefix(line, "# HELP "); ok {
			if counts == 0 && family != "" || i+1 == len(lines) {
				t.Errorf("%s has no sample", family)
			}
			var about string
			family, about, _ = strings.Cut(help, " ")
			counts = 0
			kind, ok := strings.CutPrefix(lines[i+1], "# TYPE "+family+" ")
			if !ok || families[family] || !strings.HasSuffix(about, ".") || strings.ContainsAny(about, "\\\"") {
				t.Errorf("%q, %q", line, lines[i+1])
			}
			families[family] = true
			if total := strings.HasSuffix(family, "_total"); total != (kind == "counter" && !open) || kind != "counter" && kind != "gauge" {
				t.Errorf("%s is a %s", family, kind)
			}
			if kind == "counter" && open {
				family += "_total"
			}
			continue
		}
		if strings.HasPrefix(line, "# TYPE ") {
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil || m[1] != family {
			t.Errorf("%q is no sample of %s", line, family)
			continue
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if _, twice := samples[m[1]+m[2]]; twice || err != nil {
			t.Errorf("%q: %v", line, err)
		}
		samples[m[1]+m[2]] = value
		counts++
	}
	return samples
}

func metricsOf(t *testing.T, g *Gatherer, open bool) map[string]float64 {
	t.Helper()
	text, ok := g.AppendMetrics(nil, open)
	if !ok {
		t.Fatal("no metrics")
	}
	return samplesOf(t, text, open)
}

// expectSamples checks samples: those that are NaN are not to be there.
func expectSamples(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for name, value := range want {
		is, ok := got["nodeinit_"+name]
		if known := value == value; known != ok || known && is != value {
			t.Errorf("%s is %v, %v, want %v", name, is, ok, value)
		}
	}
}

// crowded is a state in which there is something of everything: slot 0 is being reloaded,
// slot 1 waits.
func crowded(now time.Time) supervisor.Status {
	started := time.UnixMilli(1e12 + 5)
	return supervisor.Status{
		State: "running", PerCore: true, Ready: 1, Want: 2, Starts: 5, Crashes: 1, Reloads: 3, ReloadsFailed: 4,
		StartsByReason: []supervisor.Count{{Name: "start", N: 2}, {Name: "reload", N: 3}},
		CrashesByCause: []supervisor.Count{{Name: "oom_kill", N: 1}, {Name: "exit", N: 0}},
		Signals:        []supervisor.Count{{Name: "SIGTERM", N: 0}, {Name: "SIGUSR2", N: 7}},
		Workers: []supervisor.WorkerStatus{
			{
				Slot: 0, PID: os.Getppid(), State: "ready", Serves: true, Started: started, Restarts: 1, OldSpace: 1 << 30, Current: true,
				Requests: 1 << 40, Counted: true, Handovers: 12,
				Reported: cluster.State{
					Heartbeat: now.Add(-1500 * time.Millisecond), Counted: true, Connections: 5, Requests: 6,
					Loop: cluster.Loop{Utilisation: 0.25, DelayP50: 1500 * time.Microsecond, DelayP99: 20 * time.Millisecond, Heap: 1234567},
				},
			},
			{Slot: 0, PID: os.Getppid(), State: "starting", Started: started, Restarts: 2, Handovers: 99},
			{Slot: 1, State: "waiting", Restarts: 2, Current: true, Requests: 3, Counted: true},
		},
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	now := time.Now()
	g := gathererOf(supervisor.WorkerStatus{})
	g.Status = func() (supervisor.Status, bool) { return crowded(now), true }
	g.Mode, g.Version, g.HandsOver, g.Started = "per-core", "1.2.3", true, time.UnixMilli(1e12)
	counter := func(n uint64) cgroup.Counter { return cgroup.Counter{Value: n, Known: true} }
	g.Before = cgroup.Stats{Periods: counter(10), Throttled: counter(1), ThrottledTime: counter(1e9), OOMKill: counter(2)}
	g.Stats = func() cgroup.Stats {
		return cgroup.Stats{
			Periods: counter(110), Throttled: counter(6), ThrottledTime: counter(2.5e9), OOMKill: counter(5), MemoryCurrent: counter(4096),
			CPUPressure:    cgroup.Pressure{Known: true, Some: cgroup.Stall{Total: 1500 * time.Millisecond}, Full: cgroup.Stall{Total: time.Millisecond}},
			MemoryPressure: cgroup.Pressure{Known: true},
		}
	}
	none := unknown()
	for _, open := range []bool{false, true} {
		got := metricsOf(t, g, open)
		expectSamples(t, got, map[string]float64{
			"start_time_seconds": 1e9, "orphans_reaped_total": 3, "log_lines_dropped_total": 4,
			`state{state="running"}`: 1, `state{state="starting"}`: 0, `state{state="ended"}`: 0, "ready": 1,
			`workers{state="ready"}`: 1, `workers{state="starting"}`: 1, `workers{state="waiting"}`: 1, `workers{state="killed"}`: 0, "workers_wanted": 2,
			`worker_starts_total{reason="start"}`: 2, `worker_starts_total{reason="reload"}`: 3,
			`worker_crashes_total{cause="oom_kill"}`: 1, `worker_crashes_total{cause="exit"}`: 0,
			`reloads_total{result="completed"}`: 3, `reloads_total{result="failed"}`: 4,
			`signals_received_total{signal="SIGTERM"}`: 0, `signals_received_total{signal="SIGUSR2"}`: 7,
			"cpu_limit_cores": 2, "memory_limit_bytes": none, "memory_usage_bytes": 4096,
			"cpu_periods_total": 100, "cpu_throttled_periods_total": 5, "cpu_throttled_seconds_total": 1.5, "oom_kills_total": 3,
			`pressure_waiting_seconds_total{resource="cpu"}`: 1.5, `pressure_stalled_seconds_total{resource="cpu"}`: 0.001,
			`pressure_waiting_seconds_total{resource="memory"}`: 0, `pressure_waiting_seconds_total{resource="io"}`: none,

			`worker_up{worker="0"}`: 1, `worker_start_time_seconds{worker="0"}`: 1e9 + 0.005, `worker_restarts_total{worker="0"}`: 1,
			`worker_heap_size_used_bytes{worker="0"}`: 1234567, `worker_heap_size_limit_bytes{worker="0"}`: 1 << 30,
			`worker_eventloop_utilization_ratio{worker="0"}`: 0.25, `worker_eventloop_lag_p50_seconds{worker="0"}`: 0.0015,
			`worker_eventloop_lag_p99_seconds{worker="0"}`: 0.02, `worker_connections{worker="0"}`: 5,
			`worker_requests_total{worker="0"}`: 1 << 40, `worker_handovers_total{worker="0"}`: 12,
			// It is no child of this process.
			`worker_resident_memory_bytes{worker="0"}`: none, `worker_cpu_seconds_total{worker="0"}`: none, `worker_open_fds{worker="0"}`: none,

			`worker_up{worker="1"}`: 0, `worker_restarts_total{worker="1"}`: 2, `worker_requests_total{worker="1"}`: 3, `worker_handovers_total{worker="1"}`: 0,
			`worker_start_time_seconds{worker="1"}`: none, `worker_heartbeat_age_seconds{worker="1"}`: none, `worker_connections{worker="1"}`: none,
		})
		if age := got[`nodeinit_worker_heartbeat_age_seconds{worker="0"}`]; !(age >= 1.5) {
			t.Errorf("the heartbeat is %v seconds old", age)
		}
		for _, name := range []string{"resident_memory_bytes", "cpu_seconds_total", "open_fds", "max_fds"} {
			if !(got["nodeinit_"+name] > 0) {
				t.Errorf("%s is %v", name, got["nodeinit_"+name])
			}
		}
		if _, ok := got[fmt.Sprintf("nodeinit_build_info{version=%q,go_version=%q,mode=%q}", "1.2.3", runtime.Version(), "per-core")]; !ok {
			t.Error("no build_info")
		}
	}
}

// The same is in the same order, and without what is not known there is no family.
func TestMetricsOfFew(t *testing.T) {
	t.Parallel()
	g := gathererOf(supervisor.WorkerStatus{})
	g.Status = func() (supervisor.Status, bool) { return supervisor.Status{}, true }
	g.Limits = func() Limits { return Limits{} }
	first, _ := g.AppendMetrics(nil, false)
	got := samplesOf(t, first, false)
	expectSamples(t, got, map[string]float64{`state{state="starting"}`: 1, `state{state="running"}`: 0, "ready": 0, "workers_wanted": 0})
	for name := range got {
		if strings.HasPrefix(name, "nodeinit_worker_") || strings.HasPrefix(name, "nodeinit_cpu_limit") || strings.Contains(name, "pressure") {
			t.Errorf("%s is there", name)
		}
	}
	names := func(text []byte) (list []string) {
		for line := range strings.Lines(string(text)) {
			name, _, _ := strings.Cut(line, " ")
			list = append(list, name)
		}
		return list
	}
	g.recent = recent{}
	second, _ := g.AppendMetrics([]byte("before"), false)
	if rest, ok := strings.CutPrefix(string(second), "before"); !ok || !slices.Equal(names([]byte(rest)), names(first)) {
		t.Errorf("%q\nand\n%q", first, second)
	}
}

// The figures of a process are those of the worker, and go with it.
func TestMetricsOfAWorker(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("busy")}.Start(t)
	started := time.Now()
	pid, err := strconv.Atoi(p.Line())
	if err != nil {
		t.Fatal(err)
	}
	g := gathererOf(supervisor.WorkerStatus{PID: pid, State: "ready", Started: started, Current: true})
	got := metricsOf(t, g, false)
	for _, name := range []string{"resident_memory_bytes", "cpu_seconds_total", "open_fds", "max_fds"} {
		if !(got[`nodeinit_worker_`+name+`{worker="0"}`] > 0) {
			t.Errorf("%s is %v", name, got[`nodeinit_worker_`+name+`{worker="0"}`])
		}
	}
	expectSamples(t, got, map[string]float64{`worker_handovers_total{worker="0"}`: unknown(), `worker_requests_total{worker="0"}`: unknown()})
	p.CloseStdin()
	waitUntil(t, "its figures to go", func() bool {
		_, ok := metricsOf(t, g, false)[`nodeinit_worker_open_fds{worker="0"}`]
		return !ok
	})
}

// Values of labels that a worker chooses break nothing.
func TestLabels(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"": "", "a b": "a b", "é": "é", "a\"b\\c\nd": `a\"b\\c\nd`, "é\xff": "???", "\x00\x7f": "\x00\x7f",
	} {
		e := &exposition{family: family{"a", "."}, begun: true}
		e.sample(1, "x", value, "y", "z")
		if got := fmt.Sprintf("nodeinit_a{x=\"%s\",y=\"z\"} 1\n", want); string(e.dst) != got {
			t.Errorf("%q: %q, want %q", value, e.dst, got)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]string{
		0: "0", 1: "1", -1: "-1", 0.5: "0.5", 1e15: "1000000000000000", 1e21: "1e+21", 1e-9: "1e-09", 1e12 + 0.5: "1.0000000000005e+12",
	} {
		if got := string(appendValue(nil, value)); got != want {
			t.Errorf("%v is %s, want %s", value, got, want)
		}
	}
}

// Several sockets with an address are one queue.
func TestQueues(t *testing.T) {
	t.Parallel()
	n := func(n int) *int { return &n }
	e := new(exposition)
	new(Gatherer).addQueues(e, []Listen{{"*:1", n(1), n(10)}, {"*:1", n(2), n(20)}, {"*:2", n(0), n(5)}})
	expectSamples(t, samplesOf(t, e.dst, false), map[string]float64{
		`accept_queue_connections{address="*:1"}`: 3, `accept_queue_limit{address="*:1"}`: 30,
		`accept_queue_connections{address="*:2"}`: 0, `accept_queue_limit{address="*:2"}`: 5,
	})
}
