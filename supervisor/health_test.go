package supervisor

import (
	"slices"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/cluster"
)

// A healthCase is a status and what Health says of it.
type healthCase struct {
	name    string
	s       Status
	healthy bool
	text    string
}

func TestHealth(t *testing.T) {
	t.Parallel()
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range slices.Concat(healthCases(now), askedHealthCases(now)) {
		if healthy, text := Health(c.s, now); healthy != c.healthy || text != c.text {
			t.Errorf("%s: %v, %q", c.name, healthy, text)
		}
	}
}

// statusOf is that of two slots in which workers are.
func statusOf(workers ...WorkerStatus) Status {
	s := Status{State: "running", PerCore: true, Want: 2, Workers: workers}
	for _, w := range workers {
		if w.Serves {
			s.Ready++
		}
	}
	return s
}

// forked is that of one process.
func forked(w WorkerStatus) Status {
	s := statusOf(w)
	s.PerCore, s.Want = false, 1
	return s
}

// bare is a worker that has been ready for an hour, without an agent.
func bare(now time.Time) WorkerStatus {
	return WorkerStatus{PID: 7, State: "ready", Serves: true, ReadySince: now.Add(-time.Hour)}
}

// beats is one whose agent reported some time ago.
func beats(now time.Time, ago time.Duration) WorkerStatus {
	w := bare(now)
	w.Reported = cluster.State{Agent: true, Heartbeat: now.Add(-ago)}
	return w
}

func healthCases(now time.Time) []healthCase {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	bare, agent := bare(now), func(beat time.Duration) WorkerStatus { return beats(now, beat) }
	noBeat := func(ready time.Duration) WorkerStatus {
		w := bare
		w.ReadySince, w.Reported = ago(ready), cluster.State{Agent: true}
		return w
	}
	announced := agent(time.Minute)
	announced.Reported.SilentUntil = now.Add(time.Minute)
	announcedBefore := agent(time.Minute)
	announcedBefore.Reported.SilentUntil = ago(11 * time.Second)
	closed := agent(time.Minute) // its channel, so it can send none
	closed.Reported.Ended = true
	starting, leaving := WorkerStatus{PID: 8, State: "starting"}, WorkerStatus{PID: 9, State: "draining"}
	waiting := WorkerStatus{State: "waiting", LastExit: "exit 3"}
	reloading := statusOf(agent(0), leaving, starting)
	reloading.Reloading = true
	stopping := func(state string) Status {
		s := statusOf(agent(0), agent(0))
		s.State = state
		return s
	}
	return []healthCase{
		{"before the start", Status{}, false, "not started yet"},
		{"all ready", statusOf(agent(0), agent(time.Second)), true, "2 of 2 workers ready"},
		{"without an agent", statusOf(bare, bare), true, "2 of 2 workers ready"},
		{"one starts", statusOf(agent(0), starting), true, "1 of 2 workers ready"},
		{"one hangs", statusOf(agent(0), agent(HeartbeatLimit)), true, "1 of 2 workers ready, 1 with an event loop that stands still"},
		{"just not too old", statusOf(agent(HeartbeatLimit - 1)), true, "1 of 2 workers ready"},
		{"all hang", statusOf(agent(time.Minute), agent(12*time.Second)), false, "no worker's event loop turns: that of each stands still for 12 s or more"},
		{"a worker that starts is no help", statusOf(agent(time.Minute), starting), false, "no worker's event loop turns: that of each stands still for 60 s or more"},
		{"one hangs, the other has no agent", statusOf(agent(time.Minute), bare), true, "1 of 2 workers ready, 1 with an event loop that stands still"},
		{"silence is announced", statusOf(announced, announced), true, "2 of 2 workers ready"},
		{"and over", statusOf(announcedBefore), false, "no worker's event loop turns: that of each stands still for 11 s or more"},
		{"no heartbeat yet", statusOf(noBeat(9 * time.Second)), true, "1 of 2 workers ready"},
		{"never a heartbeat", statusOf(noBeat(11 * time.Second)), false, "no worker's event loop turns: that of each stands still for 11 s or more"},
		{"none is ready", statusOf(starting, waiting), false, "no worker is ready, starting, waiting after exit 3"},
		{"none is there", statusOf(), false, "no worker is ready"},
		{"reload", reloading, true, "1 of 2 workers ready, reloading"},
		{"drain delay", stopping("drainDelay"), false, "stopping: the drain delay is running"},
		{"stop", stopping("stopping"), false, "stopping"},
		{"kill", stopping("killing"), false, "stopping"},
		{"leftovers", stopping("finalTerm"), false, "stopping: all workers have ended"},
		{"end", stopping("ended"), false, "stopping: all workers have ended"},
		{"fork", forked(agent(0)), true, "the program is ready"},
		{"fork, without an agent", forked(bare), true, "the program is ready"},
		{"fork, the agent was not attached", forked(closed), true, "the program is ready"},
		{"fork, hangs", forked(agent(time.Minute)), false, "the event loop of the program stands still for 60 s or more"},
		{"fork, starts", forked(starting), false, "the program is not ready, starting"},
	}
}

// askedHealthCases are those of workers that are asked for a path.
func askedHealthCases(now time.Time) []healthCase {
	bare := bare(now)
	asked := func(passes bool, s Status) Status {
		s.HealthPath, s.HealthPasses = "/healthz", passes
		return s
	}
	failing := func(why string) WorkerStatus {
		w := bare
		w.HealthFailures, w.HealthError = 3, why
		return w
	}
	return []healthCase{
		{"not asked yet", asked(false, statusOf(bare, bare)), false, "the workers have not answered GET /healthz yet"},
		{"asked", asked(true, statusOf(bare, bare)), true, "2 of 2 workers ready"},
		{"one fails", asked(true, statusOf(failing("status 500"), bare)), true, "2 of 2 workers ready, 1 failing GET /healthz"},
		{"all fail", asked(false, statusOf(failing("status 500"), failing("status 503"))), false, "2 of 2 workers fail GET /healthz: status 503"},
		{"all fail, and one is new", asked(false, statusOf(failing("status 500"), bare)), false, "1 of 2 workers fail GET /healthz: status 500"},
		{"all fail and hang", asked(false, statusOf(beats(now, time.Minute), beats(now, 12*time.Second))), false, "no worker's event loop turns: that of each stands still for 12 s or more"},
		{"none is ready to be asked", asked(true, statusOf(WorkerStatus{PID: 8, State: "starting"})), false, "no worker is ready, starting"},
		{"fork, not asked yet", asked(false, forked(bare)), false, "the program has not answered GET /healthz yet"},
		{"fork, fails", asked(false, forked(failing("no answer within 5s"))), false, "the program fails GET /healthz: no answer within 5s"},
		{"fork, passes", asked(true, forked(bare)), true, "the program is ready"},
	}
}
