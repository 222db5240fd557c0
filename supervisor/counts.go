package supervisor

import (
	"math"
	"slices"
	"strings"
)

// A Count is how often something that has a name has happened since the start. It never
// falls.
type Count struct {
	Name string
	N    int64
}

// counts are in a fixed order: those that are there from the start, and then as they came.
type counts []Count

// newCounts returns counts of 0 of names, so that the first event is an increase too.
func newCounts(names string) (c counts) {
	for name := range strings.FieldsSeq(names) {
		c = append(c, Count{Name: name})
	}
	return c
}

func (c *counts) add(name string) {
	i := slices.IndexFunc(*c, func(known Count) bool { return known.Name == name })
	if i < 0 {
		i = len(*c)
		*c = append(*c, Count{Name: name})
	}
	(*c)[i].N++
}

// Reasons to start a worker besides those of a change.
const (
	firstStart = "start" // it is the first one of its slot
	afterCrash = "crash" // the one before it has crashed, or exited
)

// notStartedCause is that of a crash where there was no process.
const notStartedCause = "not_started"

// eventCounts are counts of what has happened.
type eventCounts struct {
	starts  counts // of workers, by reason
	crashes counts // by cause
	signals counts // that nodeinit got, by name
}

func newEventCounts() eventCounts {
	return eventCounts{
		starts: newCounts(firstStart + " " + afterCrash + " " + string(ForReload+" "+ForMemory+" "+ForAge+" "+ForHealth+" "+ForScale)),
		crashes: newCounts(string(Exited+" "+Signalled+" "+OOMKilled+" "+OOMAbove+" "+V8Heap+" ") +
			string(Hang+" "+NotReady+" "+ChannelClosed+" "+ChannelFault+" ") + notStartedCause),
		signals: newCounts("SIGTERM"),
	}
}

// addTo adds copies to a status.
func (e *eventCounts) addTo(s *Status) {
	s.StartsByReason, s.CrashesByCause, s.Signals = slices.Clone(e.starts), slices.Clone(e.crashes), slices.Clone(e.signals)
}

// reason returns why w was started, by name.
func (w *worker) reason() string {
	switch {
	case w.startReason != "":
		return string(w.startReason)
	case w.restarts > 0:
		return afterCrash
	default:
		return firstStart
	}
}

// countCrash records a crash.
func (r *run) countCrash(cause string) {
	r.exit.Crashes++
	r.events.crashes.add(cause)
}

// A traffic is what the workers that a slot has had have served, as far as it is known. It
// never falls.
type traffic struct {
	requests  int64 // that they have reported
	counted   bool  // one of them has
	handovers int64 // to those that have ended
}

// count adds what a worker has reported since before.
func (t *traffic) count(before, now int64) {
	t.counted = true
	if now < before { // another process has joined on its channel
		before = 0
	}
	more := now - before
	t.requests = min(t.requests, math.MaxInt64-more) + more // a worker may report anything
}
