package supervisor_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/cluster"
)

// A replay goes through what happened in a container and what was logged, in
// order, and checks that each step was allowed and none was left out.
type replay struct {
	fleetRun
	t         *testing.T
	slots     map[int]*slotRecord
	crashes   []entry
	ends      int
	maxRSS    int64
	listens   map[string]int // by worker and address: how often it was logged
	promise   *entry         // the crash that is to be answered with a new worker
	over      bool           // the stop has begun, because of
	request   bool           // a signal, or
	fatalExit *entry         // a crash, or else because one of the first could not be started
}

// A slotRecord is what is known of a slot.
type slotRecord struct {
	worker string        // that is in it
	due    bool          // it is to be filled
	when   time.Duration // then
	begun  time.Duration // the last start
	delay  time.Duration // before that
	since  time.Duration // of the first crash after which none was of use; 0: there was none
	fails  int           // so many after that
	last   entry         // how the last one in it ended
	order  int           // as which of all
}

func (f fleetRun) replay(t *testing.T) {
	t.Helper()
	r := replay{fleetRun: f, t: t, slots: make(map[int]*slotRecord), listens: make(map[string]int)}
	for n := range f.w.Workers {
		r.slots[n] = &slotRecord{due: true}
	}
	log := f.log
	for i := 0; i <= len(f.w.events); i++ {
		for len(log) > 0 && log[0].events <= i {
			r.logged(log[0])
			log = log[1:]
		}
		if i < len(f.w.events) && f.w.events[i].did != "" {
			r.happened(f.w.events[i], r.slots[int(f.w.events[i].to[0]-'0')])
		}
	}
	for n, s := range r.slots {
		if s.worker != "" || s.due && !r.over {
			t.Errorf("slot %d at the end: %+v", n, s)
		}
	}
	r.checkHeard()
	r.checkEnd()
}

// Each address is logged once, if it was reported before the end was seen.
func (r *replay) checkHeard() {
	for _, p := range r.w.started {
		for _, address := range p.state.Listening {
			key := fmt.Sprint(p.PID(), address)
			first := slices.IndexFunc(p.history, func(past stateAt) bool { return slices.Contains(past.state.Listening, address) })
			if n := r.listens[key]; n > 1 || n == 0 && p.history[first].at < min(r.until(p), r.end.Uptime) {
				r.t.Errorf("%s was logged %d times", key, n)
			}
		}
	}
}

func (r *replay) happened(e event, s *slotRecord) {
	switch e.did {
	case "starts", "not started":
		if !s.due || s.when != e.at || s.worker != "" || r.over {
			r.t.Errorf("%v: stopped %v, slot %+v", e, r.over, s)
		}
		s.due, s.begun = false, e.at
		switch {
		case e.did == "starts":
			s.worker = e.to
		case s.delay == 0:
			r.over = true
		}
	case "released", "released kept":
		if kept := e.did == "released kept"; kept != (s.due && !r.over) || s.worker != e.to {
			r.t.Errorf("%v: stopped %v, slot %+v", e, r.over, s)
		}
		s.worker = ""
	}
}

func (r *replay) logged(l entry) {
	if r.promise != nil && l.Msg != "replacing worker" {
		r.t.Errorf("no new worker after %s", r.promise.text)
	}
	s := r.slots[l.Worker]
	switch l.Msg {
	case "stopping":
		if (l.Reason == "crash" || l.Reason == "exit") != (r.fatalExit != nil) || (l.Reason == "") == r.over {
			r.t.Errorf("stopped %v for %v, then %s", r.over, r.fatalExit, l.text)
		}
		r.request = l.Reason == ""
		r.over = true
	case "worker ended":
		if crash := l.Status != 0 && !r.over; (l.Level == "error") != crash {
			r.t.Errorf("stopped %v, then %s", r.over, l.text)
		}
		r.checkQuit(l)
		r.ends++
		r.maxRSS = max(r.maxRSS, l.MaxRSS)
		s.last, s.order = l, r.ends
		if l.Level == "error" || l.Level == "warn" && r.w.Crashes.Max > 0 {
			r.crashed(l)
		}
	case "worker not started":
		r.crashed(l)
	case "worker listening":
		r.listens[fmt.Sprint(l.PID, l.Address)]++
	case "replacing worker":
		r.replaced(l, s)
	}
}

