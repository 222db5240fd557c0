package docker

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// explainIn runs nodeinit explain --json in a container with those flags of docker run; after "--",
// more arguments of explain.
func explainIn(t *testing.T, args ...string) harness.Explanation {
	t.Helper()
	flags, more := args, []string(nil)
	if i := slices.Index(args, "--"); i >= 0 {
		flags, more = args[:i], args[i+1:]
	}
	run := slices.Concat([]string{"run", "--rm", "--label", "nodeinit-test"}, mounted(t), flags,
		[]string{"nodeinit-test/busybox", "explain", "--json"}, more)
	return harness.ParseExplanation(t, docker(t, run...))
}

const (
	v1Quota  = "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"
	v1Memory = "/sys/fs/cgroup/memory/memory.limit_in_bytes"
	v1Stat   = "/sys/fs/cgroup/memory/memory.stat"
)

// These tests know where cgroup v1 keeps things; test/vm is about v2.
func needV1(t *testing.T) {
	t.Helper()
	if version := docker(t, "info", "--format", "{{.CgroupVersion}}"); version != "1" {
		t.Fatalf("the engine is on cgroup v%s; these tests are about v1", version)
	}
}

// onlineCPUs is the affinity of a container without --cpuset-cpus.
func onlineCPUs(t *testing.T) int {
	t.Helper()
	n := 0
	for line := range strings.Lines(docker(t, "run", "--rm", "nodeinit-test/busybox", "cat", "/proc/cpuinfo")) {
		if strings.HasPrefix(line, "processor") {
			n++
		}
	}
	if n < 2 {
		t.Fatalf("%d CPUs online; these tests need two", n)
	}
	return n
}

// The limits of docker run are those that nodeinit finds, with either kind of cgroup namespace.
func TestExplainShowsLimitsOfDockerRun(t *testing.T) {
	t.Parallel()
	needV1(t)
	online := onlineCPUs(t)
	tests := []struct {
		name  string
		flags []string
		want  harness.Explanation
	}{
		{"none", nil, harness.Explanation{Affinity: online, Workers: online}},
		{"cpus", []string{"--cpus", "1.5"}, harness.Explanation{CPUs: new(1.5), CPUsFrom: new(v1Quota), Affinity: online, Workers: 2}},
		{"few cpus", []string{"--cpus", "0.25"}, harness.Explanation{CPUs: new(0.25), CPUsFrom: new(v1Quota), Affinity: online, Workers: 1}},
		{
			"memory", []string{"--memory", "256m"},
			harness.Explanation{MemoryBytes: new(int64(256 * harness.MiB)), MemoryFrom: new(v1Memory), Affinity: online, Workers: 1},
		},
		{"cpuset", []string{"--cpuset-cpus", "0"}, harness.Explanation{Affinity: 1, Workers: 1}},
		{
			"all", []string{"--cpus", "1.5", "--memory", "256m", "--cpuset-cpus", "0"},
			harness.Explanation{
				CPUs: new(1.5), CPUsFrom: new(v1Quota), MemoryBytes: new(int64(256 * harness.MiB)), MemoryFrom: new(v1Memory),
				Affinity: 1, Workers: 1,
			},
		},
		{"shares are no limit", []string{"--cpu-shares", "512", "--memory-reservation", "64m"}, harness.Explanation{Affinity: online, Workers: online}},
	}
	for _, test := range tests {
		for _, namespace := range []string{"host", "private"} {
			t.Run(test.name+"/"+namespace, func(t *testing.T) {
				t.Parallel()
				explainIn(t, append(test.flags, "--cgroupns", namespace)...).Check(t, test.want)
			})
		}
	}
}

