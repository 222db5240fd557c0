package supervisor_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/supervisor"
)

// An operationScenario is one life of a container in which operations are requested.
type operationScenario struct {
	name    string
	workers int // 0: two
	crashes int
	set     func(*world)
	play    string
	asks    string // "1s reload, 2s scale:3, 3s force:9"; 2m50s at the latest
	signals string
	want    []string // of each operation, in the order in which they were requested
}

// request requests one by a word such as "reload", "scale:3" or "force:9".
func (w *world) request(t *testing.T, what string) *supervisor.Operation {
	t.Helper()
	what, n, _ := strings.Cut(what, ":")
	if what == "reload" {
		return w.Reload()
	}
	return w.Scale(number(t, n), what == "force")
}

// follow returns all that an operation says: its steps, and how it has ended.
func (w *world) follow(o *supervisor.Operation) string {
	var all []string
	for e := range o.Events() {
		step := fmt.Sprintf("%v %d %d %s", time.Since(w.start), e.Slot, e.PID, e.Step)
		if e.Text != "" {
			step += " (" + e.Text + ")"
		}
		all = append(all, step)
	}
	end := fmt.Sprintf("%v done: %s", time.Since(w.start), o.Text())
	if why := o.Failure(); why != "" {
		end = fmt.Sprintf("%v failed: %s%s", time.Since(w.start), o.Text(), why)
	}
	return strings.Join(append(all, end), ", ")
}

func (s operationScenario) test(t *testing.T) {
	if s.signals == "" {
		s.signals = "3m TERM"
	}
	w := fleetScenario{workers: s.workers, crashes: s.crashes, set: s.set, play: s.play}.world(t)
	for line := range strings.SplitSeq(s.signals, ", ") {
		w.sendAt(t, line)
	}
	said := make(map[int]string) // guarded by w.mu
	asks := strings.Split(s.asks, ", ")
	for i, line := range asks {
		when, what, _ := strings.Cut(line, " ")
		w.at(duration(t, when), func() {
			text := w.follow(w.request(t, what))
			w.mu.Lock()
			defer w.mu.Unlock()
			said[i] = text
		})
	}
	w.run(t)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, line := range asks {
		if said[i] != s.want[i] {
			t.Errorf("%s:\ngot  %s\nwant %s", line, said[i], s.want[i])
		}
	}
	if t.Failed() {
		t.Log(w.log.String())
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	for _, s := range operationScenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, s.test)
		})
	}
}

// allowed says that the limits are good for two workers.
func allowed(w *world) {
	auto(w)
	w.target = 2
	w.Target, w.Allowed = w.limits, w.limits
}

const (
	firstReloaded  = "5s 0 102 starting, 5.1s 0 102 ready, 5.1s 0 101 stopping, 6.1s 0 101 ended (reload)"
	secondReloaded = "6.1s 1 202 starting, 6.2s 1 202 ready, 6.2s 1 201 stopping, 8.2s 1 201 ended (reload)"
)

