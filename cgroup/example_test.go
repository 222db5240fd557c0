package cgroup_test

import (
	"fmt"
	"testing/fstest"

	"github.com/nodeinit/nodeinit/cgroup"
)

func Example() {
	root := fstest.MapFS{} // a program uses os.DirFS("/")
	for file, text := range map[string]string{
		"proc/self/cgroup":                "0::/app\n",
		"proc/self/mountinfo":             "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		"proc/meminfo":                    "MemTotal: 16318480 kB\n",
		"sys/fs/cgroup/app/cpu.max":       "150000 100000\n",
		"sys/fs/cgroup/app/memory.max":    "536870912\n",
		"sys/fs/cgroup/app/memory.events": "oom 0\noom_kill 0\n",
	} {
		root[file] = &fstest.MapFile{Data: []byte(text)}
	}
	group := cgroup.Find(root)
	limits := group.Limits(8)
	fmt.Println(limits.CPU, "CPUs from", limits.CPUFrom)
	fmt.Println(limits.Memory>>20, "MiB from", limits.MemoryFrom)
	fmt.Println(limits.Workers())

	before := group.Stats()
	root["sys/fs/cgroup/app/memory.events"].Data = []byte("oom 1\noom_kill 1\n")
	fmt.Println("killed for the container's limit:", group.Stats().OOMSince(before) == cgroup.OOMLimit)
	// Output:
	// 1.5 CPUs from /sys/fs/cgroup/app/cpu.max
	// 512 MiB from /sys/fs/cgroup/app/memory.max
	// 2 1.5 CPUs rounds to 2, 8 in the affinity mask, 512 MiB / 256 MiB = 2
	// killed for the container's limit: true
}
