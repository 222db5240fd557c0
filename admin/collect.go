package admin

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/supervisor"
)

// Limits on what the workers may answer.
const (
	maxAppBody = 4 << 20         // bytes, of each worker
	appTimeout = 3 * time.Second // for all of them
	// minAppTimeout is for clients that say that they wait for less: each worker would
	// count, and be logged, as one that fails.
	minAppTimeout = 100 * time.Millisecond
)

// A Collector collects the metrics that an application has itself, from all workers. Set
// the fields before use; any goroutine may call its methods.
type Collector struct {
	// Status returns the workers, as that of a Gatherer.
	Status func() (supervisor.Status, bool)
	Asker  *Asker
	Route  Route
	Log    *logs.Logger
	// Timeout limits the time for all workers, which are asked at once; 0: 3 s.
	Timeout time.Duration

	collecting sync.Mutex // one collection at a time: each holds all answers
	last       families   // under that lock
	mu         sync.Mutex
	failures   []*appFailures
}

// families are the result of a collection, which is used for appAge: who can reach the port
// of nodeinit can so not have workers do nothing else.
type families struct {
	text         []byte
	wanted, open bool // OpenMetrics
	at           time.Time
}

const (
	appAge  = 100 * time.Millisecond
	maxKept = 1 << 20 // bytes of what is kept so
)

// appFailures are those of one slot.
type appFailures struct {
	slot  int
	count int64
	cause string // of the last one; "": the last answer was one
}

// What a worker is asked for. The scraper's own Accept may name formats that cannot be
// merged (Protocol Buffers), and names in quotes (escaping=allow-utf-8).
const (
	acceptText = "text/plain;version=0.0.4,*/*;q=0.1"
	acceptOpen = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)

// Families is for HTTP.App: it returns the families of all workers, each with the samples of
// all of them, and before them how often workers have failed.
func (c *Collector) Families(ctx context.Context, _ string, patience time.Duration, openMetrics bool) (text []byte, isOpenMetrics bool) {
	c.collecting.Lock()
	defer c.collecting.Unlock()
	if last := &c.last; last.wanted == openMetrics && time.Since(last.at) < appAge {
		return last.text, last.open
	}
	status, ok := c.Status()
	if !ok {
		return nil, openMetrics
	}
	all := c.collect(ctx, status.Workers, patience, openMetrics)
	text = appendMerged(c.appendFailures(nil, all.open), all.parts, all.open)
	if c.last = (families{}); cap(text) <= maxKept {
		c.last = families{text, openMetrics, all.open, time.Now()}
	}
	garbage := 2 * cap(text)
	for i := range all.parts {
		garbage += cap(all.parts[i].text)
	}
	c.Asker.leave(int32(min(garbage, maxGarbage)))
	return text, all.open
}

// A collection is what workers have answered.
type collection struct {
	parts []part // in the order of their slots
	open  bool   // to be written in OpenMetrics: it is wanted, and all answers are that
}

// collect asks all workers. It takes less than patience, which is how long the client
// waits, 0 if that is not known.
func (c *Collector) collect(ctx context.Context, workers []supervisor.WorkerStatus, patience time.Duration, wanted bool) (all collection) {
	timeout := timeoutFor(cmp.Or(c.Timeout, appTimeout), patience)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var asked []*supervisor.WorkerStatus
	for i := range workers {
		if canBeAsked(&workers[i]) {
			asked = append(asked, &workers[i])
		}
	}
	answers, failures := make([]*exposed, len(asked)), make([]error, len(asked))
	var asking sync.WaitGroup
	for i := range asked {
		asking.Go(func() {
			failures[i] = errInternal // unless it comes to its end
			c.Asker.Guard(func() { answers[i], failures[i] = c.ask(ctx, asked[i], wanted) })
			if failures[i] != nil && ctx.Err() != nil {
				failures[i] = fmt.Errorf("no answer within %v", timeout) // in the same words each time
			}
		})
	}
	asking.Wait()
	all.open = wanted
	for i := range asked {
		c.record(asked[i], failures[i])
		if answers[i] != nil {
			all.parts = append(all.parts, part{strconv.Itoa(asked[i].Slot), answers[i]})
			all.open = all.open && answers[i].open
		}
	}
	return all
}

// timeoutFor returns how long workers have, limit at most, for a client that waits for
// patience; 0: that is not known.
func timeoutFor(limit, patience time.Duration) time.Duration {
	if patience <= 0 {
		return limit
	}
	return min(limit, max(patience*3/4, minAppTimeout))
}

// appendFailures appends how often workers did not answer, or not with metrics.
func (c *Collector) appendFailures(dst []byte, openMetrics bool) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &exposition{dst: dst, open: openMetrics}
	e.begin(family{"app_scrape_errors_total", "Answers of the application that /metrics lacks."})
	for _, f := range c.failures {
		e.sample(float64(f.count), "worker", strconv.Itoa(f.slot))
	}
	return e.dst
}

// canBeAsked reports whether a worker has been ready, and may have its servers yet.
func canBeAsked(w *supervisor.WorkerStatus) bool {
	return w.Current && w.PID != 0 && !w.ReadySince.IsZero() && w.State != "killed"
}

func (c *Collector) ask(ctx context.Context, w *supervisor.WorkerStatus, wanted bool) (*exposed, error) {
	accept := acceptText
	if wanted {
		accept = acceptOpen
	}
	answer, err := c.Asker.Get(ctx, *w, c.Route, accept, maxAppBody)
	if err != nil {
		return nil, err
	}
	if answer.Status != 200 {
		return nil, fmt.Errorf("status %.60q", answer.Reason)
	}
	return parseExposition(answer.Body, isOpenMetrics(&answer))
}

// isOpenMetrics reports whether an answer is OpenMetrics, also one that is not said to be:
// express-prom-bundle 8.0 has text/plain for all.
func isOpenMetrics(answer *Answer) bool {
	kind, _, _ := strings.Cut(answer.ContentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/openmetrics-text") ||
		bytes.HasSuffix(trimSpaces(answer.Body), []byte("\n# EOF"))
}

// record counts a failure, and logs it if its cause is another than before. One of a worker
// that leaves is none: it may have closed its servers.
func (c *Collector) record(w *supervisor.WorkerStatus, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.ofSlot(w.Slot)
	if err == nil {
		if f.cause != "" {
			f.cause = ""
			c.Log.Info("the application has metrics again").Int("worker", w.Slot).Send()
		}
		return
	}
	if !w.Serves && w.State != "hung" {
		return
	}
	f.count++
	if cause := err.Error(); cause != f.cause {
		f.cause = cause
		c.Log.Warn("no metrics from the application").Int("worker", w.Slot).Int("pid", w.PID).Str("error", logs.Truncate(cause)).Send()
	}
}

// ofSlot returns the failures of a slot, which are in the order in which slots were first
// asked.
func (c *Collector) ofSlot(slot int) *appFailures {
	for _, f := range c.failures {
		if f.slot == slot {
			return f
		}
	}
	f := &appFailures{slot: slot}
	c.failures = append(c.failures, f)
	return f
}
