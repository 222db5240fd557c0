package supervisor

import (
	"errors"
	"slices"
	"time"

	"github.com/nodeinit/nodeinit/logs"
)

// A HealthPolicy is how it is found out whether workers can serve.
type HealthPolicy struct {
	// HangTimeout, if not 0, is how long an agent that has reported may be silent. It
	// must be several times the interval of its reports.
	HangTimeout time.Duration

	// Check, if set, asks a worker that is ready for Path, and calls report once: within
	// Timeout, on any goroutine, with nil if the answer is a good one. It must not block.
	Check func(w WorkerStatus, report func(err error))
	Path  string
	// Interval is how often each worker is asked.
	Interval time.Duration
	// Failures is after how many bad answers in a row a worker is replaced.
	Failures int
}

// ErrNotAsked is what Check reports where nodeinit itself could not ask: that is no failure
// of the worker.
var ErrNotAsked = errors.New("nodeinit could not ask")

// maxAnswerTime is the most for HealthPolicy.Timeout.
const maxAnswerTime = 5 * time.Second

// Timeout returns how long a worker may take to answer.
func (p HealthPolicy) Timeout() time.Duration { return min(p.Interval, maxAnswerTime) }

const (
	// minHealthPause is how long a slot keeps a worker that fails its checks, if the one
	// before it was replaced for that and no check in the slot has passed since. It
	// doubles each time, up to maxHealthPause.
	minHealthPause = time.Minute
	maxHealthPause = 16 * time.Minute
)

// A workerHealth is what is known of a worker by its checks.
type workerHealth struct {
	checkAt  time.Time // of the next check; zero: there is to be none, or one is not over
	askedAt  time.Time // of the last one
	asking   bool      // that is not over
	checked  bool      // one is
	unasked  bool      // it was logged that nodeinit could not ask
	failures int       // in a row
	excused  int       // of these: no other worker passed when they came
	err      string    // of the last one, if it has failed
	paused   bool      // it is out of rotation
	pausing  bool      // it was logged that it is not replaced yet
}

func (h *workerHealth) passes() bool { return h.checked && h.failures == 0 }

// A slotHealth is what is known of a slot by the checks of its workers.
type slotHealth struct {
	failed     int64         // checks
	pause      time.Duration // the last one; 0: a check has passed since the last replacement
	pauseUntil time.Time     // no worker is replaced until then
}

// replaced is called when a worker of the slot is about to be replaced.
func (h *slotHealth) replaced(now time.Time) {
	h.pause = min(max(2*h.pause, minHealthPause), maxHealthPause)
	h.pauseUntil = now.Add(h.pause)
}

// replacedBefore reports whether w was started after the last such replacement began: it
// is not the one to be replaced.
func (h *slotHealth) replacedBefore(w *worker) bool {
	return !w.started.Before(h.pauseUntil.Add(-h.pause))
}

// checks are the health checks of a run.
type checks struct {
	env    *env
	fleet  *fleet
	passes bool // one passes, or did until all others were started of which nothing is known yet
	failed bool // all fail
}

// A checkResult is that of a check of w; nil: it has passed.
type checkResult struct {
	w   *worker
	err error
}

// schedule has a worker checked that is ready: the first of those that get ready together
// at once, the others in turn within the interval.
func (c *checks) schedule(w *worker) {
	policy := c.env.Health
	if policy.Check == nil {
		return
	}
	of := max(len(c.fleet.slots), 1)
	w.health.checkAt = w.readyAt.Add(policy.Interval / time.Duration(of) * time.Duration(w.slot.number%of))
}

// poll begins the check of w if it is time for it.
func (c *checks) poll(w *worker, now time.Time, running bool) {
	h := &w.health
	switch {
	case !passed(h.checkAt, now):
		return
	case !running:
		h.checkAt = time.Time{}
		return
	case !w.serves() || now.Before(w.reported.SilentUntil): // another process may come online on its channel; it writes a heap snapshot
		h.checkAt = now.Add(c.env.Health.Interval)
		return
	}
	h.checkAt, h.askedAt, h.asking = time.Time{}, now, true
	report := c.env.control.reportCheck
	c.env.Health.Check(aloneStatus(w), func(err error) { report(checkResult{w, err}) })
}

