package cgroup

import (
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
)

// TestHere reads the limits of this machine, whatever they are.
func TestHere(t *testing.T) {
	affinity, err := Affinity()
	if err != nil {
		t.Fatal(err)
	}
	if affinity != runtime.NumCPU() {
		t.Errorf("Affinity = %d, runtime.NumCPU = %d", affinity, runtime.NumCPU())
	}
	g := Find(os.DirFS("/"))
	l := g.Limits(0)
	checkInvariants(t, l)
	if l.Affinity != affinity {
		t.Errorf("%d CPUs in /proc/self/status, %d in sched_getaffinity", l.Affinity, affinity)
	}
	if l.MemTotal == 0 {
		t.Error("no MemTotal")
	}
	_, arithmetic := l.Workers()
	t.Logf("%s\n%+v\n%+v", arithmetic, l, g.Stats())
}

// machine is a v2 container with a limit of 1.5 CPUs and 512 MiB on its parent,
// and no limit of its own.
func machine() fstest.MapFS {
	return directory(map[string]string{
		"proc/self/cgroup":             "0::/p/c\n",
		"proc/self/mountinfo":          "30 29 0:23 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
		"proc/meminfo":                 "MemTotal: 1048576 kB\n",
		"sys/fs/cgroup/p/cpu.max":      "150000 100000\n",
		"sys/fs/cgroup/p/memory.max":   "536870912\n",
		"sys/fs/cgroup/p/c/cpu.max":    "max 100000\n",
		"sys/fs/cgroup/p/c/memory.max": "max\n",
	})
}

