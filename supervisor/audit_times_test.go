package supervisor_test

import (
	"slices"
	"time"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/supervisor"
)

// at returns what k had told before a moment, and by the end of it.
func (k *tracked) at(when time.Duration) (before, after cluster.State) {
	for _, told := range k.telling {
		if told.at < when {
			before = told.state
		}
		if told.at <= when {
			after = told.state
		}
	}
	after.Ended = after.Ended || k.ended && k.endedAt <= when
	return before, after
}

// states returns what k may have been known to have told at a moment.
func (k *tracked) states(when time.Duration) []cluster.State {
	before, after := k.at(when)
	all := []cluster.State{before, after}
	for _, told := range k.telling {
		if told.at == when {
			all = append(all, told.state)
		}
	}
	return all
}

// checkReady checks that k was ready when it was said to be.
func (a *audit) checkReady(k *tracked, l entry) {
	ok := slices.ContainsFunc(k.states(l.at), func(told cluster.State) bool { return a.isReady(told, l.at-k.begun) })
	before, told := k.at(l.at)
	if !ok || before.Leaving || before.Ended || k.ready >= 0 || a.halting && a.w.Ready.When == supervisor.ReadyNone {
		a.t.Errorf("told %+v, then %s", told, l.text)
	}
}

func (a *audit) isReady(told cluster.State, age time.Duration) bool {
	listens, all := len(told.Listening) > 0, len(told.Awaited) == 0
	patience := a.w.Ready.Timeout
	switch a.w.Ready.When {
	case supervisor.ReadyNone:
		return age == 0
	case supervisor.ReadyMessage:
		return told.Ready
	case supervisor.ReadyListen:
		return listens && (all || age == patience || patience == 0 && age >= 30*time.Second)
	}
	if patience == 0 {
		patience = 30 * time.Second
	}
	return listens && all || age == patience && (listens || told.Servers == 0)
}

// checkLeaving checks that somebody serves when k is asked to leave, and that it
// is for a reason.
func (a *audit) checkLeaving(k *tracked, l entry) {
	if k.leaving >= 0 || a.stopAt >= 0 {
		a.t.Errorf("leaving since %v, stop %v, then %s", k.leaving, a.stopAt, l.text)
	}
	others := false
	for _, other := range a.known {
		others = others || other != k && a.serves(other, a.now)
	}
	if a.serves(k, a.now+1) && !others { // what it tells in this very moment may be known
		a.t.Errorf("nobody else serves: %s", l.text)
	}
	_, told := k.at(l.at)
	switch supervisor.ChangeReason(l.Why) {
	case supervisor.ForReload:
		if a.reload < 0 || k.nth >= a.mark {
			a.t.Errorf("the reload is since %v, it is number %d of %d: %s", a.reload, k.nth, a.mark, l.text)
		}
	case supervisor.ForScale:
		if a.want >= a.slots || k.slot != a.slots-1 {
			a.t.Errorf("%d slots of %d: %s", a.slots, a.want, l.text)
		}
	case supervisor.ForAge:
		if a.w.Recycle.MaxAge == 0 || l.at-k.begun < a.w.Recycle.MaxAge-a.w.Recycle.MaxAge/10 {
			a.t.Errorf("%v old: %s", l.at-k.begun, l.text)
		}
	case supervisor.ForMemory:
		if a.w.limit == 0 || l.at-k.begun < 10*time.Second || k.rss <= a.w.limit {
			a.t.Errorf("rss %d: %s", k.rss, l.text)
		}
	default:
		a.t.Errorf("no reason: %s", l.text)
	}
	if slices.ContainsFunc(k.states(l.at), func(told cluster.State) bool { return a.order(told) == l.Order }) {
		return
	}
	a.t.Errorf("told %+v: %s", told, l.text)
}

func (a *audit) order(told cluster.State) string {
	switch {
	case a.w.Stop.Order == supervisor.SignalFirst, told.Ended:
		return "signal"
	case a.w.Stop.Order == supervisor.DrainFirst, told.Agent: // whatever it handles
		return "drain"
	}
	return "signal"
}

// checkHang checks that k was silent for so long, and not longer.
func (a *audit) checkHang(k *tracked, l entry) {
	before, _ := k.at(l.at)
	beat := before.Heartbeat.Sub(a.w.start)
	if a.w.HangTimeout == 0 || before.Heartbeat.IsZero() || l.at < beat+a.w.HangTimeout || l.at >= beat+a.w.HangTimeout*9/8+2 {
		a.t.Errorf("last beat at %v, then %s", beat, l.text)
	}
	if k.leaving >= 0 || k.hung >= 0 || k.killed >= 0 || a.halting {
		a.t.Errorf("leaving %v, hung %v, killed %v: %s", k.leaving, k.hung, k.killed, l.text)
	}
}

// checkSilence checks that nobody who was silent for too long was overlooked.
func (a *audit) checkSilence(k *tracked) {
	if a.w.HangTimeout == 0 || k.hung >= 0 {
		return
	}
	until := a.took // when it was not expected to beat any more
	for _, at := range []time.Duration{k.leaving, k.killed, a.stopAt} {
		if at >= 0 {
			until = min(until, at)
		}
	}
	if k.ended {
		until = min(until, k.endedAt)
	}
	for i, told := range k.telling {
		if told.state.Ended {
			until = min(until, told.at)
		}
		next := until
		if i+1 < len(k.telling) {
			next = min(next, k.telling[i+1].at)
		}
		if beat := told.state.Heartbeat; !beat.IsZero() && next-beat.Sub(a.w.start) > a.w.HangTimeout*9/8+2 && next <= until {
			a.t.Errorf("%s was silent from %v to %v", k.name, beat.Sub(a.w.start), next)
		}
	}
}

// checkKill checks that k was killed for a reason, and in time.
func (a *audit) checkKill(k *tracked, l entry) {
	_, told := k.at(l.at)
	ok := false
	switch supervisor.KillReason(l.Why) {
	case supervisor.GraceExceeded:
		ok = a.w.Stop.Grace > 0 && k.leaving >= 0 && l.at == k.leaving+a.w.Stop.Grace || l.at == a.kill
	case supervisor.StopRepeated:
		ok = a.third()
	case supervisor.NotReady:
		patience := a.w.Ready.Timeout
		if patience == 0 && a.w.Ready.When == supervisor.ReadyAuto && told.Leaving && k.newcomer {
			patience = 30 * time.Second
		}
		before, _ := k.at(l.at)
		inPart := a.w.Ready.When != supervisor.ReadyMessage && len(before.Listening) > 0 && !told.Leaving
		ok = patience > 0 && l.at == k.begun+patience && k.ready < 0 && k.leaving < 0 && a.stopAt < 0 && !inPart
	case supervisor.Hang:
		ok = k.hung >= 0 && l.at == k.hung+5*time.Second
	case supervisor.ChannelClosed:
		ok = told.Ended && k.leaving < 0
	case supervisor.ChannelFault:
		ok = told.Fault != nil && k.leaving < 0 && !a.halting
	}
	if !ok {
		a.t.Errorf("told %+v, ready %v, leaving %v, hung %v, stop %v, kill %v: %s", told, k.ready, k.leaving, k.hung, a.stopAt, a.kill, l.text)
	}
}