func (r *replay) crashed(l entry) {
	r.crashes = append(r.crashes, l)
	if loops := r.loops(l); loops || r.recent(l) > r.w.Crashes.Max {
		r.fatalExit, r.over = &l, true
	} else {
		r.promise = &l
	}
}

// loops reports whether no worker was of use in the slot of l for a whole window: all
// are ready at once, and of use if they live for as long as the slot was empty.
func (r *replay) loops(l entry) bool {
	s := r.slots[l.Worker]
	if s.since == 0 || l.Msg == "worker ended" && l.at-s.begun >= s.delay {
		s.since, s.fails = l.at+1, 0 // 0 is none
		return false
	}
	s.fails++
	return s.fails >= 2 && r.w.Crashes.Window > 0 && l.at+1-s.since >= max(r.w.Crashes.Window, 10*time.Second)
}

// checkQuit checks which worker is missed after it exited with 0: one that served, if
// others go on.
func (r *replay) checkQuit(l entry) {
	if l.Status != 0 || r.over {
		if l.Level == "warn" {
			r.t.Errorf("stopped %v, then %s", r.over, l.text)
		}
		return
	}
	i := slices.IndexFunc(r.w.started, func(p *program) bool { return p.PID() == l.PID })
	before, after := (&tracked{program: r.w.started[i]}).at(l.at)
	others := false
	for n, s := range r.slots {
		others = others || n != l.Worker && (s.worker != "" || s.due)
	}
	served := func(s cluster.State) bool { return s.Servers > 0 || len(s.Listening) > 0 }
	if l.Level == "warn" && (!served(after) || !others) || l.Level == "info" && served(before) && others {
		r.t.Errorf("others go on: %v, it state %+v, then %+v: %s", others, before, after, l.text)
	}
}

// recent counts the crashes in the window that ends with l.
func (r *replay) recent(l entry) int {
	n := 0
	for _, c := range r.crashes {
		if r.w.Crashes.Window == 0 || l.at-c.at < r.w.Crashes.Window {
			n++
		}
	}
	return n
}

func (r *replay) replaced(l entry, s *slotRecord) {
	if r.promise == nil || r.promise.Worker != l.Worker || r.promise.at != l.at || l.Crashes != r.recent(l) || r.over {
		r.t.Errorf("stopped %v, crash %+v, %d in the window, then %s", r.over, r.promise, r.recent(l), l.text)
	}
	want := min(max(2*s.delay, 100*time.Millisecond), 15*time.Second)
	if r.w.Crashes.Window > 0 && l.at-s.begun > r.w.Crashes.Window {
		want = 100 * time.Millisecond
	}
	s.delay = time.Duration(l.DelayMS) * time.Millisecond
	if s.delay != want {
		r.t.Errorf("not %v: %s", want, l.text)
	}
	s.due, s.when, r.promise = true, l.at+s.delay, nil
}

func (r *replay) checkEnd() {
	if r.end.Crashes != len(r.crashes) || r.end.Starts != len(r.w.started) || r.end.Requested != r.request || r.end.MaxRSS != r.maxRSS {
		r.t.Errorf("%d crashes, %d starts, requested %v, max_rss %d", len(r.crashes), len(r.w.started), r.request, r.maxRSS)
	}
	failed := r.over && !r.request && (r.fatalExit == nil || r.fatalExit.Msg == "worker not started")
	if (r.err != nil) != failed || failed && !errors.Is(r.err, errStart) {
		r.t.Errorf("could not start %v: %v", failed, r.err)
	}
	if failed {
		return
	}
	counts := r.fatalExit
	if counts == nil {
		ends := slices.SortedFunc(maps.Values(r.slots), func(a, b *slotRecord) int { return cmp.Compare(a.order, b.order) })
		counts = &ends[len(ends)-1].last
		if i := slices.IndexFunc(ends, func(s *slotRecord) bool { return s.last.Status != 0 }); i >= 0 {
			counts = &ends[i].last
		}
	}
	if r.end.Code() != counts.Status || r.end.Worker != counts.Worker {
		r.t.Errorf("status %d of %d, not that of %s", r.end.Code(), r.end.Worker, counts.text)
	}
}
