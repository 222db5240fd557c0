package admin

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/supervisor"
)

// busyRole uses 50 ms of CPU time or more, and then waits.
func busyRole([]string) {
	var used unix.Rusage
	for used.Utime.Nano() < 50e6 {
		_ = unix.Getrusage(unix.RUSAGE_SELF, &used)
	}
	testproc.Say("%d", os.Getpid())
	testproc.UntilStdinCloses()
}

// wrapperRole starts a busy process and says its ID.
func wrapperRole([]string) {
	argv := testproc.Argv("busy")
	c := exec.Command(argv[0], argv[1:]...)
	c.Stdin, c.ExtraFiles = os.Stdin, []*os.File{os.NewFile(3, "reports")}
	if c.Run() != nil {
		os.Exit(1)
	}
}

// statusOf is what the supervisor would say of a worker.
func statusOf(w supervisor.WorkerStatus) func() (supervisor.Status, bool) {
	return func() (supervisor.Status, bool) {
		return supervisor.Status{State: "running", Workers: []supervisor.WorkerStatus{w}}, true
	}
}

func gathererOf(w supervisor.WorkerStatus) *Gatherer {
	return &Gatherer{
		Facts: Facts{
			Version: "1.2", Mode: "fork", Argv: []string{"node"}, Started: time.Now(),
			Limits: func() Limits { return Limits{CPUs: 2} }, Stats: func() cgroup.Stats { return cgroup.Stats{} },
			Orphans: func() int64 { return 3 }, Dropped: func() uint64 { return 4 },
		},
		Status: statusOf(w),
	}
}

// only returns the only worker of the document.
func only(t *testing.T, g *Gatherer) Worker {
	t.Helper()
	d, ok := g.Document()
	if !ok || len(d.Workers) != 1 {
		t.Fatalf("%+v, %v", d, ok)
	}
	return d.Workers[0]
}

func expectNoFigures(t *testing.T, what string, w Worker) {
	t.Helper()
	if w.CPU != nil || w.CPUSeconds != nil || w.Resident != nil {
		text, _ := json.Marshal(w)
		t.Errorf("%s has figures: %s", what, text)
	}
}

func TestFiguresOfAWorker(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("busy")}.Start(t)
	started := time.Now()
	p.Line()
	g := gathererOf(supervisor.WorkerStatus{PID: p.PID, Started: started})
	w := only(t, g)
	if w.CPU == nil || w.CPUSeconds == nil || w.Resident == nil {
		t.Fatalf("%+v", w)
	}
	if *w.CPUSeconds < 0.05 || *w.Resident < 1<<20 || *w.CPU < 0 {
		t.Errorf("CPU %v, %v s, resident %d", *w.CPU, *w.CPUSeconds, *w.Resident)
	}
	// Since a sample that is two seconds old; the next one is not since that again.
	stat, ok := readStat(p.PID)
	if !ok {
		t.Fatal("no /proc/PID/stat")
	}
	old := sample{p.PID, time.Now().Add(-2 * time.Second), stat.started, 0}
	g.samples = []sample{old}
	if w = only(t, g); w.CPU == nil || *w.CPU <= 0 || *w.CPU > (*w.CPUSeconds+0.001)/2 {
		t.Errorf("%v s of CPU time in two seconds or more are a ratio of %v", *w.CPUSeconds, *w.CPU)
	}
	if len(g.samples) != 1 || !g.samples[0].at.After(old.at) || g.samples[0].cpu == 0 {
		t.Errorf("the next ratio is since %+v", g.samples)
	}
	// A sample of another process with the same ID is none.
	g.samples = []sample{{p.PID, time.Now().Add(-2 * time.Second), stat.started - 1, 0}}
	if s, ok := g.last(sample{pid: p.PID, at: time.Now(), started: stat.started}); ok {
		t.Errorf("the ratio is since %+v", s)
	}
}

// Many requests at once do not make the time shorter over which usage is measured.
func TestBaseOfUsageStays(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("busy")}.Start(t)
	started := time.Now()
	p.Line()
	g := gathererOf(supervisor.WorkerStatus{PID: p.PID, Started: started})
	stat, _ := readStat(p.PID)
	young := sample{p.PID, time.Now().Add(time.Hour), stat.started, 0} // for ever
	g.samples = []sample{young}
	from := []supervisor.WorkerStatus{{PID: p.PID, Started: started}}
	for range 3 {
		if g.sample(from, make([]Worker, 1)); !slices.Equal(g.samples, []sample{young}) {
			t.Fatalf("the base is %+v", g.samples)
		}
	}
}

