// Package supervisor decides when a program is signalled, stopped and killed,
// and when the container may end. One goroutine, Run's, owns all state.
package supervisor

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/signals"
)

const (
	// DefaultGrace fits the 10 s that docker stop waits before it kills.
	DefaultGrace = 9 * time.Second
	// killPatience is how long SIGKILL may take. What is not gone by then hangs
	// in the kernel or belongs to a user whom we may not signal; the kernel
	// ends it with PID 1.
	killPatience = time.Second
	// leastSweep is what processes left behind get to end by themselves even
	// when the program used up all of the grace.
	leastSweep = 500 * time.Millisecond
)

// A Process is a program that has been started.
type Process interface {
	// Signal sends sig to the process, or to its group.
	Signal(sig unix.Signal, group bool) error
	// Exited is closed when the process has ended; Status and MaxRSS, in bytes,
	// may be asked then.
	Exited() <-chan struct{}
	Status() unix.WaitStatus
	MaxRSS() int64
}

// Rest is what remains in the container when the program has ended.
type Rest interface {
	// SignalRest sends sig to all of it.
	SignalRest(sig unix.Signal) error
	// Empty is closed when nothing remains.
	Empty() <-chan struct{}
}

// A Supervisor looks after one program, from its start to the end of the last
// process it left behind. Set the fields, then call Run once.
type Supervisor struct {
	Log     *logs.Logger
	Signals <-chan unix.Signal
	Rules   signals.Rules
	Rest    Rest
	Group   bool          // signals go to the process group
	Grace   time.Duration // from the stop signal to SIGKILL; 0: for ever
	// Parental is the signal that comes when the parent dies, 0 for none. The
	// kernel sends it again for each thread of the parent that ends (prctl(2),
	// PR_SET_PDEATHSIG), so it is one stop request however often it comes.
	Parental unix.Signal

	program  Process
	state    state
	end      Exit
	exited   <-chan struct{}  // nil once the program has ended
	empty    <-chan struct{}  // nil until then
	deadline <-chan time.Time // nil while the state has none
	stops    int              // stop signals so far
	killAt   time.Time        // end of the grace; zero: none
	started  time.Time
}

// An Exit is how a program ended.
type Exit struct {
	Status    unix.WaitStatus
	Survived  bool // it outlived SIGKILL: Status means nothing
	Requested bool // a stop had been asked for
	Killed    Kill // whether, and why, nodeinit killed it
	Uptime    time.Duration
	MaxRSS    int64 // bytes, of the largest process
}

// Kill is why a program was sent SIGKILL.
type Kill string

// The reasons to kill, as the exit report gives them; "" is none.
const (
	GraceExceeded Kill = "grace_exceeded"
	StopRepeated  Kill = "stop_repeated" // a third stop signal came
)

// A state is what the supervisor waits for.
type state int

const (
	running  state = iota // the program runs
	stopping              // it was asked to stop; the grace runs
	killing               // it was sent SIGKILL
	sweeping              // it has ended; the rest was asked to stop
	purging               // the rest was sent SIGKILL
	ended                 // nothing is left
)

// Run looks after program, which was started just now, until it and all it left
// behind have ended, and returns how it ended.
func (s *Supervisor) Run(program Process) Exit {
	s.program, s.exited, s.started = program, program.Exited(), time.Now()
	for s.state != ended {
		select {
		case sig := <-s.Signals:
			s.arrived(sig)
		case <-s.exited:
			s.programEnded()
		case <-s.deadline:
			s.deadlinePassed()
		case <-s.empty:
			s.enter(ended, 0)
		}
	}
	return s.end
}

// enter changes the state; limit, if not 0, is how long it may last.
func (s *Supervisor) enter(next state, limit time.Duration) {
	s.state, s.deadline = next, nil
	if limit > 0 {
		s.deadline = time.After(limit)
	}
}

func (s *Supervisor) arrived(sig unix.Signal) {
	send, stop := s.Rules.Apply(sig)
	if send == 0 {
		s.Log.Debug("signal dropped").Str("signal", signals.Name(sig)).Send()
		return
	}
	if stop && (sig != s.Parental || s.stops == 0) {
		s.stops++
	}
	switch s.state {
	case running, stopping:
		s.forward(sig, send)
		if stop {
			s.stop(send)
		}
	case sweeping:
		if stop {
			s.signalRest(send)
		}
		if s.stops >= 3 {
			s.purge()
		}
	case killing, purging, ended: // SIGKILL is on its way
	default:
		s.Log.Error("internal error: unknown state").Int("state", int(s.state)).Send()
	}
}

