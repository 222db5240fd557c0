package supervisor_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/supervisor"
)

// What holds for any workers and any order of reloads, recyclings, resizes,
// hangs, time-outs, crashes and stops, in this many containers.
func TestRandomChanges(t *testing.T) {
	t.Parallel()
	for seed := range seeds(2500) {
		var v changedRun
		synctest.Test(t, func(t *testing.T) { v = runChanged(t, seed) })
		v.audit(t)
		if t.Failed() {
			w := v.w
			t.Fatalf("seed %d: %d workers, %d crashes in %v, ready %q in %v, delay %v, grace %v, order %q, memory %d, age %v, hang %v\nsent %v\nasked %v\n%s\n%s",
				seed, w.Workers, w.Crashes.Max, w.Crashes.Window, w.Ready.When, w.Ready.Timeout, w.Stop.Delay, w.Stop.Grace, w.Stop.Order, w.limit, w.Recycle.MaxAge, w.Health.HangTimeout,
				w.sent, v.asked, w.story(describeFleet(v.end, v.err, v.took)), w.log.String())
		}
	}
}

// A changedRun is what became of a random container that is changed while it runs.
type changedRun struct {
	fleetRun
	asked    []string
	statuses []supervisor.Status
}

// dice make random choices.
type dice struct {
	*rand.Rand
	grain time.Duration // of time; the coarser, the more happens at once
	span  time.Duration // in which most happens
}

func (d dice) moment() time.Duration { return d.within(d.span) }

func (d dice) within(span time.Duration) time.Duration {
	return time.Duration(d.Int64N(int64(span/d.grain)+1)) * d.grain
}

func (d dice) odds(n, of int) bool { return d.IntN(of) < n }

func oneOf[T any](d dice, values ...T) T { return values[d.IntN(len(values))] }

// runChanged runs a container that is stopped, if it does not end before, and whose
// workers end after an hour at the latest.
func runChanged(t *testing.T, seed uint64) changedRun {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	d := dice{Rand: rng, grain: 100 * time.Millisecond}
	if d.odds(1, 2) {
		d.grain = time.Millisecond + 1
	}
	d.span = oneOf(d, 2*time.Second, 20*time.Second, 2*time.Minute)
	kind := kindOf(d)
	scripts := dice{rand.New(rand.NewPCG(seed, 4)), d.grain, d.span}
	w := newFleet(1+d.IntN(4), func(string) script { return kind.script(scripts) })
	w.target = w.Workers
	settings(d, w)
	v := changedRun{}
	for range d.IntN(7) {
		what := oneOf(d, "reload", "reload", "reload", fmt.Sprintf("scale:%d", d.IntN(5)), fmt.Sprintf("target:%d", 1+d.IntN(5)))
		v.asked = append(v.asked, fmt.Sprintf("%v %s", d.moment(), what))
		w.askAt(t, v.asked[len(v.asked)-1])
	}
	for range d.IntN(4) {
		sig := oneOf(d, unix.SIGUSR2, unix.SIGHUP)
		w.at(d.moment(), func() { w.send(sig) })
	}
	at := d.moment() + oneOf(d, 0, 5*time.Minute)
	for range 1 + d.IntN(3) {
		sig := oneOf(d, unix.SIGTERM, unix.SIGTERM, unix.SIGINT)
		w.at(at, func() { w.send(sig) })
		at += d.within(4 * time.Second)
	}
	var statuses []supervisor.Status // guarded by w.mu: some may come when Run has returned
	for range 10 {
		w.at(d.moment(), func() {
			s, ok := w.Status()
			w.mu.Lock()
			defer w.mu.Unlock()
			if !ok {
				t.Error("no status")
			}
			statuses = append(statuses, s)
		})
	}
	v.fleetRun = outcome(t, w)
	w.mu.Lock()
	defer w.mu.Unlock()
	v.statuses = slices.Clone(statuses)
	return v
}

func settings(d dice, w *world) {
	w.Ready.When = oneOf(d, supervisor.ReadyAuto, supervisor.ReadyAuto, supervisor.ReadyListen, supervisor.ReadyMessage, supervisor.ReadyNone)
	w.Ready.Timeout = oneOf(d, 0, 500*time.Millisecond, 3*time.Second, 30*time.Second)
	w.Stop.Grace = oneOf(d, 0, 300*time.Millisecond, 2*time.Second, 9*time.Second)
	w.Stop.Delay = oneOf(d, 0, 0, 500*time.Millisecond, 3*time.Second)
	w.Stop.Order = oneOf(d, supervisor.AutoOrder, supervisor.AutoOrder, supervisor.SignalFirst, supervisor.DrainFirst)
	w.Crashes.Max = oneOf(d, 0, 1, 3, 10, 30)
	w.Crashes.Window = oneOf(d, 0, 10*time.Second, time.Minute)
	w.ReloadSignal = oneOf(d, 0, unix.SIGHUP)
	w.weighs(oneOf(d, 0, 0, int64(100)))
	w.Recycle.MaxAge = oneOf(d, 0, 0, 7*time.Second, 40*time.Second)
	w.Health.HangTimeout = oneOf(d, 0, 0, 4*time.Second)
	w.Recycle.Spread = d.Int64N
	if d.odds(2, 3) {
		w.Health.Check, w.Health.Path, w.noteChecks = w.check, "/healthz", true
		w.Health.Interval, w.Health.Failures = oneOf(d, time.Second, 5*time.Second, 5*time.Second, time.Minute), oneOf(d, 1, 2, 3)
	}
	if d.odds(1, 2) {
		w.Target = w.limits
	}
}