// record records a result, unless the worker is to end or has ended meanwhile.
func (c *checks) record(result checkResult, running bool) {
	w, h := result.w, &result.w.health
	if !h.asking || !slices.Contains(w.slot.workers(), w) {
		return
	}
	h.asking, h.checkAt = false, h.askedAt.Add(c.env.Health.Interval)
	if !running || !w.serves() || result.err != nil && w.reported.SilentUntil.After(h.askedAt) {
		return
	}
	log := c.env.Log
	if errors.Is(result.err, ErrNotAsked) {
		if !h.unasked {
			w.withWorker(log.Warn(c.env.modeMsg("program not checked", "worker not checked"))).Str("error", logs.Truncate(result.err.Error())).Send()
		}
		h.unasked = true
		return
	}
	h.checked, h.unasked = true, false
	if result.err == nil {
		if h.failures > 0 {
			w.withWorker(log.Info(c.env.modeMsg("program healthy", "worker healthy"))).Int("failures", h.failures).Send()
		}
		h.failures, h.excused, h.err, h.pausing = 0, 0, "", false
		w.slot.health.pause, w.slot.health.pauseUntil = 0, time.Time{}
		return
	}
	h.failures++
	w.slot.health.failed++
	h.err = logs.Truncate(result.err.Error())
	if h.failures == 1 {
		w.withWorker(log.Warn(c.env.modeMsg("program unhealthy", "worker unhealthy"))).
			Str("path", c.env.Health.Path).Str("error", h.err).Send()
	}
}

// rotate decides by the last results which workers are out of rotation, and which are to
// be replaced: those that fail while another one passes. Where all fail, something is
// missing that all need, such as a database, and no new worker would have it.
func (c *checks) rotate() {
	if c.env.Health.Check == nil {
		return
	}
	serving, passing, failing := 0, 0, 0
	each := func(do func(w *worker)) {
		for _, slot := range c.fleet.slots {
			if w := slot.current; w != nil && w.serves() {
				do(w)
			}
		}
	}
	each(func(w *worker) {
		serving++
		switch {
		case w.health.passes():
			passing++
		case w.health.failures > 0:
			failing++
		}
	})
	switch failed := serving > 0 && failing == serving; {
	case passing > 0:
		c.passes, c.failed = true, false
	case failed && !c.failed:
		c.passes, c.failed = false, true
		if c.env.PerCore {
			c.env.Log.Warn("no worker is healthy").Int("workers", serving).Send()
		}
	}
	if !c.env.PerCore {
		return
	}
	now := time.Now()
	each(func(w *worker) { c.decide(w, passing > 0, now) })
}

// decide decides about w. otherPasses says that another one does for sure.
func (c *checks) decide(w *worker, otherPasses bool, now time.Time) {
	h := &w.health
	if !c.passes {
		h.excused = h.failures
	}
	failures := h.failures - h.excused
	if pause := failures > 0; pause != h.paused {
		h.paused = pause
		w.channel().Pause(pause)
	}
	due := otherPasses && failures >= c.env.Health.Failures
	if wait := w.slot.health.pauseUntil.Sub(now); due && wait > 0 {
		due = false
		if !h.pausing && w.slot.health.replacedBefore(w) {
			h.pausing = true
			w.withWorker(c.env.Log.Warn("the new worker is unhealthy as well")).Int64("next_try_ms", wait.Milliseconds()).Send()
		}
	}
	switch {
	case due && w.recycleReason == "":
		w.recycleReason = ForHealth
	case !due && w.recycleReason == ForHealth:
		w.recycleReason = ""
	}
}
