package supervisor

import (
	"math"
	"math/rand/v2"
	"time"
)

// A RecyclePolicy is when a worker is replaced though it works.
type RecyclePolicy struct {
	// MaxMemory, if set, returns how much memory a worker may have, in bytes; 0 is
	// any.
	MaxMemory func(workers int) int64
	// MaxAge, if not 0, is how old it may become, a tenth more or less.
	MaxAge time.Duration
	// Spread returns a random number from 0 to n-1; nil: as rand.Int64N.
	Spread func(n int64) int64
}

// age returns how old the next worker may become: not as old as all others.
func (p RecyclePolicy) age() time.Duration {
	spread := p.Spread
	if spread == nil {
		spread = rand.Int64N
	}
	tenth := p.MaxAge / 10
	return p.MaxAge - tenth + time.Duration(spread(int64(2*tenth)+1))
}

// recycleAt returns when a worker that is started now is too old; zero: never.
func (e *env) recycleAt() time.Time {
	if !e.PerCore || e.Recycle.MaxAge <= 0 {
		return time.Time{}
	}
	return time.Now().Add(e.Recycle.age())
}

// recycle replaces a worker that is too old or too large, or fails its checks. It reports
// whether it did.
func (o *rollout) recycle() bool {
	if !o.pauseUntil.IsZero() || o.scale.waiting {
		return false
	}
	for _, slot := range o.fleet.slots {
		if w := slot.current; w != nil && w.recycleReason != "" && w.state == workerReady {
			line := w.withWorker(o.env.Log.Info("recycling worker")).Str("why", string(w.recycleReason))
			if w.recycleReason == ForHealth {
				slot.health.replaced(time.Now())
				line = line.Str("error", w.health.err).Int("failures", w.health.failures)
			}
			line.Send()
			o.startReplacement(slot, w.recycleReason)
			return true
		}
	}
	return false
}

const (
	// maxOverLimit is how many samples in a row may be over the limit: what the next
	// garbage collection frees does not count.
	maxOverLimit = 3
	// freshFor is how long a worker that is ready counts as fresh: what it has by
	// then, each has.
	freshFor = time.Minute
	// reliefFor is how long what a fresh worker has is allowed.
	reliefFor = 10 * time.Minute
)

// A memoryRelief keeps workers from being recycled over and over for a limit that
// none of them keeps. While it lasts, they may grow by half of what a fresh one has:
// one that leaks is recycled all the same.
type memoryRelief struct {
	until time.Time // zero: there is none
	limit int64
}

// allowed returns what a worker may have, if the user allows limit; 0 is any.
func (m *memoryRelief) allowed(limit int64, now time.Time) int64 {
	switch {
	case limit == 0:
		return math.MaxInt64
	case now.Before(m.until):
		return max(limit, m.limit)
	}
	return limit
}

// sample reads the memory of all workers, and sets the recycleReason of those that
// are too large.
func (m *memoryRelief) sample(workers []*worker, limit int64, now time.Time) {
	for _, w := range workers {
		rss, err := w.RSS()
		switch {
		case err != nil: // it has just ended
		case rss <= m.allowed(limit, now):
			w.overLimit = 0
		default:
			w.overLimit++
		}
		switch {
		case w.overLimit < maxOverLimit || w.recycleReason != "":
		case w.startReason == ForMemory && (!w.wasReady() || now.Sub(w.readyAt) <= freshFor):
			m.begin(w, rss, limit, now)
			for _, other := range workers {
				if other.overLimit = 0; other.recycleReason == ForMemory {
					other.recycleReason = ""
				}
			}
		default:
			w.recycleReason = ForMemory
		}
	}
}

// begin begins a relief: w was started because another worker was too large, and is
// too large as well.
func (m *memoryRelief) begin(w *worker, rss, limit int64, now time.Time) {
	*m = memoryRelief{now.Add(reliefFor), rss + rss/2}
	w.withWorker(w.env.Log.Warn("a new worker has more than --max-memory allows")).
		Int64("rss_bytes", rss).Int64("max_memory_bytes", limit).
		Int64("until_then_bytes", m.limit).Int64("next_try_ms", reliefFor.Milliseconds()).Send()
}