var operationScenarios = []operationScenario{
	{name: "reload", set: auto, play: usual, asks: "5s reload",
		want: []string{firstReloaded + ", " + secondReloaded + ", 8.2s done: reloaded 2 workers in 3.2 s"}},
	{name: "a drain is seen", set: drained, workers: 1, play: "0* serves@100ms leave+1s TERM+1s:3 | *", asks: "5s reload",
		want: []string{"5s 0 102 starting, 5.1s 0 102 ready, 5.1s 0 101 draining, 6.1s 0 101 stopping, 7.1s 0 101 ended (reload), 7.1s done: reloaded 1 worker in 2.1 s"}},
	{name: "one that is killed is seen", set: auto, workers: 1, play: "0 serves@100ms KILL+0s | " + usual, asks: "5s reload",
		want: []string{"5s 0 102 starting, 5.1s 0 102 ready, 5.1s 0 101 stopping, 14.1s 0 101 killed, 14.1s 0 101 ended (reload, SIGKILL (grace_exceeded)), 14.1s done: reloaded 1 worker in 9.1 s"}},
	{name: "the second new one crashes", set: auto, play: "1.2 exit:3@1s | " + usual, asks: "5s reload",
		want: []string{firstReloaded + ", 6.1s 1 202 starting, 7.1s 1 202 ended (exit 3), 7.1s failed: the new worker of slot 1 did not come up: exit 3 (1 worker replaced before)"}},
	{name: "the new one dies of a signal", set: auto, play: "0.2 SEGV@1s | " + usual, asks: "5s reload",
		want: []string{"5s 0 102 starting, 6s 0 102 ended (SIGSEGV), 6s failed: the new worker of slot 0 did not come up: SIGSEGV (0 workers replaced before)"}},
	{name: "the new one is not ready in time", set: strict, play: "0.2 KILL+0s | " + usual, asks: "5s reload",
		want: []string{"5s 0 102 starting, 7s 0 102 killed, 7s 0 102 ended (SIGKILL (not_ready)), 7s failed: the new worker of slot 0 did not come up: SIGKILL (not_ready) (0 workers replaced before)"}},
	{name: "the new one cannot be started", set: auto, play: "0.2 fails:1 | " + usual, asks: "5s reload",
		want: []string{"5s failed: the new worker of slot 0 did not come up: fork: out of processes (0 workers replaced before)"}},
	{name: "the old one crashes meanwhile", set: auto, workers: 1, crashes: 1, play: "0 serves@100ms exit:3@5050ms | " + usual, asks: "5s reload",
		want: []string{"5s 0 102 starting, 5.05s 0 101 ended (exit 3), 5.1s 0 102 ready, 5.1s done: reloaded 1 worker in 0.1 s"}},
	{name: "the only slot waits for its next worker", set: auto, workers: 1, crashes: 1, play: "0 serves@100ms exit:3@1s | " + usual, asks: "1050ms reload",
		want: []string{"1.05s failed: no worker runs that could be replaced: the next ones are new anyway, if they come up"}},
	{name: "reloads during a reload are one, and each ends with its own", set: auto, workers: 1, play: usual, asks: "5s reload, 5050ms reload, 5060ms reload, 20s reload",
		want: []string{
			firstReloaded + ", 6.1s done: reloaded 1 worker in 1.1 s",
			"6.1s 0 103 starting, 6.2s 0 103 ready, 6.2s 0 102 stopping, 7.2s 0 102 ended (reload), 7.2s done: reloaded 1 worker in 1.1 s",
			"6.1s 0 103 starting, 6.2s 0 103 ready, 6.2s 0 102 stopping, 7.2s 0 102 ended (reload), 7.2s done: reloaded 1 worker in 1.1 s",
			"20s 0 104 starting, 20.1s 0 104 ready, 20.1s 0 103 stopping, 21.1s 0 103 ended (reload), 21.1s done: reloaded 1 worker in 1.1 s",
		}},
	{name: "the next reload is made though the one before it failed", set: auto, workers: 1, play: "0.2 exit:3@100ms | " + usual, asks: "5s reload, 5050ms reload",
		want: []string{
			"5s 0 102 starting, 5.1s 0 102 ended (exit 3), 5.1s failed: the new worker of slot 0 did not come up: exit 3 (0 workers replaced before)",
			"5.1s 0 103 starting, 5.2s 0 103 ready, 5.2s 0 101 stopping, 6.2s 0 101 ended (reload), 6.2s done: reloaded 1 worker in 1.1 s",
		}},
	{name: "a stop cancels all", set: auto, play: usual, asks: "5s scale:3, 5010ms reload, 5020ms reload, 5800ms reload", signals: "5500ms TERM",
		want: []string{
			"5s 2 301 starting, 5.1s 2 301 ready, 5.1s done: 3 workers",
			"5.1s 0 102 starting, 5.2s 0 102 ready, 5.2s 0 101 stopping, 5.5s failed: stopping", "5.5s failed: stopping", "5.8s failed: stopping",
		}},
	{name: "a stop cancels a resize", set: auto, play: usual, asks: "5s scale:3", signals: "5050ms TERM",
		want: []string{"5s 2 301 starting, 5.05s failed: stopping"}},
	{name: "all have done their work while the last one that serves is to go", set: func(w *world) { w.Reports = nil },
		play: "0 exit:0@4s | 1 exit:0@6s", asks: "5s scale:1",
		want: []string{"6s failed: stopping"}},

	{name: "more and fewer", set: allowed, workers: 1, play: usual, asks: "5s scale:2, 10s scale:1, 20s scale:1, 21s scale:0",
		want: []string{
			"5s 1 201 starting, 5.1s 1 201 ready, 5.1s done: 2 workers",
			"10s 1 201 stopping, 12s 1 201 ended (scale), 12s done: 1 worker",
			"20s done: 1 worker",
			"21s 1 202 starting, 21.1s 1 202 ready, 21.1s done: 2 workers",
		}},
	{name: "more than the limits allow", set: allowed, play: usual, asks: "5s scale:3, 6s force:3, 7s force:1025",
		want: []string{
			"5s failed: the limits of the container are good for 2 workers (--force starts more)",
			"6s 2 301 starting, 6.1s 2 301 ready, 6.1s done: 3 workers",
			"7s failed: more than 1024 workers",
		}},
	{name: "as many as the user has set are allowed", set: func(w *world) { allowed(w); w.Target, w.target = nil, 1 }, workers: 3, play: usual, asks: "5s scale:2, 10s scale:3, 20s scale:4",
		want: []string{
			"5s 2 301 stopping, 7s 2 301 ended (scale), 7s done: 2 workers",
			"10s 2 302 starting, 10.1s 2 302 ready, 10.1s done: 3 workers",
			"20s failed: the limits of the container are good for 3 workers (--force starts more)",
		}},
	{name: "the worker of a new slot crashes", set: auto, workers: 1, play: "1 exit:3@1s | " + usual, asks: "5s scale:3",
		want: []string{"5s 1 201 starting, 6s 1 201 ended (exit 3), 6s failed: the new worker of slot 1 did not come up: exit 3 (next attempt in a minute)"}},
	{name: "it crashes, but fewer are wanted by then", set: auto, workers: 1, play: "1 exit:3@1s | " + usual, asks: "5s scale:2, 5500ms scale:1",
		want: []string{"5s 1 201 starting, 5.5s failed: another number of workers was asked for", "6s 1 201 ended (exit 3), 6s done: 1 worker"}},
	{name: "another number while slots are added", set: auto, workers: 1, play: usual, asks: "5s scale:4, 5050ms scale:2, 10s scale:1, 10100ms scale:2",
		want: []string{
			"5s 1 201 starting, 5.05s failed: another number of workers was asked for", "5.1s 1 201 ready, 5.1s done: 2 workers",
			"10s 1 201 stopping, 10.1s failed: another number of workers was asked for",
			"12s 1 201 ended (scale), 12s 1 202 starting, 12.1s 1 202 ready, 12.1s done: 2 workers",
		}},
	{name: "the same number while slots are added", set: auto, workers: 1, play: usual, asks: "5s scale:3, 5050ms scale:3",
		want: []string{
			"5s 1 201 starting, 5.1s 1 201 ready, 5.1s 2 301 starting, 5.2s 2 301 ready, 5.2s done: 3 workers",
			"5.1s 1 201 ready, 5.1s 2 301 starting, 5.2s 2 301 ready, 5.2s done: 3 workers",
		}},
	{name: "a resize goes before the reload", set: auto, workers: 1, play: usual, asks: "5s reload, 5050ms scale:2",
		want: []string{firstReloaded + ", 6.2s done: reloaded 1 worker in 1.2 s", "6.1s 1 201 starting, 6.2s 1 201 ready, 6.2s done: 2 workers"}},

	{name: "one process", set: forked, workers: 1, play: usual, asks: "5s reload, 5s scale:2",
		want: []string{
			"5s failed: one process cannot share its port with the next one (try --mode per-core --workers 1)",
			"5s failed: one process cannot share its port with others",
		}},
	{name: "before the first server", set: func(w *world) { auto(w); w.Grow = func(*supervisor.Worker, int) string { return "" } }, workers: 3,
		play: "* serves@10s TERM+1s:0", asks: "5s scale:2, 5s reload",
		want: []string{
			"5s done: 2 workers, once the program has asked for a server",
			"5s failed: the program has asked for no server yet: it may be a job, which is to run once (--mode per-core for one that never listens)",
		}},
}

