package supervisor_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/supervisor"
)

// What holds for any workers and any order of events, in this many containers.
func TestRandomFleets(t *testing.T) {
	t.Parallel()
	for seed := range seeds(6000) {
		var f fleetRun
		synctest.Test(t, func(t *testing.T) { f = runFleet(t, seed) })
		f.replay(t)
		f.check(t)
		if t.Failed() {
			t.Fatalf("seed %d: %d workers, %d crashes in %v, grace %v, %+v\nsent %v\n%s\n%s", seed, f.w.Workers, f.w.Crashes.Max,
				f.w.Crashes.Window, f.w.Stop.Grace, f.w.Rules, f.w.sent, f.w.story(describeFleet(f.end, f.err, f.took)), f.w.log.String())
		}
	}
}

// A fleetRun is what became of a random container.
type fleetRun struct {
	w    *world
	end  supervisor.Exit
	err  error
	took time.Duration
	log  []entry
}

// An entry is a line of the log.
type entry struct {
	line
	Level, Msg, Reason, Address  string
	Why, Order                   string
	Worker, PID, Status, Crashes int
	Workers, From, To            int
	DelayMS                      int64 `json:"delay_ms"`
	NotReadyMS                   int64 `json:"not_ready_ms"`
	MaxRSS                       int64 `json:"max_rss_bytes"`
}

// runFleet runs a container in which each worker ends after an hour at the latest.
func runFleet(t *testing.T, seed uint64) fleetRun {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	scripts := rand.New(rand.NewPCG(seed, 2))
	// In coarse time much happens at once, in fine time nearly nothing does.
	grain := []time.Duration{100 * time.Millisecond, time.Millisecond + 1}[rng.IntN(2)]
	span := []time.Duration{300 * time.Millisecond, 3 * time.Second, 20 * time.Second}[rng.IntN(3)]
	moment := func(rng *rand.Rand) time.Duration { return time.Duration(rng.Int64N(int64(span/grain))) * grain }
	crashy, faulty := rng.IntN(4), rng.IntN(4)
	w := newFleet(1+rng.IntN(5), func(string) script {
		return randomScript(scripts, func() time.Duration { return moment(scripts) }, crashy, faulty)
	})
	w.Stop.Grace = []time.Duration{0, 300 * time.Millisecond, 2 * time.Second, 9 * time.Second}[rng.IntN(4)]
	w.Crashes.Max = []int{0, 0, 1, 3, 10}[rng.IntN(5)]
	w.Crashes.Window = []time.Duration{0, time.Second, 10 * time.Second}[rng.IntN(3)]
	w.Rules = randomRules(rng)
	w.left.gone, w.left.reaction = rng.IntN(3) > 0, randomReaction(rng, func() time.Duration { return moment(rng) })
	for range rng.IntN(6) {
		sig := []unix.Signal{unix.SIGTERM, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1}[rng.IntN(5)]
		w.at(moment(rng), func() { w.send(sig) })
	}
	return outcome(t, w)
}

// outcome runs w and reads its log.
func outcome(t *testing.T, w *world) fleetRun {
	t.Helper()
	f := fleetRun{w: w}
	f.end, f.took, f.err = w.run(t)
	for _, l := range w.lines {
		e := entry{line: l, Worker: -1}
		if err := json.Unmarshal([]byte(l.text), &e); err != nil {
			t.Fatal(err)
		}
		f.log = append(f.log, e)
	}
	return f
}

func randomScript(rng *rand.Rand, moment func() time.Duration, crashy, faulty int) script {
	s := script{reaction: randomReaction(rng, moment), acts: []act{{time.Hour, exits(0)}}}
	if rng.IntN(3) > 0 {
		s.reaction[unix.SIGTERM] = ending{moment(), exitedWith([]int{0, 0, 0, 3}[rng.IntN(4)])}
	}
	if rng.IntN(2) > 0 {
		s.drained = &ending{moment(), exitedWith(0)}
	}
	if rng.IntN(20) < faulty {
		s.fails = 1 + rng.IntN(12)
	}
	if rng.IntN(20) == 0 {
		s.denied = unix.EPERM
	}
	tell := func(what string, odds, of int) {
		if rng.IntN(of) < odds {
			s.acts = append(s.acts, act{moment(), reportOf(what)})
		}
	}
	tell("serves", 2, 3)
	tell("serves", 1, 3)
	tell("closes", 1, 3)
	tell("leaves", 1, 8)
	tell("hangsup", faulty, 20)
	tell("faults", faulty, 20)
	if rng.IntN(4) < crashy {
		s.acts = append(s.acts, act{moment(), exits(1 + rng.IntN(9))})
	} else if rng.IntN(5) == 0 {
		s.acts = append(s.acts, act{moment(), exits(0)})
	}
	return s
}

func (f fleetRun) check(t *testing.T) {
	stop := f.stop()
	for _, p := range f.w.started {
		f.checkForwards(t, p, stop)
		f.checkKill(t, p, stop)
		f.checkDrain(t, p, stop)
	}
	f.checkTimes(t, stop)
	if f.end.Starts > 0 {
		forkRun{f.w, f.end, f.took}.checkRest(t)
	}
}

const forever = 1 << 62 * time.Nanosecond

// A stop is when workers were asked to stop, what they were sent if it was not
// what had arrived, and when they were to be killed.
type stop struct {
	at, kill time.Duration
	sent     unix.Signal
}

