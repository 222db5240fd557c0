package main

import (
	"strings"

	"github.com/nodeinit/nodeinit/admin"
)

// maxSamples is how many samples are kept of a slot: more than a wide terminal shows.
const maxSamples = 300

// unknown is a sample that there is none of.
const unknown = -1

// Samples are of one figure, a second apart, the oldest first.
type samples []float64

// add appends a sample, in place of the first one if there are many.
func (s *samples) add(sample float64) {
	if len(*s) == maxSamples {
		*s = (*s)[:copy(*s, (*s)[1:])]
	}
	*s = append(*s, sample)
}

func (s samples) clone() samples { return append(samples(nil), s...) }

// tail returns the last samples, no more than so many.
func (s samples) tail(count int) samples { return s[max(0, len(s)-count):] }

// last returns the last sample.
func (s samples) last() float64 {
	if len(s) == 0 {
		return unknown
	}
	return s[len(s)-1]
}

// A track is what a worker has done lately, and those before it in its slot.
type track struct {
	slot, pid int
	heartbeat float64 // of the worker, when last seen: its uptime by then
	requests  int64   // that it had handled
	loop      samples // utilisation of its event loop
	rate      samples // requests per second
}

// A history has a track for each worker of the last document.
type history struct {
	pid    int // of the nodeinit
	tracks []*track
}

// add takes the samples of a document.
func (h *history) add(d *admin.Document) {
	if d.Nodeinit.PID != h.pid {
		h.tracks = nil
	}
	h.pid = d.Nodeinit.PID
	tracks := make([]*track, len(d.Workers))
	for i := range tracks {
		w := &d.Workers[i]
		t := h.find(w)
		if t == nil { // in a reload two workers have the slot for a while
			t = &track{slot: w.Slot, pid: w.PID, heartbeat: unknown}
			for _, before := range h.tracks {
				if before.slot == w.Slot {
					t.loop, t.rate = before.loop.clone(), before.rate.clone()
				}
			}
		}
		tracks[i] = t
	}
	h.tracks = tracks
	for i, t := range tracks {
		t.add(&d.Workers[i])
	}
}

// find returns the track of a worker, nil if there is none.
func (h *history) find(w *admin.Worker) *track {
	for _, t := range h.tracks {
		if t.slot == w.Slot && t.pid == w.PID {
			return t
		}
	}
	return nil
}

// sameHeartbeat is how far apart two heartbeats are at least, in seconds.
const sameHeartbeat = 0.01

// add takes the samples of the worker.
func (t *track) add(w *admin.Worker) {
	loop, rate := float64(unknown), float64(unknown)
	if w.Utilization != nil { // else it has not reported lately
		loop = *w.Utilization
		if w.Requests != nil && w.HeartbeatAge != nil {
			rate = t.rateOf(w)
		}
	}
	t.loop.add(loop)
	t.rate.add(rate)
}

// rateOf returns the requests per second between two heartbeats: documents and heartbeats
// are a second apart each, so that there may be two heartbeats or none between documents.
func (t *track) rateOf(w *admin.Worker) (rate float64) {
	heartbeat := w.Uptime - *w.HeartbeatAge
	elapsed, count := heartbeat-t.heartbeat, *w.Requests-t.requests
	switch {
	case t.heartbeat == unknown || count < 0:
		rate = unknown
	case elapsed < sameHeartbeat:
		return t.rate.last()
	default:
		rate = float64(count) / elapsed
	}
	t.heartbeat, t.requests = heartbeat, *w.Requests
	return rate
}

// The levels of a sparkline, with the block characters of Unicode and without.
const (
	levels        = 8
	unicodeLevels = "▁▂▃▄▅▆▇█"
	asciiLevels   = ".:-=+*#@"
)

// sparkline draws samples on a scale from 0 to top, right-aligned in so many characters.
// What is not known is a blank.
func sparkline(s samples, width int, top float64, isUTF8 bool) string {
	s = s.tail(width)
	text := strings.Repeat(" ", width-len(s))
	characters := asciiLevels
	if isUTF8 {
		characters = unicodeLevels
	}
	size := len(characters) / levels
	for _, sample := range s {
		character := " "
		if sample >= 0 { // and not NaN
			level := 0
			if top > 0 {
				level = size * int(min(sample/top, 1)*(levels-0.5))
			}
			character = characters[level : level+size]
		}
		text += character
	}
	return text
}
