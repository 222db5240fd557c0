package supervisor_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
	"github.com/nodeinit/nodeinit/supervisor"
)

// What holds for any program and any order of events, in this many lives.
func TestRandomLives(t *testing.T) {
	t.Parallel()
	for seed := range seeds(4000) {
		var l forkRun
		synctest.Test(t, func(t *testing.T) { l = runFork(t, seed) })
		l.check(t)
		if t.Failed() {
			t.Fatalf("seed %d: %+v\nsent %v\nhappened %v\nprogram %v ended %v at %v, rest %v gone %v\n%s took %v",
				seed, l.rules(), l.w.sent, l.w.events, l.w.program.reaction, l.w.program.ended, l.w.program.endedAt,
				l.w.left.reaction, l.w.left.gone, describe(l.end, l.took), l.took)
		}
	}
}

// A forkRun is what became of a random world.
type forkRun struct {
	w    *world
	end  supervisor.Exit
	took time.Duration
}

const quantum = 100 * time.Millisecond // of time: much happens at once

// runFork runs a world that ends by itself after an hour at the latest.
func runFork(t *testing.T, seed uint64) forkRun {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	w := newWorld()
	w.Group = rng.IntN(2) == 0
	w.Stop.Grace = []time.Duration{0, 3 * quantum, 2 * time.Second, 9 * time.Second}[rng.IntN(4)]
	w.Rules = randomRules(rng)
	span := int(w.Stop.Grace/quantum) + 20
	moment := func() time.Duration { return time.Duration(rng.IntN(span)) * quantum }
	for range rng.IntN(8) {
		sig := []unix.Signal{unix.SIGTERM, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGHUP, unix.SIGUSR1, 40}[rng.IntN(7)]
		w.at(moment(), func() { w.send(sig) })
	}
	w.program.reaction, w.left.reaction = randomReaction(rng, moment), randomReaction(rng, moment)
	w.left.gone = rng.IntN(3) == 0
	exits := time.Hour
	if rng.IntN(2) == 0 {
		exits = moment()
	}
	w.at(exits, func() { w.program.end(exitedWith(rng.IntN(256))) })
	end, took, err := w.run(t)
	if err != nil {
		t.Error(err)
	}
	return forkRun{w, end, took}
}

func randomRules(rng *rand.Rand) signals.Rules {
	rules := signals.Rules{Stop: []unix.Signal{0, 0, unix.SIGUSR2, unix.SIGINT}[rng.IntN(4)]}
	for _, r := range []signals.Rewrite{{From: unix.SIGHUP, To: unix.SIGTERM}, {From: unix.SIGTERM}, {From: unix.SIGINT, To: unix.SIGUSR1}} {
		if rng.IntN(4) == 0 {
			rules.Rewrites = append(rules.Rewrites, r)
		}
	}
	return rules
}

// randomReaction heeds some signals, and nearly always SIGKILL.
func randomReaction(rng *rand.Rand, moment func() time.Duration) reaction {
	r := make(reaction)
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGCONT} {
		if rng.IntN(3) == 0 {
			r[sig] = ending{moment(), killedBy(sig)}
		}
	}
	if rng.IntN(8) > 0 {
		r[unix.SIGKILL] = ending{time.Duration(rng.IntN(3)) * quantum, killedBy(unix.SIGKILL)}
	}
	return r
}

func (l forkRun) rules() signals.Rules { return l.w.Rules }

func (l forkRun) check(t *testing.T) {
	l.checkTimes(t)
	l.checkKill(t)
	l.checkForwards(t)
	l.checkRest(t)
	l.checkExit(t)
}

// stops returns when the stop signals were sent.
func (l forkRun) stops() []time.Duration {
	var at []time.Duration
	for _, e := range l.w.sent {
		if _, stop := l.rules().Apply(e.sig); stop {
			at = append(at, e.at)
		}
	}
	return at
}

// to returns what was sent to the program or the rest, or only one kind of that.
func (l forkRun) to(whom string, sigs ...unix.Signal) []event {
	return slices.DeleteFunc(slices.Clone(l.w.events), func(e event) bool {
		return e.to != whom || len(sigs) > 0 && !slices.Contains(sigs, e.sig)
	})
}

// The program is gone one second after the grace, and all else when its own
// time and one second more are up.
func (l forkRun) checkTimes(t *testing.T) {
	limit := time.Hour
	if l.end.Requested && l.w.Stop.Grace > 0 {
		limit = l.stops()[0] + l.w.Stop.Grace + time.Second
	}
	if l.end.Uptime > limit {
		t.Errorf("the program was up for %v, the limit was %v", l.end.Uptime, limit)
	}
	sweep := 9 * time.Second
	if l.w.Stop.Grace > 0 {
		sweep = max(l.w.Stop.Grace, 500*time.Millisecond)
	}
	if l.end.Requested && l.w.Stop.Grace > 0 {
		sweep = max(l.stops()[0]+l.w.Stop.Grace-l.end.Uptime, 500*time.Millisecond)
	}
	if l.took > l.end.Uptime+sweep+time.Second {
		t.Errorf("the end took until %v, with %v to sweep since %v", l.took, sweep, l.end.Uptime)
	}
}

