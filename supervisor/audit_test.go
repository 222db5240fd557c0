package supervisor_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An audit goes through what happened in a container that was changed while it
// ran, and checks that each step was allowed and none was left out.
type audit struct {
	changedRun
	t       *testing.T
	now     time.Duration
	workers map[string]*tracked // by name
	byPID   map[int]*tracked

	slots   int // there are
	want    int // there are to be
	due     map[int]time.Duration
	answers []time.Duration // crashes answered with a new worker
	failed  bool            // the last start, and it was to be instead of one that crashed
	promise bool            // a crash that is to be answered in this very moment
	first   bool            // the first start is not over
	reload  time.Duration   // since when; -1: none
	mark    int             // so many had been started then
	starts  int
	stopAt  time.Duration // -1: no stop has begun
	halting bool          // and the drain delay is over
	kill    time.Duration // the end of the grace

	changeFailed time.Duration // the last one that failed; -1: none has
	health       healthAudit
}

// A tracked worker is what the audit knows of a worker.
type tracked struct {
	*program
	startSeq    int  // of all
	replacement bool // came beside another one, or to a new slot
	grows       bool // that
	why         string
	ready       time.Duration
	leaving     time.Duration // we asked it to leave, while others stay
	hung        time.Duration
	killed      time.Duration
	asked       bool // by a signal
	drained     bool
	gone        bool
	checks      checkCount
	excused     [2]int // failures that came while no worker passed, at least and at most
	out         bool   // of rotation
}

const notYet = time.Duration(-1)

func (v changedRun) audit(t *testing.T) {
	t.Helper()
	a := audit{
		changedRun: v, t: t, workers: make(map[string]*tracked), byPID: make(map[int]*tracked), due: make(map[int]time.Duration),
		slots: v.w.Workers, want: v.w.Workers, first: true, reload: notYet, stopAt: notYet, changeFailed: notYet, kill: forever,
	}
	a.health = healthAudit{audit: &a, replacedAt: make(map[int]time.Duration)}
	log := v.log
	for i := 0; i <= len(v.w.events); i++ {
		for len(log) > 0 && log[0].events <= i {
			a.moveTo(log[0].at)
			a.logged(log[0])
			log = log[1:]
		}
		if i < len(v.w.events) {
			a.moveTo(v.w.events[i].at)
			a.happened(v.w.events[i])
		}
	}
	a.checkEnd()
	for _, s := range v.statuses {
		inSlot, twice := make(map[int]int), 0
		for _, w := range s.Workers {
			if inSlot[w.Slot]++; inSlot[w.Slot] == 2 {
				twice++
			}
		}
		if twice > 1 || s.Ready > len(s.Workers) || s.State != "running" && s.Ready > 0 {
			t.Errorf("status %+v", s)
		}
	}
}

func slotOf(name string) int {
	number, _, _ := strings.Cut(name, ".")
	n, _ := strconv.Atoi(number)
	return n
}

// others returns the other workers in the slot of k that are not gone.
func (a *audit) others(slot int, k *tracked) []*tracked {
	var all []*tracked
	for _, other := range a.workers {
		if other.slot == slot && !other.gone && other != k {
			all = append(all, other)
		}
	}
	return all
}

