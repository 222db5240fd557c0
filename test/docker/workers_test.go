package docker

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// An application is a container with an application that knows nothing of
// nodeinit.
type application struct{ *container }

// runUnmodified runs an application in a container as its users do, but for
// Node, of which it gets a version: examples, or test/testdata/heap. Flags are
// docker run's.
func runUnmodified(t *testing.T, version, dir string, flags ...string) application {
	t.Helper()
	app, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return application{runContainer(t, nodeImage, slices.Concat(withNode(t, version), []string{
		"--volume", harness.Nodeinit + ":/nodeinit:ro", "--volume", app + ":/app:ro",
		"--publish", "127.0.0.1::3000", "--entrypoint", "/nodeinit",
	}, flags, []string{"--", "--", "node", "/app/server.js"})...)}
}

// withNode are the flags of docker run that put another Node into nodeImage.
func withNode(t *testing.T, version string) []string {
	t.Helper()
	// Since 26 Node needs a library that Debian's slim image does not have (node:26 does).
	atomic, err := filepath.Glob("/usr/lib/*-linux-gnu/libatomic.so.1")
	if err != nil || len(atomic) != 1 {
		t.Fatalf("libatomic1 is %q, error %v; the package gcc brings it", atomic, err)
	}
	return []string{
		"--volume", atomic[0] + ":" + atomic[0] + ":ro",
		"--volume", harness.NodeBinary(t, version) + ":/usr/local/bin/node:ro",
	}
}

// workers waits until n workers listen and returns their process IDs by slots.
func (a application) workers(n int) (workers map[int]int) {
	a.t.Helper()
	harness.WaitUntil(a.t, fmt.Sprintf("%d workers to listen", n), func() bool {
		stdout, _ := a.output()
		workers = harness.Listeners(a.t, stdout, 3000)
		if len(workers) != n && a.inspect(".State.Running") != "true" {
			a.t.Fatal("the container has ended")
		}
		return len(workers) == n
	})
	return workers
}

// programs are the command lines of the container's processes, by "docker top".
func (a application) programs() []string {
	a.t.Helper()
	lines := strings.Split(docker(a.t, "top", a.name, "-eo", "pid,args"), "\n")
	var list []string
	for _, line := range lines[1:] {
		_, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		list = append(list, strings.TrimSpace(args))
	}
	slices.Sort(list)
	return list
}

// killWorker sends a worker SIGKILL. The shell that does it may end with the
// container before docker hears of its success.
func (c *container) killWorker(pid int) {
	c.t.Helper()
	_, _ = harness.Run("docker", "exec", c.name, "sh", "-c", fmt.Sprintf("kill -KILL %d", pid))
}

// With two CPUs an unmodified application serves from two workers, on the first
// and the last line of Node, and there is no process that is not nodeinit or one of them.
func TestServesFromTwoWorkers(t *testing.T) {
	t.Parallel()
	online := onlineCPUs(t)
	for _, version := range harness.EdgeLines() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			app := runUnmodified(t, version, "../../examples", "--cpus", "2", "--memory", "512m")
			workers := app.workers(2)
			harness.UntilAllAnswer(t, workers, func() (string, error) { return harness.Get(app.url("3000")) })

			argv := "node /app/server.js"
			if got, want := app.programs(), []string{"/nodeinit -- " + argv, argv, argv}; !slices.Equal(got, want) {
				t.Errorf("processes %q, want %q", got, want)
			}
			app.checkStart(map[string]any{
				"mode": "per-core", "workers": 2.0, "cpus": 2.0, "affinity": float64(online), "argv": argv,
			}, fmt.Sprintf("2 CPUs, %d in the affinity mask, 512 MiB / 256 MiB = 2", online))
			app.checkHeaps(workers)

			if status := app.stop(); status != 0 {
				t.Errorf("status %d after docker stop, want the application's own 0", status)
			}
			if end := app.report(); end.Cause != "exit" || !*end.Requested {
				t.Errorf("reported cause %q, requested %v; want an exit that was requested", end.Cause, *end.Requested)
			}
			app.checkQuiet()
		})
	}
}

// checkStart checks facts of the first line, and its arithmetic.
func (a application) checkStart(want map[string]any, arithmetic string) {
	a.t.Helper()
	lines := a.logged("starting")
	if len(lines) != 1 {
		a.t.Fatalf("%d lines say that it starts", len(lines))
	}
	facts := lines[0].Facts
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if facts[key] != want[key] {
			a.t.Errorf("%s is %v, want %v", key, facts[key], want[key])
		}
	}
	if facts["arithmetic"] != arithmetic {
		a.t.Errorf("arithmetic %q, want %q", facts["arithmetic"], arithmetic)
	}
}

// checkHeaps checks that each worker has the old space that the log tells: the
// first what a single process may have, the others what both may at once.
func (a application) checkHeaps(workers map[int]int) {
	a.t.Helper()
	facts := a.logged("starting")[0].Facts
	for slot, pid := range workers {
		key, low, high := "old_space_bytes", 512*3/4, 512*9/10
		if slot > 0 {
			key, low, high = "others_old_space_bytes", 512/2*3/4, 512/2*9/10
		}
		oldSpace, _ := facts[key].(float64)
		if heap := int(oldSpace) / harness.MiB; heap < low || heap > high {
			a.t.Errorf("%s is %d MiB in a container of 512", key, heap)
		}
		want := fmt.Sprintf("--max-old-space-size=%d", int(oldSpace)/harness.MiB)
		environ := strings.Split(a.exec("cat", fmt.Sprintf("/proc/%d/environ", pid)), "\x00")
		i := slices.IndexFunc(environ, func(v string) bool { return strings.HasPrefix(v, "NODE_OPTIONS=") })
		if i < 0 || !strings.Contains(environ[i], want) {
			a.t.Errorf("worker %d has not got %s in %q", slot, want, environ)
		}
	}
}

