package docker

import (
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// A program whose heap leaks ends with V8's own message and abort, before the kernel kills it.
func TestHeapLeakEndsWithV8Message(t *testing.T) {
	t.Parallel()
	type test struct{ version, memory, mode, leaking string }
	tests := []test{
		{"24.21.0", "64m", "fork", ""},
		{"20.20.2", "512m", "per-core", ""},  // all workers
		{"24.21.0", "512m", "auto", "first"}, // worker 0, which may have more
	}
	for _, version := range []string{"18.20.8", "20.20.2", "22.23.3", "24.21.0", "26.10.0"} {
		tests = append(tests, test{version, "128m", "fork", ""}, test{version, "256m", "fork", ""})
	}
	for _, test := range tests {
		t.Run(strings.Join([]string{test.version, test.memory, test.mode, test.leaking}, " "), func(t *testing.T) {
			t.Parallel()
			flags := []string{"--cpus", "2", "--memory", test.memory, "--env", "NODEINIT_MODE=" + test.mode}
			app := runMounted(t, nodeImage, slices.Concat(withNode(t, test.version), flags, []string{"--", "node", "leak.js", "objects", test.leaking})...)
			end := app.checkEnd("v8_heap", 134)
			if end.Signal != "SIGABRT" || end.Level != "error" {
				t.Errorf("reported signal %q at level %s", end.Signal, end.Level)
			}
			if end.OOMKills == nil || *end.OOMKills != 0 {
				t.Errorf("reported OOM kills: %s", harness.AsJSON(t, end))
			}
			if _, stderr := app.output(); !strings.Contains(stderr, "JavaScript heap out of memory") {
				t.Errorf("V8 did not say that its heap is full:\n%s", stderr)
			}
			if app.inspect(".State.OOMKilled") != "false" {
				t.Error("the kernel killed for want of memory")
			}
			if end.PeakMemory != nil {
				t.Logf("peak %d MiB in a container of %s", *end.PeakMemory/harness.MiB, test.memory)
			}
		})
	}
}

// What lives under plain node lives under nodeinit: a program may hold two thirds of the memory
// in its heap, in a single process and in the first of two workers, which may be a job.
func TestHeapHoldsWhatPlainNodeHolds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ version, memory, mode, holds string }{
		{"18.20.8", "256m", "fork", "140"},
		{"24.21.0", "256m", "auto", "175"},
		{"20.20.2", "512m", "auto", "350"},
	} {
		t.Run(strings.Join([]string{test.version, test.memory, test.mode}, " "), func(t *testing.T) {
			t.Parallel()
			flags := []string{"--cpus", "2", "--memory", test.memory, "--env", "NODEINIT_MODE=" + test.mode}
			app := runMounted(t, nodeImage, slices.Concat(withNode(t, test.version), flags, []string{"--", "node", "hold.js", test.holds})...)
			app.checkEnd("exit", 0)
			if stdout, _ := app.output(); !strings.Contains(stdout, "holds "+test.holds+" MiB\n") {
				t.Errorf("it does not hold %s MiB:\n%s", test.holds, stdout)
			}
		})
	}
}

// With the heap left to Node the same program is killed in a container of 128 MiB; so it is, with
// any heap, if what leaks is not in it.
func TestLeakBeyondHeapIsOOMKill(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, heap, swap, what string }{
		{"heap left to Node", "off", "256m", "objects"},
		{"buffers", "auto", "256m", "buffers"},
		{"buffers without swap", "auto", "128m", "buffers"}, // v1 counts such a failure elsewhere, or not at all
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			app := runMounted(t, nodeImage, "--memory", "128m", "--memory-swap", test.swap, "--env", "NODEINIT_HEAP="+test.heap,
				"--", "node", "leak.js", test.what)
			end := app.checkEnd("oom_kill", 137)
			if end.OOMKills == nil || *end.OOMKills < 1 {
				t.Errorf("reported no OOM kill: %s", harness.AsJSON(t, end))
			}
			if end.PeakMemory == nil || *end.PeakMemory < 120*harness.MiB || *end.PeakMemory > 128*harness.MiB {
				t.Errorf("reported a peak memory that is not about the limit: %s", harness.AsJSON(t, end))
			}
			if app.inspect(".State.OOMKilled") != "true" {
				t.Error("docker does not know of an OOM kill")
			}
		})
	}
}

// The kernel kills for the limit of a cgroup above the container, and the report says so.
func TestOOMKillByLimitAboveContainer(t *testing.T) {
	t.Parallel()
	parent := parentCgroup(t, "-1", "100M")
	app := runMounted(t, nodeImage, "--cgroup-parent", parent, "--memory", "256m", "--", "node", "leak.js", "buffers")
	app.checkEnd("oom_kill_above", 137)
}

// A size that the user gives is the one that Node has, in whichever way it is given, and nothing is
// added to it.
func TestHeapOfUserIsRespected(t *testing.T) {
	t.Parallel()
	// What the program sees: NODE_OPTIONS and the options in its own argv.
	const show = `process.stdout.write(JSON.stringify([process.env.NODE_OPTIONS ?? "", ...process.execArgv.slice(0, -2)]) + "\n")`
	tests := []struct {
		name  string
		flags []string
		node  []string
		want  string
	}{
		{"auto", nil, nil, `["--max-old-space-size=201"]`},
		{"argv", nil, []string{"--max-old-space-size=99"}, `["","--max-old-space-size=99"]`},
		{"argv, V8's spelling", nil, []string{"--max_old_space_size=99"}, `["","--max_old_space_size=99"]`},
		{"NODE_OPTIONS", []string{"--env", "NODE_OPTIONS=--no-warnings --max-old-space-size=99"}, nil, `["--no-warnings --max-old-space-size=99"]`},
		{"other NODE_OPTIONS stay", []string{"--env", "NODE_OPTIONS=--no-warnings"}, nil, `["--no-warnings --max-old-space-size=201"]`},
		{"--heap SIZE", []string{"--env", "NODEINIT_HEAP=77M"}, nil, `["--max-old-space-size=77"]`},
		{"--heap off", []string{"--env", "NODEINIT_HEAP=off"}, nil, `[""]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"--memory", "256m"}, test.flags...)
			args = append(append(args, "--", "--", "node"), test.node...)
			app := runMounted(t, nodeImage, append(args, "-e", show)...)
			app.checkEnd("exit", 0)
			if stdout, _ := app.output(); !strings.Contains(stdout, "\n"+test.want+"\n") {
				t.Errorf("node does not have %s:\n%s", test.want, stdout)
			}
		})
	}
}
