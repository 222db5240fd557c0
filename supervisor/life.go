package supervisor

import (
	"errors"
	"os"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/signals"
)

// A life is that of one worker, from its start until it is seen to end.
type life struct {
	worker   Worker
	slot     *slot
	state    lifeState
	deadline time.Time // of the state; zero: none
	told     cluster.State
	started  time.Time
	drained  bool // it was asked over its channel to leave
	killed   Kill
}

// A lifeState is what a worker is expected to do.
type lifeState int

const (
	alive  lifeState = iota // to work
	closed                  // to exit by itself: its channel is closed, so it serves nobody
	asked                   // to exit, because it was asked to
	dying                   // to die of SIGKILL
)

// start starts a worker for slot.
func (s *Supervisor) start(slot *slot) error {
	w, err := s.Start(slot.number)
	if err != nil {
		return err
	}
	l := &life{worker: w, slot: slot, started: time.Now()}
	slot.life = l
	s.end.Starts++
	s.watchers.Go(func() { s.watch(l) })
	if s.perCore() {
		s.about(s.Log.Info("worker started"), l).Send()
	}
	return nil
}

// watch tells Run's goroutine of the end of l.
func (s *Supervisor) watch(l *life) {
	select {
	case <-l.worker.Exited():
	case <-s.over:
		return
	}
	select {
	case s.exits <- l:
	case <-s.over:
	}
}

// lives returns the workers that run or have not been seen to end.
func (s *Supervisor) lives() []*life {
	var all []*life
	for _, slot := range s.slots {
		if slot.life != nil {
			all = append(all, slot.life)
		}
	}
	return all
}

// forward sends a worker a signal that arrived for it.
func (s *Supervisor) forward(l *life, arrived, send unix.Signal) {
	if l.state == dying {
		return
	}
	err := l.worker.Signal(send, s.Group)
	switch {
	case errors.Is(err, os.ErrProcessDone): // its exit is the next event
	case err != nil: // EPERM: it has become another user
		s.about(s.Log.Warn("signal not forwarded"), l).Str("signal", signals.Name(send)).Err(err).Send()
	default:
		s.about(s.Log.Debug("signal forwarded"), l).Str("signal", signals.Name(arrived)).Str("as", signals.Name(send)).Send()
	}
}

// ask notes that a worker has been asked to exit, and asks it over its channel
// too where that costs nobody anything.
func (s *Supervisor) ask(l *life) {
	if l.state == dying {
		return
	}
	// A stopped process would not see the signal before SIGKILL.
	_ = l.worker.Signal(unix.SIGCONT, s.Group)
	l.state, l.deadline = asked, time.Time{}
	l.drainIfIdle()
}

// drainIfIdle asks a worker that has no server, any more or at all, to leave its
// channel: that keeps Node alive, for ever if need be, even when the application
// has closed everything.
func (l *life) drainIfIdle() {
	if l.told.Servers == 0 && !l.drained {
		l.drained = true
		l.worker.Drain()
	}
}

// changed takes note of what a worker has told.
func (s *Supervisor) changed(c Change) {
	i := slices.IndexFunc(s.slots, func(slot *slot) bool { return slot.life != nil && slot.life.worker == c.Worker })
	if i < 0 {
		return // it has ended meanwhile
	}
	l := s.slots[i].life
	before := l.told
	l.told = c.State
	for _, address := range c.State.Listening {
		if !slices.Contains(before.Listening, address) {
			s.about(s.Log.Info("worker listening"), l).Str("address", logs.Clip(address)).Send()
		}
	}
	if c.State.Fault != nil && before.Fault == nil {
		s.about(s.Log.Warn("worker channel failed"), l).Str("error", logs.Clip(c.State.Fault.Error())).Send()
	}
	switch l.state {
	case alive:
		switch {
		case c.State.Fault != nil:
			s.kill(l, ChannelFault)
		case c.State.Ended && !c.State.Leaving: // if it has just exited, that is the next event
			l.state, l.deadline = closed, time.Now().Add(s.leastGrace())
		}
	case asked:
		l.drainIfIdle()
	case closed, dying: // no more is to be expected of it
	default:
		s.unknownState(int(l.state))
	}
}

func (s *Supervisor) lifeTimedOut(l *life) {
	switch l.state {
	case closed:
		s.kill(l, ChannelClosed)
	case dying:
		s.about(s.Log.Error(s.called("the program survived SIGKILL", "worker survived SIGKILL")), l).Send()
		s.lifeEnded(l, true)
	case alive, asked: // have no deadline of their own
	default:
		s.unknownState(int(l.state))
	}
}

func (s *Supervisor) kill(l *life, why Kill) {
	if l.state == dying {
		return
	}
	l.state, l.deadline = dying, time.Now().Add(killPatience)
	err := l.worker.Signal(unix.SIGKILL, s.Group)
	if errors.Is(err, os.ErrProcessDone) {
		return // it has ended by itself; that is the next event
	}
	s.about(s.Log.Warn(s.called("killing the program", "killing worker")), l).Str("why", string(why)).Send()
	l.killed = why
	if err != nil {
		s.about(s.Log.Warn(s.called("program not killed", "worker not killed")), l).Err(err).Send()
	}
}

// lifeEnded takes note of the end of l, or that it outlived SIGKILL, and decides
// what becomes of its slot.
func (s *Supervisor) lifeEnded(l *life, survived bool) {
	e := Exit{Worker: l.slot.number, Survived: survived, Killed: l.killed, Uptime: time.Since(l.started)}
	if !survived {
		e.Status, e.MaxRSS = l.worker.Status(), l.worker.MaxRSS()
	}
	e.Cause = s.diagnose(e)
	s.order++
	l.slot.life, l.slot.last, l.slot.order = nil, e, s.order
	s.end.MaxRSS = max(s.end.MaxRSS, e.MaxRSS)
	crash := s.state == running && e.Code() != 0 // and nobody had asked for it
	s.logEnd(l, e, crash)
	if crash {
		s.crashed(l.slot, e.Uptime, nil)
	}
	l.worker.Release(!l.slot.retryAt.IsZero())
}

func (s *Supervisor) logEnd(l *life, e Exit, crash bool) {
	if !s.perCore() {
		return // the exit report tells
	}
	start := s.Log.Info
	if crash {
		start = s.Log.Error
	}
	line := e.status(s.about(start("worker ended"), l))
	line.Int64("uptime_ms", e.Uptime.Milliseconds()).Int64("max_rss_bytes", e.MaxRSS).Send()
}

// about says in line which worker it is about, where there are several.
func (s *Supervisor) about(line *zerolog.Event, l *life) *zerolog.Event {
	if !s.perCore() {
		return line
	}
	return line.Int("worker", l.slot.number).Int("pid", l.worker.PID())
}

// called returns the message for the mode.
func (s *Supervisor) called(program, worker string) string {
	if s.perCore() {
		return worker
	}
	return program
}