// V8 takes the size that its worker was given.
func TestDividesHeap(t *testing.T) {
	t.Parallel()
	for _, version := range harness.EdgeLines() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			app := runUnmodified(t, version, "../testdata/heap", "--cpus", "2", "--memory", "640m")
			app.workers(2)
			want := app.logged("starting")[0].Facts
			for slot, key := range []string{"old_space_bytes", "others_old_space_bytes"} {
				oldSpace, _ := want[key].(float64)
				heap := app.heapLimit(slot)
				// The limit is the old space with the young generation's, at most 48 MiB.
				if heap < oldSpace || heap > oldSpace+48*harness.MiB {
					t.Errorf("V8's limit in worker %d is %.0f MiB with an old space of %.0f", slot, heap/harness.MiB, oldSpace/harness.MiB)
				}
			}
		})
	}
}

// heapLimit asks the worker of a slot for V8's limit.
func (a application) heapLimit(slot int) float64 {
	a.t.Helper()
	var worker struct {
		Slot string
		Heap float64
	}
	harness.WaitUntil(a.t, fmt.Sprintf("worker %d to answer", slot), func() bool {
		body, err := harness.Get("http://" + a.address(3000) + "/")
		if err != nil {
			a.t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(body), &worker); err != nil {
			a.t.Fatalf("%v in %q", err, body)
		}
		return worker.Slot == strconv.Itoa(slot)
	})
	return worker.Heap
}

// One CPU is one process, which is no worker.
func TestRunsOneProcessOnOneCPU(t *testing.T) {
	t.Parallel()
	app := runUnmodified(t, harness.NewestLine, "../../examples", "--cpus", "1", "--memory", "512m")
	app.waitFor("listening on port 3000")
	app.greets(1)
	argv := "node /app/server.js"
	if got, want := app.programs(), []string{"/nodeinit -- " + argv, argv}; !slices.Equal(got, want) {
		t.Errorf("processes %q, want %q", got, want)
	}
	app.checkStart(map[string]any{"mode": "fork", "cpus": 1.0},
		fmt.Sprintf("1 CPU, %d in the affinity mask, 512 MiB / 256 MiB = 2", onlineCPUs(t)))
	for _, msg := range []string{"worker started", "worker listening"} {
		if lines := app.logged(msg); len(lines) > 0 {
			t.Errorf("logged %v", lines)
		}
	}
	if status := app.stop(); status != 0 {
		t.Errorf("status %d after docker stop, want the application's own 0", status)
	}
}

// A worker that is killed ends the container with its status, after the other
// one has been stopped.
func TestEndsWithKilledWorker(t *testing.T) {
	t.Parallel()
	app := runUnmodified(t, harness.NewestLine, "../../examples", "--cpus", "2")
	workers := app.workers(2)
	app.killWorker(workers[1])
	end := app.checkEnd("signal", 137)
	if end.Signal != "SIGKILL" || *end.Requested {
		t.Errorf("reported signal %q, requested %v; want SIGKILL, unrequested", end.Signal, *end.Requested)
	}
	var ends []string
	for _, l := range app.logged("worker ended") {
		ends = append(ends, fmt.Sprint(l.Facts["worker"], " ", l.Facts["cause"], " ", l.Facts["status"]))
	}
	if want := []string{"1 signal 137", "0 exit 0"}; !slices.Equal(ends, want) {
		t.Errorf("workers ended: %q, want %q", ends, want)
	}
}

// With NODEINIT_MAX_CRASHES a killed worker is replaced in its slot, and both
// serve. docker stop ends it with 0 all the same.
func TestReplacesKilledWorker(t *testing.T) {
	t.Parallel()
	for _, version := range harness.EdgeLines() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			app := runUnmodified(t, version, "../../examples", "--cpus", "2", "--env", "NODEINIT_MAX_CRASHES=3")
			before := app.workers(2)
			app.killWorker(before[0])
			var after map[int]int
			harness.WaitUntil(t, "a replacement to listen", func() bool {
				after = app.workers(2)
				return after[0] != before[0]
			})
			if after[1] != before[1] {
				t.Errorf("worker 1 was %d, is %d", before[1], after[1])
			}
			harness.UntilAllAnswer(t, after, func() (string, error) { return harness.Get(app.url("3000")) })
			if environ := app.exec("cat", "/proc/"+strconv.Itoa(after[0])+"/environ"); !strings.Contains(environ, "NODEINIT_WORKER=0\x00") {
				t.Errorf("the replacement is not told its slot: %q", environ)
			}
			if status := app.stop(); status != 0 {
				t.Errorf("status %d after docker stop, want 0", status)
			}
			if end := app.report(); end.Cause != "exit" || !*end.Requested {
				t.Errorf("reported cause %q, requested %v; want an exit that was requested", end.Cause, *end.Requested)
			}
		})
	}
}
