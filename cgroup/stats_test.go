package cgroup

import (
	"testing"
	"testing/fstest"
	"time"
)

func known(n uint64) Counter { return Counter{Value: n, Known: true} }

func TestStatsV2(t *testing.T) {
	root := machine()
	for name, text := range map[string]string{
		"cpu.stat":         "usage_usec 9\nnr_periods 100\nnr_throttled 40\nthrottled_usec 5000\nnr_bursts 0\n",
		"cpu.stat.local":   "throttled_usec 7000\n",
		"cpu.pressure":     "some avg10=1.25 avg60=0.50 avg300=0.10 total=2000000\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=1000\n",
		"memory.events":    "low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 5\n",
		"memory.current":   "1000\n",
		"memory.peak":      "2000\n",
		"memory.oom.group": "1\n",
		"memory.pressure":  "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
		"io.pressure":      "some avg10=0.00 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=8\n",
	} {
		root["sys/fs/cgroup/p/c/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	want := Stats{
		Periods: known(100), Throttled: known(40), ThrottledTime: known(5000000), ThrottledAny: known(7000000),
		OOM: known(3), OOMKill: known(4), MemoryCurrent: known(1000), MemoryPeak: known(2000), OOMGroup: true,
		CPUPressure: Pressure{Known: true,
			Some: Stall{Avg10: 1.25, Total: 2 * time.Second}, Full: Stall{Avg10: 0.5, Total: time.Millisecond}},
		MemoryPressure: Pressure{Known: true, Some: Stall{Total: 7 * time.Microsecond}},
		IOPressure:     Pressure{Known: true, Some: Stall{Total: 9 * time.Microsecond}, Full: Stall{Total: 8 * time.Microsecond}},
	}
	if got := Find(root).Stats(); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// v1Machine is a v1 container with those files.
func v1Machine(cpu, memory map[string]string) fstest.MapFS {
	root := directory(map[string]string{
		"proc/self/cgroup":    "9:memory:/x\n4:cpu:/x\n",
		"proc/self/mountinfo": "78 77 0:29 / /c rw - cgroup cgroup rw,cpu\n79 77 0:30 /x /m rw - cgroup cgroup rw,memory\n",
		"c/x/tasks":           "",
		"m/tasks":             "",
	})
	for name, text := range cpu {
		root["c/x/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	for name, text := range memory {
		root["m/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

// Page cache is not in use, and that of cgroups below counts on v1.
func TestMemoryInUse(t *testing.T) {
	root := machine()
	root["sys/fs/cgroup/p/c/memory.current"] = &fstest.MapFile{Data: []byte("1000\n")}
	root["sys/fs/cgroup/p/c/memory.stat"] = &fstest.MapFile{Data: []byte("anon 500\nfile 300\ninactive_file 200\nactive_file 60\n")}
	if got := Find(root).MemoryInUse(); got != known(740) {
		t.Errorf("v2: %+v", got)
	}
	v1 := v1Machine(nil, map[string]string{
		"memory.usage_in_bytes": "1000\n",
		"memory.stat":           "cache 1\ninactive_file 1\nactive_file 2\ntotal_inactive_file 100\ntotal_active_file 40\n",
	})
	if got := Find(v1).MemoryInUse(); got != known(860) {
		t.Errorf("v1: %+v", got)
	}
	delete(root, "sys/fs/cgroup/p/c/memory.current")
	if got := Find(root).MemoryInUse(); got.Known {
		t.Errorf("without a file: %+v", got)
	}
}

func TestStatsV1(t *testing.T) {
	root := v1Machine(map[string]string{
		"cpu.stat":     "nr_periods 100\nnr_throttled 40\nthrottled_time 5000\n",
		"cpu.pressure": "some avg10=1.25 avg60=0.50 avg300=0.10 total=2000000\n", // cannot be
	}, map[string]string{
		"memory.oom_control":        "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
		"memory.failcnt":            "30\n",
		"memory.memsw.failcnt":      "3\n",
		"memory.usage_in_bytes":     "1000\n",
		"memory.max_usage_in_bytes": "2000\n",
	})
	want := Stats{
		Periods: known(100), Throttled: known(40), ThrottledTime: known(5000),
		OOMKill: known(4), Failcnt: known(33), MemoryCurrent: known(1000), MemoryPeak: known(2000),
	}
	if got := Find(root).Stats(); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestStatsUnknown(t *testing.T) {
	old := v1Machine(nil, map[string]string{ // kernels before 4.13, no swap accounting
		"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n",
		"memory.failcnt":     "30\n",
	})
	garbage := machine()
	for _, name := range []string{"cpu.stat", "memory.events", "memory.current", "memory.oom.group", "cpu.pressure"} {
		garbage["sys/fs/cgroup/p/c/"+name] = &fstest.MapFile{Data: []byte("oom -1\noom_kill \nnr_periods 1x\n\x00")}
	}
	removed := machine()
	removed["proc/self/cgroup"].Data = []byte("0::/p/gone\n")
	removed["sys/fs/cgroup/p/memory.events"] = &fstest.MapFile{Data: []byte("oom 1\noom_kill 1\n")}
	for name, c := range map[string]struct {
		root fstest.MapFS
		want Stats
	}{
		"nothing":     {fstest.MapFS{}, Stats{}},
		"no files":    {machine(), Stats{}},
		"old kernel":  {old, Stats{Failcnt: known(30)}},
		"garbage":     {garbage, Stats{}},
		"not our own": {removed, Stats{}},
	} {
		if got := Find(c.root).Stats(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestSince(t *testing.T) {
	for _, c := range []struct{ after, before, want Counter }{
		{known(5), known(3), known(2)},
		{known(3), known(3), known(0)},
		{known(2), known(9), known(2)}, // reset
		{known(5), Counter{}, Counter{}},
		{Counter{}, known(5), Counter{}},
	} {
		if got := c.after.Since(c.before); got != c.want {
			t.Errorf("%v since %v = %v, want %v", c.after, c.before, got, c.want)
		}
	}
}

// TestOOMWithSwap has the files of a 6.18 kernel after a kill for the limit of docker
// run -m 32m --memory-swap 32m: no failure is counted.
func TestOOMWithSwap(t *testing.T) {
	files := map[string]string{
		"memory.oom_control":              "oom_kill 0\n",
		"memory.failcnt":                  "0\n",
		"memory.memsw.failcnt":            "0\n",
		"memory.memsw.limit_in_bytes":     "33554432\n",
		"memory.memsw.max_usage_in_bytes": "1048576\n",
	}
	before := Find(v1Machine(nil, files)).Stats()
	files["memory.oom_control"] = "oom_kill 1\n"
	if got := Find(v1Machine(nil, files)).Stats().OOMSince(before); got != OOMAbove {
		t.Errorf("far from the limit: %v, want %v", got, OOMAbove)
	}
	files["memory.memsw.max_usage_in_bytes"] = "33542144\n"
	if got := Find(v1Machine(nil, files)).Stats().OOMSince(before); got != OOMLimit {
		t.Errorf("at the limit: %v, want %v", got, OOMLimit)
	}
}

func TestThrottledAbove(t *testing.T) {
	before := Stats{ThrottledTime: known(10), ThrottledAny: known(30)}
	for _, c := range []struct {
		own, all, want Counter
	}{
		{known(10), known(30), known(0)},
		{known(15), known(50), known(15)},
		{known(25), known(40), known(0)}, // the two are not read at once
		{known(25), Counter{}, Counter{}},
		{Counter{}, known(50), Counter{}},
	} {
		after := Stats{ThrottledTime: c.own, ThrottledAny: c.all}
		if got := after.ThrottledAbove(before); got != c.want {
			t.Errorf("own %v, any %v: %v, want %v", c.own, c.all, got, c.want)
		}
	}
}

func TestOOMSince(t *testing.T) {
	v2 := func(oom, kill uint64) Stats { return Stats{OOM: known(oom), OOMKill: known(kill)} }
	v1 := func(failcnt, kill uint64) Stats { return Stats{Failcnt: known(failcnt), OOMKill: known(kill)} }
	for name, c := range map[string]struct {
		before, after Stats
		want          OOM
	}{
		"v2 nothing":              {v2(1, 1), v2(1, 1), OOMNone},
		"v2 allocation failed":    {v2(1, 1), v2(2, 1), OOMNone},
		"v2 own limit":            {v2(1, 1), v2(2, 2), OOMLimit},
		"v2 limit above":          {v2(1, 1), v2(1, 3), OOMAbove},
		"v1 nothing":              {v1(5, 1), v1(5, 1), OOMNone},
		"v1 reclaimed":            {v1(5, 1), v1(9, 1), OOMNone},
		"v1 own limit":            {v1(5, 1), v1(9, 2), OOMLimit},
		"v1 limit above":          {v1(5, 1), v1(5, 2), OOMAbove},
		"v1 failcnt was reset":    {v1(5, 1), v1(2, 2), OOMLimit},
		"kills alone are known":   {Stats{OOMKill: known(1)}, Stats{OOMKill: known(2)}, OOMLimit},
		"kills are not known":     {Stats{OOM: known(1)}, Stats{OOM: known(2)}, OOMNone},
		"kills were not known":    {Stats{}, v2(1, 1), OOMNone},
		"cgroup is there no more": {v2(1, 1), Stats{}, OOMNone},
	} {
		if got := c.after.OOMSince(c.before); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
