package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// An explanation is the part of nodeinit explain --json that is about limits.
type explanation struct {
	CPUs            *float64 `json:"cpus"`
	MemoryBytes     *int64   `json:"memory_bytes"`
	MemoryHighBytes *int64   `json:"memory_high_bytes"`
	Affinity        int      `json:"affinity"`
	CPUsFrom        *string  `json:"cpus_from"`
	MemoryFrom      *string  `json:"memory_from"`
	Approximate     *bool    `json:"approximate"`
	Workers         int      `json:"workers"`
	Mode            string   `json:"mode"`
	Argv            []string `json:"argv"`
	EnvAdded        []string `json:"env_added"`
	Warnings        []string `json:"warnings"`
}

func parseExplanation(t *testing.T, text string) (e explanation) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return e
}

// explainIn runs nodeinit explain --json in a container with those flags of docker run; after "--",
// more arguments of explain.
func explainIn(t *testing.T, args ...string) explanation {
	t.Helper()
	flags, more := args, []string(nil)
	if i := slices.Index(args, "--"); i >= 0 {
		flags, more = args[:i], args[i+1:]
	}
	run := slices.Concat([]string{"run", "--rm", "--label", "nodeinit-test"}, mounted(t), flags,
		[]string{"nodeinit-test/busybox", "explain", "--json"}, more)
	return parseExplanation(t, docker(t, run...))
}

const (
	v1Quota  = "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"
	v1Memory = "/sys/fs/cgroup/memory/memory.limit_in_bytes"
	v1Stat   = "/sys/fs/cgroup/memory/memory.stat"
)

// These tests know where cgroup v1 keeps things; vm_test.go is about v2.
func needV1(t *testing.T) {
	t.Helper()
	if version := docker(t, "info", "--format", "{{.CgroupVersion}}"); version != "1" {
		t.Fatalf("the engine is on cgroup v%s; these tests are about v1", version)
	}
}

func (e explanation) check(t *testing.T, want explanation) {
	t.Helper()
	if e.Approximate == nil || *e.Approximate || len(e.Warnings) > 0 {
		t.Errorf("the own cgroup is in sight, but explained: %s", asJSON(t, e))
	}
	e.Approximate, e.Mode, e.Argv, e.EnvAdded, e.Warnings = nil, "", nil, nil, nil
	if !reflect.DeepEqual(e, want) {
		t.Errorf("explained\n%s\nwant\n%s", asJSON(t, e), asJSON(t, want))
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
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

// What docker run is told is what nodeinit finds, with either kind of cgroup namespace.
func TestExplainShowsLimitsOfDockerRun(t *testing.T) {
	t.Parallel()
	needV1(t)
	online := onlineCPUs(t)
	tests := []struct {
		name  string
		flags []string
		want  explanation
	}{
		{"none", nil, explanation{Affinity: online, Workers: online}},
		{"cpus", []string{"--cpus", "1.5"}, explanation{CPUs: new(1.5), CPUsFrom: new(v1Quota), Affinity: online, Workers: 2}},
		{"few cpus", []string{"--cpus", "0.25"}, explanation{CPUs: new(0.25), CPUsFrom: new(v1Quota), Affinity: online, Workers: 1}},
		{
			"memory", []string{"--memory", "256m"},
			explanation{MemoryBytes: new(int64(256 * mib)), MemoryFrom: new(v1Memory), Affinity: online, Workers: 1},
		},
		{"cpuset", []string{"--cpuset-cpus", "0"}, explanation{Affinity: 1, Workers: 1}},
		{
			"all", []string{"--cpus", "1.5", "--memory", "256m", "--cpuset-cpus", "0"},
			explanation{
				CPUs: new(1.5), CPUsFrom: new(v1Quota), MemoryBytes: new(int64(256 * mib)), MemoryFrom: new(v1Memory),
				Affinity: 1, Workers: 1,
			},
		},
		{"shares are no limit", []string{"--cpu-shares", "512", "--memory-reservation", "64m"}, explanation{Affinity: online, Workers: online}},
	}
	for _, test := range tests {
		for _, namespace := range []string{"host", "private"} {
			t.Run(test.name+"/"+namespace, func(t *testing.T) {
				t.Parallel()
				explainIn(t, append(test.flags, "--cgroupns", namespace)...).check(t, test.want)
			})
		}
	}
}

const mib = 1 << 20

// parentCgroup makes a cgroup for --cgroup-parent, with a file written in each of two controllers.
func parentCgroup(t *testing.T, quota, memory string) string {
	t.Helper()
	needV1(t)
	name := uniqueName(t)
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
			waitUntil(t, dir+" to be removed", func() bool { return os.Remove(dir) == nil })
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
	memory, from := new(int64(100*mib)), new(v1Stat)
	for _, namespace := range []string{"host", "private"} {
		flags := []string{"--cgroup-parent", parent, "--cgroupns", namespace, "--memory", "256m"}
		explainIn(t, flags...).check(t, explanation{MemoryBytes: memory, MemoryFrom: from, Affinity: online, Workers: 1})

		told := explainIn(t, append(flags, "--", "--cpus", "0.5")...)
		told.check(t, explanation{
			CPUs: new(0.5), CPUsFrom: new("--cpus"), MemoryBytes: memory, MemoryFrom: from, Affinity: online, Workers: 1,
		})
	}
}

// The user knows better than the cgroup, in both directions.
func TestCPUsAndMemoryFlagsOverrideCgroup(t *testing.T) {
	t.Parallel()
	online := onlineCPUs(t)
	e := explainIn(t, "--cpus", "1", "--memory", "128m", "--env", "NODEINIT_MEMORY=1Gi", "--", "--cpus", "1.75")
	e.check(t, explanation{
		CPUs: new(1.75), CPUsFrom: new("--cpus"), MemoryBytes: new(int64(1024 * mib)), MemoryFrom: new("--memory"),
		Affinity: online, Workers: 2,
	})
}

// A copy of a container's /proc and /sys explains the same elsewhere.
func TestExplainRootOfCopy(t *testing.T) {
	t.Parallel()
	needV1(t)
	app := runMounted(t, nodeImage, "--cpus", "0.75", "--memory", "200m", "--cpuset-cpus", "1", "--", "node", "server.js")
	inside := parseExplanation(t, app.exec("/nodeinit", "explain", "--json", "--", "node", "server.js"))
	if inside.CPUs == nil || *inside.CPUs != 0.75 {
		t.Fatalf("explained inside: %s", asJSON(t, inside))
	}

	// Some files of a cgroup cannot be read (cgroup.event_control); cp goes on.
	app.exec("sh", "-c", `mkdir -p /tmp/root/proc/self /tmp/root/sys/fs
		cp /proc/self/cgroup /proc/self/mountinfo /proc/self/status /tmp/root/proc/self
		cp /proc/meminfo /tmp/root/proc
		cp -r /sys/fs/cgroup /tmp/root/sys/fs 2>/tmp/errors || true`)
	copied := filepath.Join(t.TempDir(), "root")
	docker(t, "cp", app.name+":/tmp/root", copied)
	out, err := run(nodeinit, "explain", "--json", "--root", copied, "--", "node", "server.js")
	if err != nil {
		t.Fatal(err)
	}
	if elsewhere := parseExplanation(t, out); !reflect.DeepEqual(elsewhere, inside) {
		t.Errorf("explained from the copy\n%s\ninside\n%s", asJSON(t, elsewhere), asJSON(t, inside))
	}
}
