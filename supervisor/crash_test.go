package supervisor

import (
	"testing"
	"time"
)

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func TestCrashBudget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		policy CrashPolicy
		at     []time.Duration
		n      int
		exceed bool // with the last one
	}{
		{"none is allowed", CrashPolicy{}, []time.Duration{0}, 1, true},
		{"as many as allowed", CrashPolicy{2, time.Minute}, []time.Duration{0, time.Second}, 2, false},
		{"one more", CrashPolicy{2, time.Minute}, []time.Duration{0, time.Second, time.Minute - 1}, 3, true},
		{"one is forgotten after the window", CrashPolicy{2, time.Minute}, []time.Duration{0, time.Second, time.Minute}, 2, false},
		{"none is ever forgotten", CrashPolicy{2, 0}, []time.Duration{0, time.Hour, 100 * time.Hour}, 3, true},
	} {
		b := crashBudget{CrashPolicy: c.policy}
		for i, at := range c.at {
			n, exceeded := b.record(epoch.Add(at))
			if last := i == len(c.at)-1; last && (n != c.n || exceeded != c.exceed) || !last && exceeded {
				t.Errorf("%s: crash %d is %d in the window, too many: %v", c.name, i, n, exceeded)
			}
		}
	}
}

func TestCrashLoop(t *testing.T) {
	t.Parallel()
	const window = time.Minute
	var c crashLoop
	record := func(at time.Duration, useful, want bool) {
		t.Helper()
		if got := c.record(epoch.Add(at), useful, window); got != want {
			t.Errorf("at %v: %v", at, got)
		}
	}
	record(0, false, false)
	record(window, false, false) // one replacement only
	record(window, false, true)
	record(window, true, false) // it was of use: the loop begins anew
	record(2*window, false, false)
	c.over()
	record(3*window, false, false)
	record(3*window+minLoop, false, false)
	record(4*window-1, false, false)
	record(4*window, false, true)
	if c.record(epoch.Add(100*window), false, 0) {
		t.Error("a window without an end has ended")
	}
}

func TestCrashLoopOfShortWindow(t *testing.T) {
	t.Parallel()
	var c crashLoop
	for _, at := range []time.Duration{0, 2 * time.Second, minLoop - 1} {
		if c.record(epoch.Add(at), false, time.Second) {
			t.Errorf("a loop after %v", at)
		}
	}
	if !c.record(epoch.Add(minLoop), false, time.Second) {
		t.Errorf("no loop after %v", minLoop)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	var b backoff
	for i, want := range []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000} {
		if got := b.next(false); got != want*time.Millisecond {
			t.Errorf("delay %d is %v", i, got)
		}
	}
	if got := b.next(true); got != minDelay {
		t.Errorf("afresh: %v", got)
	}
}
