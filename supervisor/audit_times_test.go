package supervisor_test

import (
	"slices"
	"time"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/supervisor"
)

// at returns what k had reported before a moment, and by the end of it.
func (k *tracked) at(when time.Duration) (before, after cluster.State) {
	for _, past := range k.history {
		if past.at < when {
			before = past.state
		}
		if past.at <= when {
			after = past.state
		}
	}
	after.Ended = after.Ended || k.ended && k.endedAt <= when
	return before, after
}

// states returns what k may have been known to have reported at a moment.
func (k *tracked) states(when time.Duration) []cluster.State {
	before, after := k.at(when)
	all := []cluster.State{before, after}
	for _, past := range k.history {
		if past.at == when {
			all = append(all, past.state)
		}
	}
	return all
}

// checkReady checks that k was ready when it was said to be.
func (a *audit) checkReady(k *tracked, l entry) {
	ok := slices.ContainsFunc(k.states(l.at), func(state cluster.State) bool { return isReady(a.w.Ready, state, l.at-k.begun) })
	before, state := k.at(l.at)
	if !ok || before.Leaving || before.Ended || k.ready >= 0 || a.halting && a.w.Ready.When == supervisor.ReadyNone {
		a.t.Errorf("state %+v, then %s", state, l.text)
	}
}

// isReady reports whether a worker of that age which has reported state is to be ready.
func isReady(policy supervisor.Readiness, state cluster.State, age time.Duration) bool {
	listens, all := len(state.Listening) > 0, len(state.Awaited) == 0
	patience := policy.Timeout
	switch policy.When {
	case supervisor.ReadyNone:
		return age == 0
	case supervisor.ReadyMessage:
		return state.Ready
	case supervisor.ReadyListen:
		return listens && (all || age == patience || patience == 0 && age >= 30*time.Second)
	}
	if patience == 0 {
		patience = 30 * time.Second
	}
	return listens && all || age == patience && (listens || state.Servers == 0)
}

// checkLeaving checks that another worker serves when k is asked to leave, and that it
// is for a reason.
func (a *audit) checkLeaving(k *tracked, l entry) {
	if k.leaving >= 0 || a.stopAt >= 0 {
		a.t.Errorf("leaving since %v, stop %v, then %s", k.leaving, a.stopAt, l.text)
	}
	others := false
	for _, other := range a.workers {
		others = others || other != k && a.serves(other, a.now)
	}
	if a.serves(k, a.now+1) && !others { // what it reports in this very moment may be known
		a.t.Errorf("no other serves: %s", l.text)
	}
	_, state := k.at(l.at)
	switch supervisor.ChangeReason(l.Why) {
	case supervisor.ForReload:
		if a.reload < 0 || k.startSeq >= a.mark {
			a.t.Errorf("the reload is since %v, it is number %d of %d: %s", a.reload, k.startSeq, a.mark, l.text)
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
	case supervisor.ForHealth:
		if a.health.replacedAt[k.slot] == 0 {
			a.t.Errorf("not recycled: %s", l.text)
		}
	default:
		a.t.Errorf("no reason: %s", l.text)
	}
	if slices.ContainsFunc(k.states(l.at), func(state cluster.State) bool { return orderFor(a.w.Stop.Order, state) == l.Order }) {
		return
	}
	a.t.Errorf("state %+v: %s", state, l.text)
}

// orderFor returns how a worker that has reported state is asked to leave first.
func orderFor(order supervisor.StopOrder, state cluster.State) string {
	switch {
	case order == supervisor.SignalFirst, state.Ended:
		return "signal"
	case order == supervisor.DrainFirst, state.Agent: // whatever it handles
		return "drain"
	}
	return "signal"
}

// checkHang checks that k was silent for so long, and not longer.
func (a *audit) checkHang(k *tracked, l entry) {
	before, _ := k.at(l.at)
	beat := before.Heartbeat.Sub(a.w.start)
	if a.w.Health.HangTimeout == 0 || before.Heartbeat.IsZero() || l.at < beat+a.w.Health.HangTimeout || l.at >= beat+a.w.Health.HangTimeout*9/8+2 {
		a.t.Errorf("last beat at %v, then %s", beat, l.text)
	}
	if k.leaving >= 0 || k.hung >= 0 || k.killed >= 0 || a.halting {
		a.t.Errorf("leaving %v, hung %v, killed %v: %s", k.leaving, k.hung, k.killed, l.text)
	}
}

// checkSilence checks that no worker that was silent for too long was overlooked.
func (a *audit) checkSilence(k *tracked) {
	if a.w.Health.HangTimeout == 0 || k.hung >= 0 {
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
	for i, past := range k.history {
		if past.state.Ended {
			until = min(until, past.at)
		}
		next := until
		if i+1 < len(k.history) {
			next = min(next, k.history[i+1].at)
		}
		if beat := past.state.Heartbeat; !beat.IsZero() && next-beat.Sub(a.w.start) > a.w.Health.HangTimeout*9/8+2 && next <= until {
			a.t.Errorf("%s was silent from %v to %v", k.name, beat.Sub(a.w.start), next)
		}
	}
}

// checkKill checks that k was killed for a reason, and in time.
func (a *audit) checkKill(k *tracked, l entry) {
	_, state := k.at(l.at)
	ok := false
	switch supervisor.KillReason(l.Why) {
	case supervisor.GraceExceeded:
		ok = a.w.Stop.Grace > 0 && k.leaving >= 0 && l.at == k.leaving+a.w.Stop.Grace || l.at == a.kill
	case supervisor.StopRepeated:
		ok = a.third()
	case supervisor.NotReady:
		patience := a.w.Ready.Timeout
		if patience == 0 && a.w.Ready.When == supervisor.ReadyAuto && state.Leaving && k.replacement {
			patience = 30 * time.Second
		}
		before, _ := k.at(l.at)
		inPart := a.w.Ready.When != supervisor.ReadyMessage && len(before.Listening) > 0 && !state.Leaving
		ok = patience > 0 && l.at == k.begun+patience && k.ready < 0 && k.leaving < 0 && a.stopAt < 0 && !inPart
	case supervisor.Hang:
		ok = k.hung >= 0 && l.at == k.hung+5*time.Second
	case supervisor.ChannelClosed:
		ok = state.Ended && k.leaving < 0
	case supervisor.ChannelFault:
		ok = state.Fault != nil && k.leaving < 0 && !a.halting
	}
	if !ok {
		a.t.Errorf("state %+v, ready %v, leaving %v, hung %v, stop %v, kill %v: %s", state, k.ready, k.leaving, k.hung, a.stopAt, a.kill, l.text)
	}
}