func drained(w *world) { auto(w); drainFirst(w) }

// An operation that nobody follows ends all the same, and a reader that comes late
// misses steps, but not the end.
func TestOperationWithoutReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := fleetScenario{workers: 20, set: auto, play: usual}.world(t)
		var o *supervisor.Operation
		w.at(5*time.Second, func() { o = w.Reload() })
		w.at(10*time.Minute, func() { w.send(unix.SIGTERM) })
		w.run(t)
		steps := 0
		for range o.Events() {
			steps++
		}
		if steps != 64 || o.Text() != "reloaded 20 workers in 41.0 s" || o.Failure() != "" {
			t.Errorf("%d steps, text %q, failure %q", steps, o.Text(), o.Failure())
		}
		if said := w.follow(w.Reload()) + w.follow(w.Scale(3, true)); strings.Count(said, "failed: stopping") != 2 {
			t.Error(said)
		}
	})
}

// What waits for the same reload is bounded, also if it is gone by then.
func TestTooManyOperations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := fleetScenario{workers: 1, set: auto, play: usual}.world(t)
		for range 3 { // before Run, and while a reload runs
			w.Reload()
		}
		ends := make(map[string]int)
		w.at(50*time.Millisecond, func() {
			for range 40 {
				o := w.Reload()
				synctest.Wait()
				go func() {
					w.follow(o)
					w.mu.Lock()
					defer w.mu.Unlock()
					ends[o.Text()+o.Failure()]++
				}()
			}
		})
		w.at(time.Minute, func() { w.send(unix.SIGTERM) })
		w.run(t)
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(ends) != 2 || ends["too many requests at once"] != 8 {
			t.Error(ends)
		}
	})
}
