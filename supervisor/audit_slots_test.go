package supervisor_test

import "time"

// starting checks that a worker was to be started: as one of the first, instead
// of one that crashed, beside one that is to be replaced, or in a new slot.
func (a *audit) starting(e event) {
	slot := slotOf(e.to)
	if a.stopAt >= 0 {
		a.t.Errorf("%v after the stop", e)
	}
	due, again := a.due[slot]
	others := a.others(slot, nil)
	first := a.starts < a.w.Workers && a.now == 0 && slot < a.w.Workers && len(others) == 0 && !again
	if again && due != a.now || len(others) > 1 || !first && !again && len(others) == 0 && (slot != a.slots || a.want <= a.slots) {
		a.t.Errorf("%v: due %v %v, others %d, %d slots of %d", e, again, due, len(others), a.slots, a.want)
	}
	isReplacement := !first && !again
	grows := isReplacement && slot == a.slots
	delete(a.due, slot)
	if e.did == "not started" {
		a.failed = again
		return
	}
	for _, p := range a.w.started {
		if p.name == e.to {
			k := &tracked{program: p, startSeq: a.starts, replacement: isReplacement, grows: grows, ready: notYet, leaving: notYet, hung: notYet, killed: notYet, checks: checkCount{-1, -1, notYet}}
			if grows {
				a.slots++
			}
			a.workers[e.to], a.byPID[p.PID()] = k, k
		}
	}
	a.starts++
}

func (a *audit) released(k *tracked, e event) {
	kept := e.did == "released kept"
	_, again := a.due[k.slot]
	want := again
	others := a.others(k.slot, k)
	for _, other := range others {
		want = want || other.startSeq > k.startSeq
	}
	if k.replacement && k.ready < 0 && len(others) > 0 {
		want = false // it was never needed
	}
	if kept != want || k.gone {
		a.t.Errorf("%v: to be kept %v, gone %v", e, want, k.gone)
	}
	k.gone = true
}

func (a *audit) replacing(l entry) {
	if !a.promise {
		a.t.Errorf("no crash, but %s", l.text)
	}
	a.promise = false
	a.answers = append(a.answers, l.at)
	recent := 0
	for _, at := range a.answers {
		if a.w.Crashes.Window == 0 || l.at-at < a.w.Crashes.Window {
			recent++
		}
	}
	if recent > a.w.Crashes.Max || recent != l.Crashes || a.stopAt >= 0 {
		a.t.Errorf("%d crashes answered, then %s", recent, l.text)
	}
	if l.DelayMS > 0 {
		a.due[l.Worker] = l.at + time.Duration(l.DelayMS)*time.Millisecond
	}
}

// checkQuit checks that k had served, and is missed.
func (a *audit) checkQuit(k *tracked, l entry) {
	_, state := k.at(l.at)
	others := a.due[k.slot] > 0
	for _, other := range a.workers {
		others = others || other != k && !other.gone
	}
	if l.Status != 0 || a.stopAt >= 0 || k.leaving >= 0 || !others && len(a.due) == 0 || state.Servers == 0 && len(state.Listening) == 0 {
		a.t.Errorf("state %+v, others %v, stop %v, then %s", state, others, a.stopAt, l.text)
	}
	a.promise = a.w.Crashes.Max > 0
}

// looping checks that no worker in the slot was ready for as long as a slot waits at
// most, and no replacement was ready at all, for a whole window.
func (a *audit) looping(l entry) {
	long := time.Duration(l.NotReadyMS) * time.Millisecond
	if !a.promise || a.w.Crashes.Window == 0 || long < max(a.w.Crashes.Window, 10*time.Second) {
		a.t.Errorf("promise %v, %v of %v: %s", a.promise, long, a.w.Crashes.Window, l.text)
	}
	for _, k := range a.workers {
		until := a.now
		if k.ended {
			until = min(until, k.endedAt)
		}
		if k.leaving >= 0 {
			until = min(until, k.leaving)
		}
		isReplacement := k.replacement && k.ready > a.now-long
		if k.slot == l.Worker && k.ready >= 0 && (isReplacement || until-k.ready >= 15*time.Second && until > a.now-long+time.Millisecond) {
			a.t.Errorf("%s was ready from %v to %v: %s", k.name, k.ready, until, l.text)
		}
	}
}

func (a *audit) scaled(l entry) {
	if a.slots != l.Workers || a.want != l.Workers {
		a.t.Errorf("%d slots of %d, then %s", a.slots, a.want, l.text)
	}
}

// reloaded checks that after a reload all are new, and after one that failed the
// old one is there.
func (a *audit) reloaded(l entry) {
	if a.reload < 0 || a.stopAt >= 0 {
		a.t.Errorf("since %v, stop %v: %s", a.reload, a.stopAt, l.text)
	}
	a.reload = notYet
	for _, k := range a.workers {
		ended := k.gone || k.ended && k.endedAt == a.now
		switch {
		case ended || k.hung >= 0 || k.killed >= 0:
		case k.leaving >= 0:
			a.t.Errorf("%s leaves, after %s", k.name, l.text)
		case l.Msg == "reload done" && k.startSeq < a.mark:
			a.t.Errorf("%s is from before %s", k.name, l.text)
		}
	}
}