// A worker that is gone has none of the figures of the process that has its ID by now,
// and one that names a process of others has none of those.
func TestFiguresAreOfNoOther(t *testing.T) {
	t.Parallel()
	wrapper := testproc.Command{Argv: testproc.Argv("wrapper")}.Start(t)
	started := time.Now()
	var below int
	fmt.Sscan(wrapper.Line(), &below)
	other := testproc.Command{Argv: testproc.Argv("busy")}.Start(t)
	other.Line()
	ended := testproc.Command{Argv: testproc.Argv("busy")}.Start(t)
	ended.CloseStdin()
	ended.Wait()
	status := func(pid int, started time.Time, named int) supervisor.WorkerStatus {
		return supervisor.WorkerStatus{PID: pid, Started: started, Reported: cluster.State{PID: named}}
	}
	for what, w := range map[string]supervisor.WorkerStatus{
		"a worker that has been replaced by a younger process": status(other.PID, started.Add(-time.Hour), 0),
		"a worker whose process is not a child":                status(below, started, 0),
		"a worker that is the parent":                          status(os.Getppid(), started, 0),
		"a worker that is PID 1":                               status(1, started, 0),
		"a worker that is nodeinit":                            status(os.Getpid(), started, 0),
		"a worker that has ended":                              status(ended.PID, started, 0),
		"a worker that names another one":                      status(wrapper.PID, started, other.PID),
		"a worker that names nodeinit":                         status(wrapper.PID, started, os.Getpid()),
		"a worker that names nobody":                           status(wrapper.PID, started, 1<<30),
		"a slot that waits":                                    status(0, started, 0),
	} {
		expectNoFigures(t, what, only(t, gathererOf(w)))
	}
	w := only(t, gathererOf(status(wrapper.PID, started, below)))
	if w.PID != wrapper.PID || w.Resident == nil || *w.CPUSeconds < 0.05 {
		t.Errorf("behind a wrapper: %+v", w)
	}
}

// blindRole makes a document where no file can be opened.
func blindRole([]string) {
	argv := testproc.Argv("busy")
	c := exec.Command(argv[0], argv[1:]...)
	in, _ := c.StdinPipe()
	if c.Start() != nil {
		os.Exit(1)
	}
	_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{})
	state := cluster.State{Listening: []string{"*:80", "udp:*:53", "*:80", "/run/s"}}
	g := gathererOf(supervisor.WorkerStatus{PID: c.Process.Pid, State: "ready", Started: time.Now(), Reported: state})
	d, _ := g.Document()
	d.Workers[0].PID, d.Nodeinit.PID, d.Workers[0].Uptime, d.Nodeinit.Uptime = 2, 1, 0, 0
	fmt.Println(string(d.AppendJSON(nil)))
	in.Close()
	_ = c.Wait()
}