// A kind is what the workers of a container have in common.
type kind struct {
	crashy, faulty, slow, agents, hangs, sick int // of 20
}

func kindOf(d dice) kind {
	return kind{
		crashy: oneOf(d, 0, 1, 3, 8), faulty: oneOf(d, 0, 0, 1, 4), slow: oneOf(d, 0, 2, 6),
		agents: oneOf(d, 0, 10, 20), hangs: oneOf(d, 0, 2, 8), sick: oneOf(d, 0, 5, 15, 20),
	}
}

func (k kind) script(d dice) script {
	s := script{reaction: reaction{}, acts: []act{{time.Hour, exits(0)}}}
	tell := func(what string, at time.Duration) { s.acts = append(s.acts, act{at, actOfWord(what)}) }
	up := d.within(300 * time.Millisecond)
	if d.odds(k.slow, 20) {
		up = d.moment()
	}
	if !d.odds(k.slow, 20) {
		if d.odds(1, 4) {
			tell("owes", 0)
			tell("settles", d.within(2*up)+oneOf(d, 0, time.Minute))
		}
		tell("serves", up)
		tell("ready", up)
	}
	if d.odds(k.agents, 20) {
		tell(oneOf(d, "agent", "handles"), d.within(up))
		last := time.Duration(1<<62 - 1)
		if d.odds(k.hangs, 20) {
			last = d.moment()
		}
		for at := up; at <= min(last, 4*time.Minute); at += 900 * time.Millisecond {
			tell("beat", at)
		}
	}
	k.answers(d, &s)
	k.ends(d, &s)
	for _, what := range []string{"binds", "closes", "leaves", "hangsup", "faults"} {
		if d.odds(k.faulty, 40) {
			tell(what, d.moment())
		}
	}
	if d.odds(1, 4) {
		at, heavy := d.moment(), int64(90+d.IntN(20))
		s.acts = append(s.acts, act{at, func(p *program) { p.weigh(heavy) }})
	}
	return s
}

// answers decides what a worker answers to checks.
func (k kind) answers(d dice, s *script) {
	if !d.odds(k.sick, 20) {
		return
	}
	s.answers = oneOf(d, 0, d.within(time.Second), d.within(6*time.Second))
	for range 1 + d.IntN(3) {
		s.acts = append(s.acts, act{oneOf(d, 0, d.moment(), d.moment()), becomes(oneOf(d, nil, errSick, errSick, errMute))})
	}
}

func actOfWord(what string) func(*program) {
	do := reportOf(what)
	if do == nil {
		panic(what)
	}
	return do
}

// ends decides what ends a worker.
func (k kind) ends(d dice, s *script) {
	if d.odds(17, 20) {
		s.reaction[unix.SIGTERM] = ending{d.within(2 * time.Second), exitedWith(oneOf(d, 0, 0, 0, 3))}
		s.reaction[unix.SIGINT] = s.reaction[unix.SIGTERM]
	}
	if d.odds(19, 20) {
		s.reaction[unix.SIGKILL] = ending{d.within(100 * time.Millisecond), killedBy(unix.SIGKILL)}
	}
	if d.odds(10, 20) {
		s.reaction[unix.SIGABRT] = ending{d.within(time.Second), killedBy(unix.SIGABRT)}
	}
	switch d.IntN(4) {
	case 0: // ignores the drain
	case 1:
		s.drained = &ending{d.within(3 * time.Second), exitedWith(oneOf(d, 0, 0, 4))}
	default:
		after := d.within(3 * time.Second)
		s.leaves = &after
	}
	if d.odds(k.crashy, 20) {
		s.acts = append(s.acts, act{d.moment(), exits(oneOf(d, 5, 6, 0))})
	}
	if d.odds(k.crashy, 40) {
		s.acts = append(s.acts, act{d.within(300 * time.Millisecond), exits(7)})
	}
	if d.odds(k.faulty, 40) {
		s.fails = 1 + d.IntN(4)
	}
	if d.odds(k.faulty, 80) {
		s.denied = unix.EPERM
	}
}