func (f fleetRun) stop() stop {
	for _, l := range f.log {
		switch {
		case l.Msg != "stopping":
		case l.Reason == "" && f.w.Stop.Grace == 0:
			return stop{at: l.at, kill: f.third()}
		case l.Reason == "":
			return stop{at: l.at, kill: min(l.at+f.w.Stop.Grace, f.third())}
		default:
			sent, _ := f.w.Rules.Apply(unix.SIGTERM)
			if sent == 0 {
				sent = unix.SIGTERM
			}
			return stop{l.at, min(l.at+f.ownGrace(), f.third()), sent}
		}
	}
	return stop{at: forever, kill: forever}
}

// ownGrace is that of a stop that was not requested.
func (f fleetRun) ownGrace() time.Duration {
	if f.w.Stop.Grace == 0 {
		return 9 * time.Second
	}
	return f.w.Stop.Grace
}

// third returns when the third stop signal came.
func (f fleetRun) third() time.Duration {
	if stops := (forkRun{w: f.w}).stops(); len(stops) >= 3 {
		return stops[2]
	}
	return forever
}

// until returns when p ended or was sent SIGKILL.
func (f fleetRun) until(p *program) time.Duration {
	until := time.Duration(forever)
	if p.ended {
		until = p.endedAt
	}
	if kills := (forkRun{w: f.w}).to(p.name, unix.SIGKILL); len(kills) > 0 {
		until = min(until, kills[0].at)
	}
	return until
}

// As long as it lives and is not killed a worker gets each signal, as the rules
// have it, once, and a stop that was not requested. What comes in the moment of
// its start or end may be too early or too late.
func (f fleetRun) checkForwards(t *testing.T, p *program, stop stop) {
	type signal struct {
		at  time.Duration
		sig unix.Signal
	}
	least, most, got := make(map[signal]int), make(map[signal]int), make(map[signal]int)
	until := f.until(p)
	expect := func(s signal) {
		if p.begun <= s.at && s.at <= until {
			most[s]++
		}
		if p.begun < s.at && s.at < until {
			least[s]++
		}
	}
	for _, e := range f.w.sent {
		if send, _ := f.w.Rules.Apply(e.sig); send != 0 {
			expect(signal{e.at, send})
		}
	}
	if stop.sent != 0 {
		expect(signal{stop.at, stop.sent})
	}
	for _, e := range (forkRun{w: f.w}).to(p.name) {
		if e.did == "" && e.sig != unix.SIGCONT && e.sig != unix.SIGKILL {
			got[signal{e.at, e.sig}]++
			most[signal{e.at, e.sig}] += 0
		}
	}
	for s, n := range most {
		if got[s] < least[s] || got[s] > n {
			t.Errorf("%s got %v %d times, not %d to %d", p.name, s, got[s], least[s], n)
		}
	}
}

// A worker is killed once, when it has to be, and never else.
func (f fleetRun) checkKill(t *testing.T, p *program, stop stop) {
	due := []time.Duration{stop.kill}
	closed := slices.IndexFunc(p.history, func(past stateAt) bool { return past.state.Ended && !past.state.Leaving })
	fault := slices.IndexFunc(p.history, func(past stateAt) bool { return past.state.Fault != nil })
	switch {
	case fault >= 0 && (closed < 0 || closed >= fault):
		due = append(due, p.history[fault].at)
	case closed >= 0:
		due = append(due, p.history[closed].at+f.ownGrace())
	}
	first := slices.Min(due)
	if at := due[len(due)-1]; len(due) > 1 && at > stop.at {
		first = stop.kill // a stop gives it the grace instead
	}
	kills := forkRun{w: f.w}.to(p.name, unix.SIGKILL)
	switch {
	case len(kills) > 1 || len(kills) == 1 && !slices.Contains(due, kills[0].at):
		t.Errorf("%s was killed %v, was to be %v", p.name, kills, due)
	case len(kills) == 0 && (!p.ended || p.endedAt > first) && !slices.Contains(due, stop.at):
		t.Errorf("%s was not killed, was to be %v", p.name, due)
	case len(kills) == 1 && kills[0].at > first && !slices.Contains(due, stop.at):
		t.Errorf("%s was killed %v, was to be %v", p.name, kills, first)
	}
}

// A worker without a server is disconnected, once and only after the stop has begun.
func (f fleetRun) checkDrain(t *testing.T, p *program, stop stop) {
	drains := slices.DeleteFunc(forkRun{w: f.w}.to(p.name), func(e event) bool { return e.did != "disconnect" })
	if len(drains) > 1 || len(drains) == 1 && drains[0].at < stop.at {
		t.Errorf("%s: %v, the stop was at %v", p.name, drains, stop.at)
	}
	due, servers := stop.at, 0
	for _, past := range p.history {
		switch {
		case past.at == stop.at:
			return // before or after it
		case past.at > stop.at && servers > 0 && past.state.Servers <= 0:
			due = past.at
			servers = 0
		case past.at < stop.at:
			servers = past.state.Servers
		}
	}
	if servers == 0 && due < f.until(p) && p.begun < due && (len(drains) == 0 || drains[0].at != due) {
		t.Errorf("%s was to be disconnected at %v: %v", p.name, due, drains)
	}
}

// Workers are gone one second after their time, and all else when its own time
// and one second more are up.
func (f fleetRun) checkTimes(t *testing.T, stop stop) {
	if stop.kill < forever && f.end.Uptime > stop.kill+time.Second {
		t.Errorf("the workers were up for %v, they were to be killed at %v", f.end.Uptime, stop.kill)
	}
	sweep := f.ownGrace()
	if stop.at < forever {
		sweep = max(sweep, 500*time.Millisecond)
	}
	if f.took > f.end.Uptime+sweep+time.Second {
		t.Errorf("the end took until %v, with %v to sweep since %v", f.took, sweep, f.end.Uptime)
	}
}
