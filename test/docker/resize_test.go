package docker

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// address is where the container listens, without a proxy of Docker's between.
func (c *container) address(port int) string {
	c.t.Helper()
	return fmt.Sprintf("%s:%d", c.inspect("range .NetworkSettings.Networks}}{{.IPAddress}}{{end"), port)
}

// untilLogged waits for the nth of nodeinit's lines with a message.
func (c *container) untilLogged(n int, msg string) harness.LogLine {
	c.t.Helper()
	var lines []harness.LogLine
	harness.WaitUntil(c.t, fmt.Sprintf("%d times %q in the log", n, msg), func() bool {
		lines = c.logged(msg)
		if len(lines) < n && c.inspect(".State.Running") != "true" {
			c.t.Fatal("the container has ended")
		}
		return len(lines) >= n
	})
	return lines[n-1]
}

// sizes are the lines that tell of changed limits and of what came of them.
func (a application) sizes() (list []string) {
	a.t.Helper()
	stdout, _ := a.output()
	for _, l := range harness.OwnLines(a.t, stdout) {
		switch l.Msg {
		case "scaling":
			list = append(list, fmt.Sprint(l.Msg, " ", l.Facts["from"], " ", l.Facts["to"], " ", l.Facts["why"]))
		case "scaled":
			list = append(list, fmt.Sprint(l.Msg, " ", l.Facts["workers"]))
		case "limits changed":
			list = append(list, l.Msg)
		}
	}
	return list
}

// now returns the process IDs of the workers that are ready and have not ended.
func (a application) now() map[int]int {
	a.t.Helper()
	workers := make(map[int]int)
	stdout, _ := a.output()
	for _, l := range harness.OwnLines(a.t, stdout) {
		slot, _ := l.Facts["worker"].(float64)
		pid, _ := l.Facts["pid"].(float64)
		switch {
		case l.Msg == "worker ready":
			workers[int(slot)] = int(pid)
		case l.Msg == "worker ended" && workers[int(slot)] == int(pid):
			delete(workers, int(slot))
		}
	}
	return workers
}

// Workers follow a CPU limit that is changed while they run, and drop nothing;
// they do not follow one that is changed back at once. A worker that is
// started later knows how many there are by now.
func TestFollowsTheCPULimit(t *testing.T) {
	t.Parallel()
	app := runUnmodified(t, harness.NewestLine, "../testdata/heap", "--cpus", "2", "--memory", "640m", "--env", "NODEINIT_RELOAD_SIGNAL=HUP")
	first := app.workers(2)
	loads := []*harness.Load{harness.StartLoad(t, app.address(3000), false), harness.StartLoad(t, app.address(3000), true)}
	limit := func(cpus string) { docker(t, "update", "--cpus", cpus, app.name) }

	limit("1")
	app.untilLogged(1, "limits changed")
	limit("2")
	app.untilLogged(2, "limits changed")

	limit("1")
	app.untilLogged(1, "scaled")
	app.runsOnly(1)
	if one := app.now(); one[0] != first[0] {
		t.Errorf("the workers were %v, are %v, want worker 0 to stay", first, one)
	}
	docker(t, "kill", "--signal", "HUP", app.name)
	app.untilLogged(1, "reload done")
	one := app.now()
	app.checkSizes(one, 1, 640)

	limit("2")
	app.untilLogged(2, "scaled")
	app.runsOnly(2)
	two := app.now()
	if two[0] != one[0] || two[1] == 0 {
		t.Errorf("the workers were %v, are %v, want worker 0 to stay and a new one", one, two)
	}
	delete(two, 0)
	app.checkSizes(two, 2, 640)

	for _, l := range loads {
		l.Stop()
	}
	want := []string{
		"limits changed", "limits changed", // and back
		"limits changed", "scaling 2 1 limits", "scaled 1", "limits changed", "scaling 1 2 limits", "scaled 2",
	}
	if got := app.sizes(); !slices.Equal(got, want) {
		t.Errorf("the log tells\n%q, want\n%q", got, want)
	}
	if status := app.stop(); status != harness.Terminated {
		t.Errorf("status %d after docker stop, want %d", status, harness.Terminated)
	}
	app.checkQuiet()
}

// runsOnly checks that there are nodeinit and n workers.
func (a application) runsOnly(n int) {
	a.t.Helper()
	argv := "node /app/server.js"
	if got, want := a.programs(), append([]string{"/nodeinit -- " + argv}, slices.Repeat([]string{argv}, n)...); !slices.Equal(got, want) {
		a.t.Errorf("there run %q, want %q", got, want)
	}
}

// A worker that is started later gets a heap for the limits as they are then.
func TestSizesNewHeaps(t *testing.T) {
	t.Parallel()
	app := runUnmodified(t, harness.NewestLine, "../testdata/heap", "--cpus", "2", "--memory", "640m", "--memory-swap", "4g",
		"--env", "NODEINIT_RELOAD_SIGNAL=HUP")
	app.workers(2)
	app.checkSizes(app.now(), 2, 640)
	docker(t, "update", "--memory", "1280m", app.name)
	docker(t, "kill", "--signal", "HUP", app.name)
	app.untilLogged(1, "reload done")
	app.checkSizes(app.now(), 2, 1280)
	for slot := range 2 {
		checkHeap(t, int(app.heapLimit(slot))/harness.MiB-48, slot, 2, 1280) // with the young generation
	}
	if status := app.stop(); status != harness.Terminated {
		t.Errorf("status %d after docker stop, want %d", status, harness.Terminated)
	}
	app.checkQuiet()
}

// checkSizes checks that each of workers was told that there are n, and has a
// heap that is good for so many in so much memory.
func (a application) checkSizes(workers map[int]int, n, megabytes int) {
	a.t.Helper()
	for slot, pid := range workers {
		environ := "\x00" + a.exec("cat", fmt.Sprintf("/proc/%d/environ", pid))
		if !strings.Contains(environ, fmt.Sprintf("\x00NODEINIT_WORKER_COUNT=%d\x00", n)) {
			a.t.Errorf("worker %d is not told that there are %d: %q", slot, n, environ)
		}
		_, size, _ := strings.Cut(environ, "--max-old-space-size=")
		var oldSpace int
		if _, err := fmt.Sscanf(size, "%d", &oldSpace); err != nil {
			a.t.Fatalf("worker %d has no size for its heap in %q", slot, environ)
		}
		checkHeap(a.t, oldSpace, slot, n, megabytes)
	}
}

// checkHeap checks a heap of one of n workers: the first gets that of a single process.
func checkHeap(t *testing.T, heap, slot, n, megabytes int) {
	t.Helper()
	each := megabytes
	if slot > 0 {
		each /= n
	}
	if heap < each*3/4 || heap > each*9/10 {
		t.Errorf("a heap of %d MiB for worker %d of %d in %d MiB", heap, slot, n, megabytes)
	}
}