func (a *audit) happened(e event) {
	a.giveUp()
	k := a.workers[e.to]
	switch {
	case e.to == "rest":
	case e.did == "starts", e.did == "not started":
		a.starting(e)
	case e.did == "passes", e.did == "fails":
		k.checks.record(e.at, e.did == "fails")
	case e.did == "pause", e.did == "unpause":
		a.health.rotated(k, e)
	case strings.HasPrefix(e.did, "finish"):
		if k.asked || k.drained || !a.halting || k.leaving >= 0 {
			a.t.Errorf("%v: asked %v, drained %v, leaving %v, halting %v", e, k.asked, k.drained, k.leaving, a.halting)
		}
	case strings.HasPrefix(e.did, "watch"):
		if !k.asked || !a.halting || k.leaving >= 0 {
			a.t.Errorf("%v: asked %v, leaving %v, halting %v", e, k.asked, k.leaving, a.halting)
		}
	case e.did == "drain", e.did == "disconnect":
		late := e.did == "drain" && k.state.Serving // after the signal
		if k.drained || !late && (e.did == "disconnect") != k.asked || a.stopAt < 0 && k.leaving < 0 || !a.halting && k.leaving < 0 {
			a.t.Errorf("%v: drained before %v, leaving %v, stop %v", e, k.drained, k.leaving, a.stopAt)
		}
		k.drained = true
		if e.did == "drain" && k.connectionsStopped != 1 || k.connectionsStopped > 0 && k.replaced != (k.leaving >= 0 && k.why != "scale") {
			a.t.Errorf("%v: retired %d, replaced %v, why %q", e, k.connectionsStopped, k.replaced, k.why)
		}
	case e.did != "":
		a.released(k, e)
	case e.sig == unix.SIGUSR2, e.sig == unix.SIGHUP:
		if e.sig == a.w.ReloadSignal {
			a.t.Errorf("%v", e)
		}
	case e.sig == unix.SIGABRT:
		if k.hung != e.at || k.leaving >= 0 || a.halting {
			a.t.Errorf("%v: hangs since %v, leaving %v", e, k.hung, k.leaving)
		}
	case e.sig == unix.SIGKILL:
		if k.killed >= 0 {
			a.t.Errorf("%v: killed before", e)
		}
		k.killed = e.at
	default: // a stop
		if e.sig != unix.SIGCONT {
			if k.asked = true; !k.drained && k.hung < 0 && (k.keepAlivesDisabled == 0 || (k.connectionsStopped > 0) != (k.leaving >= 0)) {
				a.t.Errorf("%v: shed %d, retired %d, leaving %v", e, k.keepAlivesDisabled, k.connectionsStopped, k.leaving)
			}
		}
		if !a.halting && k.leaving < 0 && !a.third() {
			a.t.Errorf("%v: not leaving, no stop", e)
		}
	}
	a.checkChanges(e)
}

// third reports whether the third stop signal is there.
func (a *audit) third() bool { return a.fleetRun.third() <= a.now }

// giveUp removes the last slots while there are too many and no worker is in them,
// or to come.
func (a *audit) giveUp() {
	for a.stopAt < 0 && a.want < a.slots && len(a.changing()) == 0 {
		if _, again := a.due[a.slots-1]; again || len(a.others(a.slots-1, nil)) > 0 {
			return
		}
		a.slots--
	}
}

// serves reports whether k is known to be ready, and to go on by what it had
// reported before a moment.
func (a *audit) serves(k *tracked, before time.Duration) bool {
	state, _ := k.at(before)
	return k.ready >= 0 && k.leaving < 0 && k.hung < 0 && k.killed < 0 && !k.gone &&
		!state.Leaving && !state.Ended && (!k.ended || k.endedAt >= before)
}

// checkChanges counts the slots in change.
func (a *audit) checkChanges(e event) {
	if slots := a.changing(); len(slots) > 1 && a.stopAt < 0 {
		a.t.Errorf("%v: slots in change are %v", e, slots)
	}
}

func (a *audit) changing() map[int]bool {
	slots := make(map[int]bool)
	for _, k := range a.workers {
		if !k.gone && (k.leaving >= 0 || k.replacement && k.ready < 0) {
			slots[k.slot] = true
		}
	}
	return slots
}

