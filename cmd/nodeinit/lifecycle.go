package main

import (
	"time"

	"github.com/nodeinit/nodeinit/supervisor"
)

// tend has s look after the program as the user wants it.
func (r *run) tend(s *supervisor.Supervisor) {
	c := r.config
	s.Ready, s.ReadyTimeout = supervisor.Ready(c.Ready), time.Duration(c.ReadyTimeout)
	s.DrainDelay = time.Duration(c.DrainDelay)
	s.ReloadSignal = c.ReloadSignal.Sig()
	switch {
	case c.StopOrder != "auto":
		s.StopOrder = supervisor.StopOrder(c.StopOrder)
	case r.plan.Program.Single: // nobody tells what it handles, and the protocol's disconnect is no loss
		s.StopOrder = supervisor.DrainFirst
	}
	if r.plan.Agent {
		s.HangTimeout = time.Duration(c.HangTimeout)
	}
}

// tendWorkers is tend for workers.
func (r *run) tendWorkers(s *supervisor.Supervisor) {
	r.tend(s)
	c := r.config
	s.PerCore = true
	s.MaxCrashes, s.CrashWindow = int(c.MaxCrashes), time.Duration(c.CrashWindow)
	s.MaxAge = time.Duration(c.MaxAge)
	if r.plan.MaxMemory > 0 {
		s.MaxMemory = r.current.MaxMemory
	}
	if r.plan.Count.FromLimits && bool(c.Resize) {
		s.Target = r.current.Target
	}
	r.current.Want = func() int { return s.Status().Want }
}
