package vm

import (
	"context"
	"os/exec"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// A vmCase is what a case of testdata/cgroup-v2.sh printed, and its exit status.
type vmCase struct {
	output string
	status int
}

// runVM boots a machine with cgroup v2, runs testdata/cgroup-v2.sh in it and returns its cases.
func runVM(t *testing.T) map[string]vmCase {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testproc.HangLimit)
	defer cancel()
	args := []string{"cgroup-vm.sh", "-n", "3", "-m", "1024", "-f", harness.Nodeinit + ":/bin/nodeinit"}
	for _, file := range dynamic(t, "unshare") { // busybox's has no --cgroup
		args = append(args, "-f", file)
	}
	command := exec.CommandContext(ctx, "bash", append(args, "testdata/cgroup-v2.sh")...)
	command.WaitDelay = testproc.HangLimit
	out, err := command.CombinedOutput()
	console := string(out)
	if err != nil {
		t.Fatalf("cgroup-vm.sh: %v\n%s", err, console)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("console:\n%s", console)
		}
	})
	cases := map[string]vmCase{}
	for _, match := range regexp.MustCompile(`(?ms)^== (\S+)\n(.*?)^-- (\d+)$`).FindAllStringSubmatch(console, -1) {
		status, err := strconv.Atoi(match[3])
		if err != nil {
			t.Fatal(err)
		}
		cases[match[1]] = vmCase{output: match[2], status: status}
	}
	return cases
}

// dynamic returns the HOST:GUEST arguments for a program of this machine and its libraries.
func dynamic(t *testing.T, program string) (files []string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	libraries, err := harness.Run("ldd", path)
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, path+":/usr/bin/"+program)
	for _, match := range regexp.MustCompile(`(/\S+) \(0x`).FindAllStringSubmatch(libraries, -1) {
		files = append(files, match[1]+":"+match[1])
	}
	return files
}

// What is found, reported and warned of on real cgroup v2.
func TestCgroupV2(t *testing.T) {
	t.Parallel()
	cases := runVM(t)
	tests := []struct {
		name  string
		check func(t *testing.T, c vmCase)
	}{
		{"root", explains(harness.Explanation{Affinity: 3, Workers: 3})},
		{"nested", explains(nested)},
		{"root-option", explains(nested)},
		{"container", explains(harness.Explanation{
			CPUs: new(2.5), CPUsFrom: new("/sys/fs/cgroup/cpu.max"),
			MemoryBytes: new(int64(350 * harness.MiB)), MemoryFrom: new("/sys/fs/cgroup/memory.max"), MemoryHighBytes: new(int64(200 * harness.MiB)),
			Affinity: 2, Workers: 1,
		})},
		{"namespace-only", explainsApproximately},
		{"not-delegated", explains(harness.Explanation{
			CPUs: new(0.5), CPUsFrom: new("/sys/fs/cgroup/half/leaf/cpu.max"),
			MemoryBytes: new(int64(256 * harness.MiB)), MemoryFrom: new("/sys/fs/cgroup/half/memory.max"),
			Affinity: 3, Workers: 1,
		})},
		{"oom-own", endsWith("oom_kill", 137)},
		{"oom-own-pid1", endsWith("oom_kill", 137)},
		{"oom-above", endsWith("oom_kill_above", 137)},
		{"oom-above-pid1", endsWith("oom_kill_above", 137)},
		{"oom-group", takesNodeinitAlong},
		{"throttled", throttled},
		{"not-throttled", notThrottled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, ok := cases[test.name]
			if !ok {
				t.Fatal("the machine did not get there")
			}
			defer func() {
				if t.Failed() {
					t.Logf("status %d and output:\n%s", c.status, c.output)
				}
			}()
			test.check(t, c)
			delete(cases, test.name)
		})
	}
	for name := range cases {
		t.Errorf("case %s has no check", name)
	}
}

// nested are the limits in outer/middle/leaf: each the smallest over all levels.
var nested = harness.Explanation{
	CPUs: new(1.5), CPUsFrom: new("/sys/fs/cgroup/outer/cpu.max"),
	MemoryBytes: new(int64(300 * harness.MiB)), MemoryFrom: new("/sys/fs/cgroup/outer/middle/memory.max"), MemoryHighBytes: new(int64(200 * harness.MiB)),
	Affinity: 2, Workers: 1,
}

func explains(want harness.Explanation) func(t *testing.T, c vmCase) {
	return func(t *testing.T, c vmCase) {
		e := harness.ParseExplanation(t, c.output)
		var added []string
		if want.MemoryBytes != nil {
			// The heap is to stay below memory.high.
			budget := *want.MemoryBytes
			if want.MemoryHighBytes != nil {
				budget = *want.MemoryHighBytes
			}
			added = []string{"NODE_OPTIONS=--max-old-space-size=" + strconv.FormatInt(budget/harness.MiB-budget/harness.MiB/5-4, 10)}
		}
		if got := e.EnvAdded; len(got)+len(added) > 0 && !reflect.DeepEqual(got, added) {
			t.Errorf("adds %q to the environment, want %q", got, added)
		}
		e.Check(t, want)
	}
}

func explainsApproximately(t *testing.T, c vmCase) {
	e := harness.ParseExplanation(t, c.output)
	if e.Approximate == nil || !*e.Approximate || len(e.Warnings) != 1 {
		t.Errorf("the own cgroup is out of sight, but explained: %s", harness.AsJSON(t, e))
	}
}

func endsWith(cause string, status int) func(t *testing.T, c vmCase) {
	return func(t *testing.T, c vmCase) {
		end := harness.LastReport(t, c.output)
		if end.Cause != cause || *end.Status != status || c.status != status {
			t.Errorf("reported cause %q and status %d, status %d; want %q and %d", end.Cause, *end.Status, c.status, cause, status)
		}
		if end.OOMKills == nil || *end.OOMKills > 0 != (status == 137) {
			t.Errorf("reported other OOM kills: %s", harness.AsJSON(t, end))
		}
		if end.PeakMemory == nil || *end.PeakMemory < harness.MiB || *end.PeakMemory > 50*harness.MiB {
			t.Errorf("reported a peak memory that is not some MiB: %s", harness.AsJSON(t, end))
		}
	}
}

// takesNodeinitAlong: with memory.oom.group no report can follow, so the log warns of that at once.
func takesNodeinitAlong(t *testing.T, c vmCase) {
	if c.status != 137 {
		t.Errorf("status %d, want 137", c.status)
	}
	warned := false
	for _, l := range harness.OwnLines(t, c.output) {
		warned = warned || l.Level == "warn" && strings.HasPrefix(l.Msg, "memory.oom.group is set")
		if l.Msg == "exit" {
			t.Error("nodeinit outlived the kill of its whole cgroup")
		}
	}
	if !warned {
		t.Error("no warning of memory.oom.group")
	}
}

func throttled(t *testing.T, c vmCase) {
	end := harness.LastReport(t, c.output)
	if end.ThrottledShare == nil || *end.ThrottledShare <= 0 || *end.ThrottledShare > 1 {
		t.Errorf("a busy loop at a fifth of a CPU was not throttled: %s", harness.AsJSON(t, end))
	}
}

func notThrottled(t *testing.T, c vmCase) {
	if end := harness.LastReport(t, c.output); end.ThrottledShare != nil {
		t.Errorf("throttled share %v without a quota", *end.ThrottledShare)
	}
}