func (s *Supervisor) forward(arrived, send unix.Signal) {
	err := s.program.Signal(send, s.Group)
	switch {
	case errors.Is(err, os.ErrProcessDone): // its exit is the next event
	case err != nil: // EPERM: it has become another user
		s.Log.Warn("signal not forwarded").Str("signal", signals.Name(send)).Err(err).Send()
	default:
		s.Log.Debug("signal forwarded").Str("signal", signals.Name(arrived)).Str("as", signals.Name(send)).Send()
	}
}

// stop counts a stop signal that has been forwarded: the first starts the
// grace, the third ends it.
func (s *Supervisor) stop(sent unix.Signal) {
	if s.stops >= 3 {
		s.kill(StopRepeated)
		return
	}
	// A stopped process would not see the signal before SIGKILL.
	_ = s.program.Signal(unix.SIGCONT, s.Group)
	if s.state == stopping {
		return
	}
	s.Log.Info("stopping").Str("signal", signals.Name(sent)).Int64("grace_ms", s.Grace.Milliseconds()).Send()
	s.end.Requested = true
	if s.Grace > 0 {
		s.killAt = time.Now().Add(s.Grace)
	}
	s.enter(stopping, s.Grace)
}

func (s *Supervisor) kill(why Kill) {
	s.enter(killing, killPatience)
	err := s.program.Signal(unix.SIGKILL, s.Group)
	if errors.Is(err, os.ErrProcessDone) {
		return // it has ended by itself; that is the next event
	}
	s.Log.Warn("killing the program").Str("why", string(why)).Send()
	s.end.Killed = why
	if err != nil {
		s.Log.Warn("program not killed").Err(err).Send()
	}
}

func (s *Supervisor) deadlinePassed() {
	switch s.state {
	case stopping:
		s.kill(GraceExceeded)
	case killing:
		s.Log.Error("the program survived SIGKILL").Send()
		s.end.Survived = true
		s.sweep()
	case sweeping:
		s.purge()
	case purging:
		s.Log.Error("processes survived SIGKILL").Send()
		s.enter(ended, 0)
	case running, ended:
	default:
		s.Log.Error("internal error: unknown state").Int("state", int(s.state)).Send()
	}
}

func (s *Supervisor) programEnded() {
	s.end.Status, s.end.MaxRSS = s.program.Status(), s.program.MaxRSS()
	s.sweep()
}

// sweep asks what the program left behind to stop. When nothing is left, that
// shows at once and costs no wait.
func (s *Supervisor) sweep() {
	s.exited = nil
	s.end.Uptime = time.Since(s.started)
	s.empty = s.Rest.Empty()
	select {
	case <-s.empty:
		s.enter(ended, 0)
		return
	default:
	}
	if s.stops >= 3 {
		s.purge()
		return
	}
	limit := s.sweepLimit()
	s.Log.Info("stopping what the program left behind").Int64("grace_ms", limit.Milliseconds()).Send()
	s.signalRest(unix.SIGTERM)
	s.signalRest(unix.SIGCONT)
	s.enter(sweeping, limit)
}

// sweepLimit is what is left of the grace after a stop, and a whole one when
// the program ended unasked. That is never for ever: a container whose program
// has crashed must end.
func (s *Supervisor) sweepLimit() time.Duration {
	switch {
	case !s.killAt.IsZero():
		return max(time.Until(s.killAt), leastSweep)
	case s.Grace > 0:
		return s.Grace
	default:
		return DefaultGrace
	}
}

func (s *Supervisor) purge() {
	s.signalRest(unix.SIGKILL)
	s.enter(purging, killPatience)
}

func (s *Supervisor) signalRest(sig unix.Signal) {
	if err := s.Rest.SignalRest(sig); err != nil {
		s.Log.Warn("processes left behind not signalled").Str("signal", signals.Name(sig)).Err(err).Send()
	}
}
