package supervisor_test

import "time"

// A checkCount is what the checks of a worker have brought.
type checkCount struct {
	fails  int           // in a row; -1: no check is over
	before int           // the same before this moment
	passed time.Duration // the last one that did; -1: none
}

func (c *checkCount) record(now time.Duration, failed bool) {
	if c.fails = max(c.fails, 0) + 1; !failed {
		c.fails, c.passed = 0, now
	}
}

// mayPass reports whether the supervisor may know that the last check has passed.
func (c *checkCount) mayPass(now time.Duration) bool { return c.before == 0 || c.passed == now }

// moveTo checks what must hold at the end of a moment, and goes on to a later one.
func (a *audit) moveTo(at time.Duration) {
	if at > a.now && a.w.Health.Check != nil {
		if a.stopAt < 0 {
			a.health.checkRotation()
		}
		for _, k := range a.workers {
			k.checks.before = k.checks.fails
		}
	}
	if at < forever {
		a.now = at
	}
}

// A healthAudit is the part of an audit that is about health checks.
type healthAudit struct {
	*audit
	replacedAt map[int]time.Duration // by slot: the last worker that was replaced for its health
}

// otherMayPass reports whether another one than k may be known to pass, or to have been
// checked not at all.
func (a *healthAudit) otherMayPass(k *tracked, unchecked bool) bool {
	for _, other := range a.workers {
		if other != k && a.serves(other, a.now) && (other.checks.mayPass(a.now) || other.checks.fails < 0 && unchecked) {
			return true
		}
	}
	return false
}

// rotated checks that k fails while another one passes, or does not any more.
func (a *healthAudit) rotated(k *tracked, e event) {
	out := e.did == "pause"
	n := k.checks.fails
	if out == k.out || a.stopAt >= 0 || out && (n <= 0 || !a.otherMayPass(k, true)) {
		a.t.Errorf("%v: out of rotation before %v, failures %d, stop %v", e, k.out, n, a.stopAt)
	}
	k.out = out
}

// recycling checks that a worker that is replaced for its health has failed often enough,
// that another one passes, and that it is not the next one too soon.
func (a *healthAudit) recycling(k *tracked, l entry) {
	if l.Why != "health" {
		return
	}
	n := k.checks.fails
	if n < a.w.Health.Failures || !a.otherMayPass(k, false) {
		a.t.Errorf("%d failures: %s", n, l.text)
	}
	last, again := a.replacedAt[k.slot]
	passed := false
	for _, other := range a.workers {
		passed = passed || other.slot == k.slot && other.checks.passed >= last
	}
	if again && !passed && l.at < last+time.Minute {
		a.t.Errorf("the last one was replaced at %v: %s", last, l.text)
	}
	a.replacedAt[k.slot] = l.at
}

// checkRotation checks at the end of a moment that those are out of rotation that fail while
// another one passes, and no others, and that those are replaced that are to be.
func (a *healthAudit) checkRotation() {
	passing, allThrough, fail := false, false, true
	var serving []*tracked
	for _, k := range a.workers {
		if k.servesAfter(a.now) {
			serving = append(serving, k)
			n := max(k.checks.fails, 0)
			passing, fail = passing || n == 0, fail && n > 0
			allThrough = allThrough || k.ready < a.now && k.checks.before == 0 && n == 0
		}
	}
	busy := len(a.changing()) > 0 || a.reload >= 0 || a.want != a.slots || a.changeFailed >= 0 && a.now < a.changeFailed+time.Minute
	for _, k := range a.workers { // a change may wait for its end
		busy = busy || !k.gone && !k.servesAfter(a.now)
	}
	for _, k := range serving {
		n := max(k.checks.fails, 0)
		if n <= 0 {
			k.excused = [2]int{}
		}
		if fail {
			k.excused[0] = n
		}
		if !allThrough { // the order of what happened in the moment decides
			k.excused[1] = n
		}
		if !passing && !fail { // it is as before, whatever that was
			continue
		}
		if k.out && n <= k.excused[0] || !k.out && n > k.excused[1] {
			a.t.Errorf("at %v %s is out of rotation: %v; %d failures, of which %v excused", a.now, k.name, k.out, n, k.excused)
		}
		if _, recently := a.replacedAt[k.slot]; n-k.excused[1] >= a.w.Health.Failures && !busy && !recently {
			a.t.Errorf("at %v %s is not replaced: %d failures, of which %v excused", a.now, k.name, n, k.excused)
		}
	}
}

// servesAfter reports whether k serves at the end of a moment.
func (k *tracked) servesAfter(now time.Duration) bool {
	_, state := k.at(now)
	return k.ready >= 0 && k.leaving < 0 && k.hung < 0 && k.killed < 0 && !k.gone &&
		!state.Leaving && !state.Ended && !(k.ended && k.endedAt <= now)
}
