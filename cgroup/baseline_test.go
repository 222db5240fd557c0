package cgroup

import (
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"
)

// A recorder notes the files that are opened in it.
type recorder struct {
	fs.StatFS
	opened, looked *[]string
}

func record(root fstest.MapFS) recorder { return recorder{root, new([]string), new([]string)} }

func (r recorder) Open(name string) (fs.File, error) {
	*r.opened = append(*r.opened, name)
	return r.StatFS.Open(name)
}

func (r recorder) Stat(name string) (fs.FileInfo, error) {
	*r.looked = append(*r.looked, name)
	return r.StatFS.Stat(name)
}

// Baseline is Stats without what nothing is compared with, and opens no file for that.
func TestBaseline(t *testing.T) {
	v2 := machine()
	for name, text := range map[string]string{
		"cpu.stat":         "nr_periods 100\nnr_throttled 40\nthrottled_usec 5000\n",
		"cpu.stat.local":   "throttled_usec 7000\n",
		"cpu.pressure":     "some avg10=1.25 avg60=0.50 avg300=0.10 total=2000000\n",
		"memory.events":    "oom 3\noom_kill 4\n",
		"memory.current":   "1000\n",
		"memory.peak":      "2000\n",
		"memory.oom.group": "1\n",
		"memory.pressure":  "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
	} {
		v2["sys/fs/cgroup/p/c/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	v1 := v1Machine(map[string]string{"cpu.stat": "nr_periods 100\nnr_throttled 40\nthrottled_time 5000\n"}, map[string]string{
		"memory.oom_control":              "oom_kill 4\n",
		"memory.failcnt":                  "30\n",
		"memory.memsw.failcnt":            "3\n",
		"memory.usage_in_bytes":           "1000\n",
		"memory.max_usage_in_bytes":       "2000\n",
		"memory.memsw.limit_in_bytes":     "2000\n",
		"memory.memsw.max_usage_in_bytes": "2000\n",
	})
	for name, c := range map[string]struct {
		root   fstest.MapFS
		opened []string
	}{
		"v2": {v2, []string{
			"sys/fs/cgroup/p/c/cpu.stat", "sys/fs/cgroup/p/c/cpu.stat.local",
			"sys/fs/cgroup/p/c/memory.events", "sys/fs/cgroup/p/c/memory.oom.group",
		}},
		"v1":      {v1, []string{"c/x/cpu.stat", "m/memory.oom_control", "m/memory.failcnt", "m/memory.memsw.failcnt"}},
		"nothing": {fstest.MapFS{}, nil},
	} {
		root := record(c.root)
		g := Find(root)
		want := g.Stats()
		want.MemoryCurrent, want.MemoryPeak, want.CPUPressure, want.MemoryPressure = Counter{}, Counter{}, Pressure{}, Pressure{}
		want.swapPeaked = false
		*root.opened = nil
		if got := g.Baseline(); got != want {
			t.Errorf("%s: got  %+v\nwant %+v", name, got, want)
		}
		if !slices.Equal(*root.opened, c.opened) {
			t.Errorf("%s: opened %q, want %q", name, *root.opened, c.opened)
		}
	}
}

// A start reads each file once, and looks at each directory once.
func TestEachFileIsReadOnce(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"v2": machine(),
		"v1": v1Machine(map[string]string{"cpu.cfs_quota_us": "1\n", "cpu.cfs_period_us": "1\n"}, map[string]string{"memory.limit_in_bytes": "1\n"}),
	} {
		root := record(files)
		g := Find(root)
		g.Limits(2)
		g.Baseline()
		if len(*root.opened) < 6 || len(*root.looked) < 2 {
			t.Errorf("%s: opened %q and looked at %q only", name, *root.opened, *root.looked)
		}
		for _, names := range [][]string{*root.opened, *root.looked} {
			slices.Sort(names)
			if once := slices.Compact(slices.Clone(names)); len(once) != len(names) {
				t.Errorf("%s: twice: %q", name, names)
			}
		}
	}
}
