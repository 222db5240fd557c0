package supervisor

import "github.com/nodeinit/nodeinit/cgroup"

// An oomAccount is the reading of the counters in which each OOM kill is one that
// explains the end of a worker.
type oomAccount struct{ accounted cgroup.Stats }

// explain returns why a worker ended that was reaped just now. The kernel may have
// killed another one at the same time, so of the kills that it counts each explains
// one end only. now is a reading of the counters.
func (a *oomAccount) explain(e Exit, now cgroup.Stats, oldSpace int64) Cause {
	cause := e.Diagnose(a.accounted, now, oldSpace)
	if cause == OOMKilled || cause == OOMAbove {
		a.accounted.OOMKill.Value++
		if a.accounted.OOMKill.Value >= now.OOMKill.Value {
			a.accounted = now
		}
	}
	return cause
}
