package supervisor

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestRecycleAge(t *testing.T) {
	t.Parallel()
	p := RecyclePolicy{MaxAge: 10 * time.Second}
	for i, spread := range []func(int64) int64{func(int64) int64 { return 0 }, func(n int64) int64 { return n - 1 }} {
		p.Spread = spread
		if want := []time.Duration{9 * time.Second, 11 * time.Second}[i]; p.age() != want {
			t.Errorf("got %v, want %v", p.age(), want)
		}
	}
	p.Spread = nil
	if age := p.age(); age < 9*time.Second || age > 11*time.Second {
		t.Errorf("random: %v", age)
	}
}

func TestMemoryRelief(t *testing.T) {
	t.Parallel()
	e, log := testEnv()
	f := new(fleet)
	w, _ := addWorker(f, e)
	other, _ := addWorker(f, e)
	rss, gone := int64(0), error(nil)
	w.RSS = func() (int64, error) { return rss, gone }
	other.RSS = func() (int64, error) { return 150, nil }
	w.readyAt = epoch
	var m memoryRelief
	sample := func(at time.Duration, value int64, want ChangeReason) {
		t.Helper()
		rss = value
		if m.sample(f.workers(), 100, epoch.Add(at)); w.recycleReason != want {
			t.Errorf("%d at %v: %q", value, at, w.recycleReason)
		}
	}
	sample(0, 101, "")
	sample(0, 101, "")
	sample(0, 100, "") // three in a row it is not
	sample(0, 101, "")
	gone = errors.New("it has ended")
	sample(0, 101, "") // no sample
	gone = nil
	sample(0, 101, "")
	sample(0, 101, ForMemory)
	if other.recycleReason != ForMemory {
		t.Errorf("the other one: %q", other.recycleReason)
	}

	// Its replacement is too large at once: all may have half as much more, for a while.
	w.recycleReason, w.overLimit, w.startReason = "", 0, ForMemory
	for range maxOverLimit {
		sample(freshFor, 120, "")
	}
	wantLog(t, log, `"msg":"a new worker has more than --max-memory allows","worker":0,"pid":100,"rss_bytes":120,"max_memory_bytes":100,"until_then_bytes":180,"next_try_ms":600000`)
	if other.recycleReason != "" {
		t.Errorf("the other one: %q", other.recycleReason)
	}
	now := epoch.Add(freshFor)
	for at, want := range map[time.Time]int64{now.Add(reliefFor - 1): 180, now.Add(reliefFor): 100} {
		if got := m.allowed(100, at); got != want {
			t.Errorf("%d allowed at %v", got, at)
		}
	}
	if m.allowed(0, now) != math.MaxInt64 || m.allowed(200, now) != 200 {
		t.Error("the relief allows less than the user")
	}
	for range maxOverLimit - 1 {
		sample(2*freshFor, 181, "")
	}
	sample(2*freshFor, 181, ForMemory) // it leaks
}