// parentCgroup makes a cgroup for --cgroup-parent, with a file written in each of two controllers.
func parentCgroup(t *testing.T, quota, memory string) string {
	t.Helper()
	needV1(t)
	name := harness.UniqueName(t)
	for file, value := range map[string]string{"cpu/%/cpu.cfs_quota_us": quota, "memory/%/memory.limit_in_bytes": memory} {
		file = filepath.Join("/sys/fs/cgroup", strings.ReplaceAll(file, "%", name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatalf("%v (needs root, and the engine on this machine)", err)
		}
		if err := os.WriteFile(file, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		dirs, err := filepath.Glob("/sys/fs/cgroup/*/" + name)
		if err != nil {
			t.Error(err)
		}
		for _, dir := range dirs {
			// runc has removed its own below; the kernel may still be at it.
			harness.WaitUntil(t, dir+" to be removed", func() bool { return os.Remove(dir) == nil })
		}
	})
	return "/" + name
}

// Of a parent's limits a container on v1 sees the one on memory, as the kernel's own minimum in
// memory.stat. The one on CPU it cannot see: that is what --cpus is for.
func TestExplainUnderCgroupParent(t *testing.T) {
	t.Parallel()
	online := onlineCPUs(t)
	parent := parentCgroup(t, "50000", "100M")
	memory, from := new(int64(100*harness.MiB)), new(v1Stat)
	for _, namespace := range []string{"host", "private"} {
		flags := []string{"--cgroup-parent", parent, "--cgroupns", namespace, "--memory", "256m"}
		explainIn(t, flags...).Check(t, harness.Explanation{MemoryBytes: memory, MemoryFrom: from, Affinity: online, Workers: 1})

		got := explainIn(t, append(flags, "--", "--cpus", "0.5")...)
		got.Check(t, harness.Explanation{
			CPUs: new(0.5), CPUsFrom: new("--cpus"), MemoryBytes: memory, MemoryFrom: from, Affinity: online, Workers: 1,
		})
	}
}

// The user knows better than the cgroup, in both directions.
func TestCPUsAndMemoryFlagsOverrideCgroup(t *testing.T) {
	t.Parallel()
	online := onlineCPUs(t)
	e := explainIn(t, "--cpus", "1", "--memory", "128m", "--env", "NODEINIT_MEMORY=1Gi", "--", "--cpus", "1.75")
	e.Check(t, harness.Explanation{
		CPUs: new(1.75), CPUsFrom: new("--cpus"), MemoryBytes: new(int64(1024 * harness.MiB)), MemoryFrom: new("--memory"),
		Affinity: online, Workers: 2,
	})
}

// A copy of a container's /proc and /sys explains the same elsewhere.
func TestExplainRootOfCopy(t *testing.T) {
	t.Parallel()
	needV1(t)
	app := runMounted(t, nodeImage, "--cpus", "0.75", "--memory", "200m", "--cpuset-cpus", "1", "--", "node", "server.js")
	inside := harness.ParseExplanation(t, app.exec("/nodeinit", "explain", "--json", "--", "node", "server.js"))
	if inside.CPUs == nil || *inside.CPUs != 0.75 {
		t.Fatalf("explained inside: %s", harness.AsJSON(t, inside))
	}

	// Some files of a cgroup cannot be read (cgroup.event_control); cp goes on.
	app.exec("sh", "-c", `mkdir -p /tmp/root/proc/self /tmp/root/sys/fs
		cp /proc/self/cgroup /proc/self/mountinfo /proc/self/status /tmp/root/proc/self
		cp /proc/meminfo /tmp/root/proc
		cp -r /sys/fs/cgroup /tmp/root/sys/fs 2>/tmp/errors || true`)
	copied := filepath.Join(t.TempDir(), "root")
	docker(t, "cp", app.name+":/tmp/root", copied)
	out, err := harness.Run(harness.Nodeinit, "explain", "--json", "--root", copied, "--", "node", "server.js")
	if err != nil {
		t.Fatal(err)
	}
	if elsewhere := harness.ParseExplanation(t, out); !reflect.DeepEqual(elsewhere, inside) {
		t.Errorf("explained from the copy\n%s\ninside\n%s", harness.AsJSON(t, elsewhere), harness.AsJSON(t, inside))
	}
}