// What cannot be read is absent, and no error.
func TestDocumentWithoutFiles(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("blind")}.Start(t)
	p.WaitCode(0)
	want := `{"version":1,"nodeinit":{"version":"1.2","pid":1,"uptime_seconds":0},"mode":"fork","state":"running","ready":0,"want":0,` +
		`"argv":["node"],"limits":{"cpus":2},"starts":0,"crashes":0,"reloads":0,"listen":[{"address":"*:80"},{"address":"/run/s"}],` +
		`"workers":[{"slot":0,"pid":2,"state":"ready","uptime_seconds":0,"restarts":0}]}`
	if got := strings.TrimSpace(p.Output()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDocumentOfASupervisorThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	g := &Gatherer{Status: func() (supervisor.Status, bool) { return supervisor.Status{}, false }}
	if got, want := string(g.AppendJSON(nil)), `{"error":"nodeinit is too busy to tell its status"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What the agent has not reported, or not lately, is not known.
func TestReportedFigures(t *testing.T) {
	t.Parallel()
	now := time.Now()
	loop := cluster.Loop{Utilisation: 0.123456, DelayP99: 1500 * time.Microsecond, Heap: 7}
	describe := func(s cluster.State, oldSpace int64) string {
		w := describe(&supervisor.WorkerStatus{Slot: 3, PID: 9, State: "ready", Started: now, Restarts: 2, LastExit: "exit 1", OldSpace: oldSpace, Reported: s}, now)
		d := Document{Workers: []Worker{w}}
		_, text, _ := strings.Cut(string(d.AppendJSON(nil)), `"restarts":2`)
		return strings.TrimSuffix(text, `,"last_exit":"exit 1"}]}`)
	}
	for _, c := range []struct {
		state    cluster.State
		oldSpace int64
		want     string
	}{
		{cluster.State{}, 0, ``},
		{cluster.State{Agent: true, Loop: loop}, 5, `,"heap_limit_bytes":5`},
		{cluster.State{Heartbeat: now, Loop: loop}, 5, `,"heartbeat_age_seconds":0,"heap_used_bytes":7,"heap_limit_bytes":5,"loop_utilization":0.1235,"loop_delay_p99_seconds":0.0015`},
		{cluster.State{Heartbeat: now.Add(-supervisor.HeartbeatLimit), Loop: loop}, 0, `,"heartbeat_age_seconds":10,"heap_used_bytes":7`},
		{cluster.State{Heartbeat: now, Loop: cluster.Loop{Heap: 1}, Counted: true}, 0, `,"heartbeat_age_seconds":0,"heap_used_bytes":1,"loop_utilization":0,"loop_delay_p99_seconds":0,"connections":0,"requests":0`},
		{cluster.State{Counted: true, Connections: 4, Requests: 1 << 40}, 0, `,"connections":4,"requests":1099511627776`},
	} {
		if got := describe(c.state, c.oldSpace); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.state, got, c.want)
		}
	}
}

func TestCounters(t *testing.T) {
	t.Parallel()
	count := func(n uint64) cgroup.Counter { return cgroup.Counter{Value: n, Known: true} }
	for _, c := range []struct {
		before, now cgroup.Stats
		want        string
	}{
		{cgroup.Stats{}, cgroup.Stats{}, ``},
		{cgroup.Stats{OOMKill: count(2), Periods: count(5), Throttled: count(1)}, cgroup.Stats{OOMKill: count(3), Periods: count(5), Throttled: count(1), MemoryCurrent: count(8)}, `"memory_bytes":8,"oom_kills":1`},
		{cgroup.Stats{Periods: count(5), Throttled: count(1)}, cgroup.Stats{Periods: count(9), Throttled: count(2)}, `"throttled_ratio":0.25`},
		{cgroup.Stats{Periods: count(5)}, cgroup.Stats{Periods: count(9), MemoryCurrent: count(1 << 63)}, `"memory_bytes":9223372036854775807`},
	} {
		var d Document
		d.addCounters(c.before, c.now)
		text := string(d.AppendJSON(nil))
		text = strings.ReplaceAll(text, `"starts":0,"crashes":0,"reloads":0,`, "")
		_, text, _ = strings.Cut(text, `"limits":{},`)
		text, _, _ = strings.Cut(text, `"listen"`)
		if got := strings.TrimSuffix(text, ","); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestArgvIsCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		argv, want []string
	}{
		{nil, nil},
		{[]string{"node", "x.js"}, []string{"node", "x.js"}},
		{[]string{"node", "12345678"}, []string{"node", "12345"}},
		{[]string{"node", "1234", "5"}, []string{"node", "1234", ""}},
		{[]string{"12345678901234"}, []string{"1234567890"}},
	} {
		before := slices.Clone(c.argv)
		if got := cut(c.argv, 10); !slices.Equal(got, c.want) || !slices.Equal(c.argv, before) {
			t.Errorf("%q is cut to %q, want %q", before, got, c.want)
		}
	}
}

const stat = "17 (no) de\n) S 4 17 17 0 -1 4194560 9 0 0 0 123 45 0 0 20 0 11 0 6789 1408604000 12345 18446744073709551615 1 1 0"

func TestParseStat(t *testing.T) {
	t.Parallel()
	want := procStat{4, 1680 * time.Millisecond, 67890 * time.Millisecond, int64(12345 * os.Getpagesize())}
	if got, ok := parseStat([]byte(stat)); !ok || got != want {
		t.Errorf("got %+v, %v, want %+v", got, ok, want)
	}
	for _, bad := range []string{
		"", ")", "17 (node", strings.Replace(stat, ") S", ") Z", 1), strings.Replace(stat, " 123 ", " -1 ", 1),
		strings.Replace(stat, " 12345 ", " 9223372036854775807 ", 1), strings.Replace(stat, " 4 17", " x 17", 1), stat[:60],
	} {
		if got, ok := parseStat([]byte(bad)); ok {
			t.Errorf("%q is %+v", bad, got)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte(stat))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, ok := parseStat(text)
		if ok && (s.cpu < 0 || s.started < 0 || s.resident < 0) {
			t.Errorf("%q is %+v", text, s)
		}
	})
}
