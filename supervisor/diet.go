package supervisor

import (
	"math"
	"time"
)

const (
	// tooMuch is for how many looks in a row a worker may have too much memory: what
	// the next garbage collection frees is none of our business.
	tooMuch = 3
	// freshFor is for how long a worker that is ready counts as fresh: what it has by
	// then, each has.
	freshFor = time.Minute
	// dietFor is how long what a fresh worker has is put up with.
	dietFor = 10 * time.Minute
)

// A diet keeps workers from being recycled over and over for a limit that none of
// them keeps. While it lasts, they may grow by half of what a fresh one has: one
// that leaks is recycled all the same.
type diet struct {
	until time.Time // zero: there is none
	limit int64
}

// allows returns what a worker may have, if the user allows limit; 0 is any.
func (d diet) allows(limit int64, now time.Time) int64 {
	switch {
	case limit == 0:
		return math.MaxInt64
	case now.Before(d.until):
		return max(limit, d.limit)
	}
	return limit
}

// weighAll looks at the memory of all workers.
func (s *Supervisor) weighAll(now time.Time) {
	if s.Recycle.MaxMemory == nil {
		return
	}
	limit := s.Recycle.MaxMemory()
	for _, l := range s.lives() {
		rss, err := l.worker.RSS()
		switch {
		case err != nil: // it has just ended
		case rss <= s.diet.allows(limit, now):
			l.above = 0
		default:
			l.above++
		}
		switch {
		case l.above < tooMuch || l.tired != "":
		case l.came == ForMemory && l.fresh(now):
			s.beginDiet(l, rss, limit, now)
		default:
			l.tired = ForMemory
		}
	}
}

func (l *life) fresh(now time.Time) bool { return l.readyAt.IsZero() || now.Sub(l.readyAt) <= freshFor }

// beginDiet puts up with what workers have: the one that came because another had
// too much has too much as well.
func (s *Supervisor) beginDiet(l *life, rss, limit int64, now time.Time) {
	s.diet = diet{now.Add(dietFor), rss + rss/2}
	s.about(s.Log.Warn("a new worker has more than --max-memory allows"), l).
		Int64("rss_bytes", rss).Int64("max_memory_bytes", limit).
		Int64("until_then_bytes", s.diet.limit).Int64("next_try_ms", dietFor.Milliseconds()).Send()
	for _, l := range s.lives() {
		if l.above = 0; l.tired == ForMemory {
			l.tired = ""
		}
	}
}
