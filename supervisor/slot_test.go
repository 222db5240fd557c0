package supervisor

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
)

func TestSlot(t *testing.T) {
	t.Parallel()
	w := new(worker)
	for _, c := range []struct {
		name            string
		slot            slot
		continues, done bool
		workers         int
	}{
		{"empty", slot{}, false, true, 0},
		{"one", slot{current: w}, true, false, 1},
		{"waits", slot{retryAt: epoch}, true, false, 0},
		{"one on its way out", slot{outgoing: w}, false, false, 1},
		{"one to come", slot{replacement: w}, true, false, 1},
		{"two", slot{current: w, replacement: w}, true, false, 2},
	} {
		if s := c.slot; s.continues() != c.continues || s.done() != c.done || len(s.workers()) != c.workers {
			t.Errorf("%s: continues %v, done %v, %d workers", c.name, s.continues(), s.done(), len(s.workers()))
		}
	}
}

func TestFleet(t *testing.T) {
	t.Parallel()
	e, _ := testEnv()
	f := new(fleet)
	first, _ := addWorker(f, e)
	second, _ := addWorker(f, e)
	f.add().retryAt = epoch
	if f.left(first.slot) != 2 || f.done() || !f.othersServe(first) {
		t.Errorf("%d left, done %v, others serve %v", f.left(first.slot), f.done(), f.othersServe(first))
	}
	if f.find(2) != second || f.find(3) != nil || f.find(0) != nil {
		t.Error("a worker is not found by its ID, or one without is")
	}
	second.reported.Leaving = true
	f.cancelRetries()
	if f.left(nil) != 2 || f.othersServe(first) || !f.last().done() {
		t.Errorf("%d left, others serve %v", f.left(nil), f.othersServe(first))
	}
	f.removeLast()
	first.slot.current, second.slot.current = nil, nil
	first.ID = 0
	if !f.done() || f.find(0) != nil {
		t.Error("not done")
	}
}

// The status is that of the first worker that ended badly, else of the last one.
func TestFleetResult(t *testing.T) {
	t.Parallel()
	bad := func(code int) Exit { return Exit{Status: unix.WaitStatus(code << 8)} }
	f := &fleet{slots: []*slot{{exitSeq: 3, last: bad(3)}, {exitSeq: 1, last: Exit{}}, {exitSeq: 2, last: bad(2)}}}
	if got := f.result().Code(); got != 2 {
		t.Errorf("got %d", got)
	}
	f.slots[0].last, f.slots[2].last = Exit{Worker: 7}, Exit{}
	if got := f.result(); got.Worker != 7 {
		t.Errorf("got %+v", got)
	}
}

func TestUseful(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		w    worker
		want bool
	}{
		{worker{}, false},
		{worker{readyAt: epoch}, true},
		{worker{readyAt: epoch, waited: time.Second}, true},
		{worker{readyAt: epoch, waited: time.Second + 1}, false},
	} {
		if got := c.w.useful(epoch.Add(time.Second)); got != c.want {
			t.Errorf("%+v: %v", c.w, got)
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	listens := cluster.State{Listening: []string{"*:3000"}}
	awaited := cluster.State{Listening: []string{"*:3000"}, Awaited: []string{"*:3001"}}
	leaving := cluster.State{Listening: []string{"*:3000"}, Leaving: true}
	closed := cluster.State{Listening: []string{"*:3000"}, Ended: true}
	for _, c := range []struct {
		when                ReadyWhen
		state               cluster.State
		met, inFork, partly bool
	}{
		{ReadyAuto, cluster.State{}, false, false, false},
		{ReadyAuto, listens, true, true, true},
		{ReadyListen, awaited, false, false, true},
		{ReadyListen, leaving, false, false, false},
		{ReadyListen, closed, false, true, true},
		{ReadyMessage, listens, false, false, false},
		{ReadyMessage, cluster.State{Ready: true}, true, true, false},
	} {
		r := Readiness{When: c.when}
		if r.met(c.state, true) != c.met || r.met(c.state, false) != c.inFork || r.partly(c.state) != c.partly {
			t.Errorf("%q, %+v: %v, in fork mode %v, partly %v", c.when, c.state, r.met(c.state, true), r.met(c.state, false), r.partly(c.state))
		}
	}
	for r, want := range map[Readiness]time.Duration{
		{}: 30 * time.Second, {Timeout: time.Second}: time.Second, {When: ReadyListen}: 0, {When: ReadyMessage, Timeout: time.Hour}: time.Hour,
	} {
		if got := r.timeout(); got != want {
			t.Errorf("%+v: %v", r, got)
		}
	}
}