func directory(files map[string]string) fstest.MapFS {
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

func TestBadFiles(t *testing.T) {
	for name, file := range map[string]*fstest.MapFile{
		"empty":     {},
		"NUL":       {Data: []byte("1\x00")},
		"NULs":      {Data: make([]byte, 4096)},
		"megabytes": {Data: []byte(strings.Repeat("1", 8<<20))},
		"one line":  {Data: []byte(strings.Repeat("1 ", 1<<20))},
		"lines":     {Data: []byte(strings.Repeat("\n", 1<<20))},
		"directory": {Mode: fs.ModeDir},
		"no UTF-8":  {Data: []byte("\xff\xfe 1\n")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, leaf := range []string{"cpu.max", "memory.max", "memory.high"} {
				root := machine()
				root["sys/fs/cgroup/p/c/"+leaf] = file
				checkOneWarning(t, leaf, Find(root).Limits(4))
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	for _, leaf := range []string{"cpu.max", "memory.max"} {
		checkOneWarning(t, leaf, Find(denied{machine(), "sys/fs/cgroup/p/c/" + leaf}).Limits(4))
	}
}

// checkOneWarning checks for the limits of machine and a warning about that file.
func checkOneWarning(t *testing.T, leaf string, l Limits) {
	t.Helper()
	checkInvariants(t, l)
	if l.CPU != 1.5 || l.Memory != 512<<20 || l.MemoryHigh != 0 || l.Approximate {
		t.Errorf("%s: %+v", leaf, l)
	}
	if len(l.Warnings) != 1 || !strings.HasPrefix(l.Warnings[0], "read /sys/fs/cgroup/p/c/"+leaf+": ") || len(l.Warnings[0]) > 300 {
		t.Errorf("%s: warnings %q", leaf, l.Warnings)
	}
}

// denied is a directory with a file that this user may not read.
type denied struct {
	fs.FS
	name string
}

func (d denied) Open(name string) (fs.File, error) {
	if name == d.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return d.FS.Open(name)
}

// TestNothing removes one after the other of the files that always exist.
func TestNothing(t *testing.T) {
	checkInvariants(t, Find(fstest.MapFS{}).Limits(0))
	for _, name := range []string{"proc/self/cgroup", "proc/self/mountinfo"} {
		for _, file := range []*fstest.MapFile{nil, {}, {Mode: fs.ModeDir}, {Data: []byte(strings.Repeat("x", 8<<20))}} {
			root := machine()
			if root[name] = file; file == nil {
				delete(root, name)
			}
			l := Find(root).Limits(4)
			checkInvariants(t, l)
			if l.CPU != 0 || l.CPUVersion != 0 || l.Memory != 0 || l.Approximate || len(l.Warnings) == 0 {
				t.Errorf("%s: %+v", name, l)
			}
		}
	}
}

func TestCRLF(t *testing.T) {
	root := machine()
	for _, file := range root {
		file.Data = []byte(strings.ReplaceAll(string(file.Data), "\n", "\r\n"))
	}
	l := Find(root).Limits(4)
	if l.CPU != 1.5 || l.Memory != 512<<20 || l.MemTotal != 1<<30 || len(l.Warnings) != 0 {
		t.Errorf("%+v", l)
	}
}

func TestLongLines(t *testing.T) {
	root := machine()
	long := strings.Repeat("/long", 10000)
	root["proc/self/cgroup"].Data = []byte("5:freezer:" + long + "\n0::/p/c\n")
	root["proc/self/mountinfo"].Data = append([]byte("1 2 0:3 / "+long+" rw - cgroup2 x rw\n"), root["proc/self/mountinfo"].Data...)
	l := Find(root).Limits(4)
	checkInvariants(t, l)
	if l.CPU != 1.5 || len(l.Warnings) != 1 || len(l.Warnings[0]) > 300 {
		t.Errorf("%+v", l)
	}
}

func TestWarningIsOneLine(t *testing.T) {
	root := machine()
	root["proc/self/mountinfo"].Data = []byte(`30 29 0:23 / /a\012b rw - cgroup2 none rw`)
	root["a\nb/p/c/cpu.max"] = &fstest.MapFile{Data: []byte("1\n1\n1\n")}
	l := Find(root).Limits(4)
	checkInvariants(t, l)
	if len(l.Warnings) != 1 {
		t.Errorf("warnings %q", l.Warnings)
	}
}

// TestLimitsAgain changes a limit under a Group: docker update.
func TestLimitsAgain(t *testing.T) {
	root := machine()
	g := Find(root)
	before := g.Limits(4)
	root["sys/fs/cgroup/p/c/cpu.max"].Data = []byte("50000 100000\n")
	after := g.Limits(4)
	if before.CPU != 1.5 || after.CPU != 0.5 {
		t.Errorf("%v CPUs, then %v; want 1.5, then 0.5", before.CPU, after.CPU)
	}
}

func FuzzFind(f *testing.F) {
	const v1 = "78 77 0:29 /x /c rw - cgroup cgroup rw,cpu\n79 77 0:30 / /m rw - cgroup cgroup rw,memory\n"
	f.Add("0::/\n", "30 29 0:23 / /c rw - cgroup2 cgroup rw\n", "150000 100000\n", "100000\n", "268435456\n", "Cpus_allowed_list: 0-3\n", 4)
	f.Add("9:memory:/a\n4:cpu:/x\n", v1, "150000\n", "100000\n", "9223372036854771712\n", "hierarchical_memory_limit 1048576\n", 0)
	f.Add("0::/../a (deleted)\n", "1 2 0:3 /.. /c\\134 rw - cgroup2  rw\n", "max 1", "-1", "max", "MemTotal: 1 kB\n", -1)
	f.Fuzz(func(t *testing.T, cgroup, mountinfo, cpu, period, memory, text string, affinity int) {
		root := directory(map[string]string{
			"proc/self/cgroup": cgroup, "proc/self/mountinfo": mountinfo, "proc/self/status": text, "proc/meminfo": text,
		})
		for _, dir := range []string{"", "c/", "c/a/", "m/", "m/a/", "sys/fs/cgroup/"} {
			for name, text := range map[string]string{
				"cpu.max": cpu, "cpu.cfs_quota_us": cpu, "cpu.cfs_period_us": period, "cpu.stat": text, "cpu.pressure": text,
				"memory.max": memory, "memory.high": period, "memory.limit_in_bytes": memory, "memory.stat": text, "memory.events": text,
			} {
				root[dir+name] = &fstest.MapFile{Data: []byte(text)}
			}
		}
		g := Find(root)
		checkInvariants(t, g.Limits(affinity))
		g.Stats()
	})
}