func (a *audit) logged(l entry) {
	a.giveUp()
	k := a.byPID[l.PID]
	if a.promise && l.Msg != "replacing worker" && l.Msg != "crash loop" && !strings.HasPrefix(l.Msg, "stopping") {
		a.t.Errorf("no answer to a crash before %s", l.text)
	}
	switch l.Msg {
	case "worker ready":
		a.checkReady(k, l)
		k.ready = l.at
	case "worker leaving":
		a.checkLeaving(k, l)
		k.leaving, k.why = l.at, l.Why
	case "worker hangs":
		a.checkHang(k, l)
		k.hung = l.at
	case "killing worker":
		a.checkKill(k, l)
	case "worker ended":
		if l.Level == "error" && (a.stopAt >= 0 || k.leaving >= 0) {
			a.t.Errorf("a stop at %v, leaving at %v, then %s", a.stopAt, k.leaving, l.text)
		}
		if crash := l.Status != 0 || k.hung >= 0 && k.endedAt > k.hung; crash && a.stopAt < 0 && k.leaving < 0 {
			// A replacement's does not count, unless it is current already.
			a.promise = !k.replacement || k.ready >= 0 || len(a.others(k.slot, k)) == 0 && !k.grows
		}
		if l.Level == "warn" {
			a.checkQuit(k, l)
		}
		if a.stopAt < 0 && (k.why == "scale" || k.grows && k.ready < 0) {
			a.slots--
		}
	case "worker not started":
		a.promise = a.failed
	case "crash loop":
		a.looping(l)
	case "replacing worker":
		a.replacing(l)
	case "stopping":
		a.stopping(l)
	case "stopping what the workers left behind":
		a.promise = false
		clear(a.due)
	case "drain delay over":
		a.halting = true
		a.kill = a.now + a.graceOr(forever-a.now)
	case "recycling worker":
		a.health.recycling(k, l)
	case "health failed", "max_age failed", "max_memory failed", "scale failed":
		a.changeFailed = l.at
	case "reloading":
		a.reload, a.mark = l.at, a.starts
	case "reload done", "reload failed":
		a.reloaded(l)
	case "scaling":
		a.want = l.To
	case "scaled":
		a.scaled(l)
	}
}

func (a *audit) graceOr(other time.Duration) time.Duration {
	if a.w.Stop.Grace > 0 {
		return a.w.Stop.Grace
	}
	return other
}

func (a *audit) stopping(l entry) {
	a.promise = false
	a.stopAt = l.at
	clear(a.due)
	switch {
	case l.Reason != "":
		a.kill, a.halting = l.at+a.ownGrace(), true
	case a.w.Stop.Delay > 0:
	default:
		a.kill, a.halting = l.at+a.graceOr(forever-l.at), true
	}
	patience := max(a.w.Ready.Timeout, 30*time.Second)
	bounded := a.w.Stop.Grace > 0 && (a.w.Ready.Timeout > 0 || a.w.Ready.When == "none")
	if limit := 6 * (patience + 2*a.w.Stop.Grace + 10*time.Second); a.reload >= 0 && bounded && l.at-a.reload > limit {
		a.t.Errorf("a reload went on from %v to %v", a.reload, l.at)
	}
}

func (a *audit) checkEnd() {
	for name, k := range a.workers {
		if !k.gone {
			a.t.Errorf("%s is forgotten", name)
		}
	}
	if a.end.Starts != a.starts {
		a.t.Errorf("%d starts, not %d", a.starts, a.end.Starts)
	}
	// Those that survive SIGKILL are in the way of an empty container.
	late := 3500 * time.Millisecond
	if a.stopAt >= 0 && a.kill < forever && a.took > a.kill+late {
		a.t.Errorf("stopped at %v, to be killed at %v, took %v", a.stopAt, a.kill, a.took)
	}
	if a.stopAt >= 0 && !a.halting && a.took > a.stopAt+a.w.Stop.Delay+late {
		a.t.Errorf("stopped at %v, took %v", a.stopAt, a.took)
	}
	if len(a.due) > 0 && a.stopAt < 0 && !a.promise { // else that crash was the end
		a.t.Errorf("to be started yet: %v", a.due)
	}
	for _, k := range a.workers {
		a.checkSilence(k)
	}
	a.moveTo(forever)
	if slices.ContainsFunc(a.w.started, func(p *program) bool { return p.slot > 9 }) {
		a.t.Error("slots without end")
	}
}