// SIGKILL comes once, at the very end of the grace or with the third stop.
func (l forkRun) checkKill(t *testing.T) {
	kills := l.to("program", unix.SIGKILL)
	switch {
	case len(kills) == 0:
		if l.end.Killed != "" || l.end.Survived {
			t.Errorf("killed %q, survived %v, but there was no SIGKILL", l.end.Killed, l.end.Survived)
		}
		return
	case len(kills) > 1:
		t.Errorf("%d SIGKILLs", len(kills))
	}
	at, stops := kills[0].at, l.stops()
	if len(stops) == 0 {
		t.Error("killed without a stop")
		return
	}
	switch l.end.Killed {
	case supervisor.GraceExceeded:
		if at != stops[0]+l.w.Stop.Grace || l.w.Stop.Grace == 0 {
			t.Errorf("killed at %v, stop at %v, grace %v", at, stops[0], l.w.Stop.Grace)
		}
	case supervisor.StopRepeated:
		if len(stops) < 3 || at != stops[2] {
			t.Errorf("killed at %v, stops at %v", at, stops)
		}
	case "":
		if l.w.program.endedAt != at {
			t.Errorf("killed at %v, but not why", at)
		} // else it ended by itself at that very moment
	default:
		t.Errorf("killed for %q", l.end.Killed)
	}
}

// Until its end or its kill the program gets each signal, as the rules have it,
// and afterwards none.
func (l forkRun) checkForwards(t *testing.T) {
	until := l.end.Uptime
	if kills := l.to("program", unix.SIGKILL); len(kills) > 0 {
		until = kills[0].at
	}
	var want []event
	due := 0 // so many of want were sent before that; what came at that moment may be too late
	for _, e := range l.w.sent {
		if send, _ := l.rules().Apply(e.sig); send != 0 {
			want = append(want, event{at: e.at, to: "program", sig: send, group: l.w.Group})
			if e.at < until {
				due++
			}
		}
	}
	var got []event
	for _, e := range l.to("program") {
		if e.sig != unix.SIGCONT && e.sig != unix.SIGKILL {
			got = append(got, e)
		}
	}
	if len(got) < due || len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
		t.Errorf("forwarded %v, want the first %d or more of %v", got, due, want)
	}
}

// What is left behind is signalled only after the end of the program, killed
// once and not before its time, and gone at the end or beyond help.
func (l forkRun) checkRest(t *testing.T) {
	all := l.to("rest")
	if len(all) == 0 {
		if !l.w.isEmpty() || l.took != l.end.Uptime {
			t.Errorf("no leftovers were signalled, gone %v", l.w.isEmpty())
		}
		return
	}
	if all[0].at != l.end.Uptime {
		t.Errorf("what was left behind was first signalled at %v, the program ended at %v", all[0].at, l.end.Uptime)
	}
	if stops := l.stops(); all[0].sig != unix.SIGTERM && (len(stops) < 3 || stops[2] > all[0].at) {
		t.Errorf("what was left behind got %v first", all[0])
	}
	kills := l.to("rest", unix.SIGKILL)
	if len(kills) == 0 {
		if !l.w.isEmpty() {
			t.Error("leftovers are left that were not killed")
		}
		return
	}
	at, stops := kills[0].at, l.stops()
	third := len(stops) >= 3 && at >= stops[2]
	if len(kills) > 1 || kills[0] != all[len(all)-1] || !third && at < l.end.Uptime+min(500*time.Millisecond, max(l.w.Stop.Grace, 1)) {
		t.Errorf("killed what was left behind at %v", kills)
	}
	if !l.w.isEmpty() && l.took != at+time.Second {
		t.Errorf("leftovers are left %v after SIGKILL", l.took-at)
	}
}

func (l forkRun) checkExit(t *testing.T) {
	p, stops := &l.w.program, l.stops()
	if l.end.Survived {
		if l.end.Code() != 137 || p.ended && p.endedAt < l.end.Uptime {
			t.Errorf("survived, status %d, ended %v at %v", l.end.Code(), p.ended, p.endedAt)
		}
	} else if l.end.Code() != supervisor.Code(p.status) || l.end.Uptime != p.endedAt || l.end.MaxRSS != maxRSS {
		t.Errorf("the program ended with %d at %v", supervisor.Code(p.status), p.endedAt)
	}
	if l.end.Requested && (len(stops) == 0 || stops[0] > l.end.Uptime) {
		t.Error("the end was not requested")
	}
	if !l.end.Requested && len(stops) > 0 && stops[0] < l.end.Uptime {
		t.Error("the end was requested")
	}
	if l.end.Crashed() != (!l.end.Requested && l.end.Code() != 0) {
		t.Errorf("crashed is %v", l.end.Crashed())
	}
	if l.end.Crashed() != (l.end.Crashes == 1) || l.end.Crashes > 1 {
		t.Errorf("%d crashes", l.end.Crashes)
	}
}
