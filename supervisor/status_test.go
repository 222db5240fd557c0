package supervisor_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/supervisor"
)

// What Status says during a reload, a stop with a drain delay, and after the end.
func TestStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := fleetScenario{grace: 9 * time.Second, set: delayed, play: "1 serves@1s TERM+1s:0 | 0 serves@100ms TERM+2s:0 | 0.2 serves@1s TERM+500ms:0"}.world(t)
		auto(w)
		if got := fmt.Sprint(w.status(t)); got != fmt.Sprint(supervisor.Status{}) {
			t.Errorf("before the start: %s", got)
		}
		w.askAt(t, "5s reload")
		w.sendAt(t, "7s TERM")
		var got []string
		for _, at := range []string{"50ms", "500ms", "2s", "5500ms", "6500ms", "7500ms", "10100ms"} {
			w.at(duration(t, at), func() {
				now := describeStatus(w.status(t))
				w.mu.Lock()
				defer w.mu.Unlock()
				got = append(got, at+" "+now)
			})
		}
		w.run(t)
		w.mu.Lock()
		defer w.mu.Unlock()
		got = append(got, "end "+describeStatus(w.status(t)))
		want := `50ms running: 0 ready of 2, , 2 starts 0 crashes, 0 101 starting 0s, 1 201 starting 0s
500ms running: 1 ready of 2, , 2 starts 0 crashes, 0 101 ready 0s, 1 201 starting 0s
2s running: 2 ready of 2, , 2 starts 0 crashes, 0 101 ready 0s, 1 201 ready 0s
5500ms running: 2 ready of 2, reload, 3 starts 0 crashes, 0 101 ready 0s, 0 102 starting 5s, 1 201 ready 0s
6500ms running: 2 ready of 2, reload, 3 starts 0 crashes, 0 101 stopping 0s, 0 102 ready 5s, 1 201 ready 0s
7500ms drainDelay: 0 ready of 2, , 3 starts 0 crashes, 0 101 stopping 0s, 0 102 ready 5s, 1 201 ready 0s
10100ms stopping: 0 ready of 2, , 3 starts 0 crashes, 0 102 stopping 5s, 1 201 stopping 0s
end ended: 0 ready of 2, , 3 starts 0 crashes`
		if all := strings.Join(got, "\n"); all != want {
			t.Errorf("got\n%s, want\n%s", all, want)
		}
		w.Reload() // too late, which must not block
		w.Scale(3, false)
		w.Reload()
	})
}

// One process without a channel is ready at once.
func TestStatusInForkMode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.at(time.Second, func() {
			if s := w.status(t); s.Ready != 1 || s.Workers[0].State != "ready" {
				t.Errorf("%+v", s)
			}
			w.program.end(exitedWith(0))
		})
		w.run(t)
	})
}

// status returns the Status of a supervisor that answers. It must not be called with
// w.mu held while Run runs.
func (w *world) status(t *testing.T) supervisor.Status {
	t.Helper()
	s, ok := w.Status()
	if !ok {
		t.Error("no answer")
	}
	return s
}

func describeStatus(s supervisor.Status) string {
	text := fmt.Sprintf("%s: %d ready of %d, %s, %d starts %d crashes", s.State, s.Ready, s.Want, s.Change, s.Starts, s.Crashes)
	for _, w := range s.Workers {
		text += fmt.Sprintf(", %d %d %s %v", w.Slot, w.PID, w.State, w.Started.Sub(bubbleStart))
	}
	return text
}

// bubbleStart is when each synctest bubble begins.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Many goroutines ask at once, before the start too, and none is blocked.
func TestAskedByMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := fleetScenario{workers: 1, play: "* serves@100ms TERM+1s:0"}.world(t)
		auto(w)
		ask := func() {
			var all sync.WaitGroup
			for n := range 50 {
				all.Go(func() {
					w.Reload()
					w.Scale(1, false)
					_ = w.status(t)
					w.Scale(n%2+1, false)
				})
			}
			all.Go(func() { w.Scale(1, false) })
			all.Wait()
			w.Scale(1, false)
		}
		ask()
		for _, at := range []string{"30s", "30020ms", "30040ms", "30060ms"} {
			w.askAt(t, at+" reload")
		}
		w.at(time.Minute, ask)
		w.at(2*time.Minute, func() { w.send(unix.SIGTERM) })
		end, _, err := w.run(t)
		if err != nil || end.Code() != 0 {
			t.Errorf("%v, %v", end, err)
		}
		// What was asked for before the start is one request, what came in the middle
		// of a reload is one more, and of the fifty the first may have been answered
		// before the last.
		reloads, more := strings.Count(w.log.String(), `"msg":"reloading"`), strings.Count(w.log.String(), `"msg":"another`)
		if reloads < 4 || reloads > 5 || more != reloads-3 {
			t.Errorf("%d reloads, %d of them announced\n%s", reloads, more, w.log.String())
		}
		if n := len(w.status(t).Workers); n != 0 {
			t.Errorf("%d workers at the end", n)
		}
	})
}
