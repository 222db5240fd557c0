package supervisor

import (
	"errors"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// sampleEvery is how often memory and limits are looked at.
	sampleEvery = 5 * time.Second
	// beatChecks is how often beats are looked at within HangTimeout.
	beatChecks = 8
)

// A watch is when to look at what changes without telling.
type watch struct {
	sampleAt time.Time // memory and limits; zero: never
	beatAt   time.Time // beats; zero: never
	awake    time.Time // since when we look in time: silence before that proves nothing
}

func (s *Supervisor) beginWatch() {
	s.watch.awake = s.started
	if s.PerCore && (s.Recycle.MaxMemory != nil || s.Target != nil || s.Listens != nil) {
		s.watch.sampleAt = s.started.Add(sampleEvery)
	}
	if s.HangTimeout > 0 {
		s.watch.beatAt = s.started.Add(s.HangTimeout / beatChecks)
	}
}

// look looks at what it is time to look at.
func (s *Supervisor) look(now time.Time) {
	if s.state != running { // there will be no change any more
		s.watch.sampleAt = time.Time{}
	}
	if s.state != running && s.state != lingering { // and all are to end soon
		s.watch.beatAt = time.Time{}
	}
	if passed(s.watch.sampleAt, now) {
		s.watch.sampleAt = now.Add(sampleEvery)
		s.readTarget()
		s.weighAll(now)
		s.lookAlone()
	}
	if passed(s.watch.beatAt, now) {
		every := s.HangTimeout / beatChecks
		if now.Sub(s.watch.beatAt) > every { // we were stopped, or the machine was
			s.watch.awake = now
		}
		s.watch.beatAt = now.Add(every)
		for _, l := range s.lives() {
			s.listenTo(l, now)
		}
	}
}

// oldAt returns when a worker that is started now is too old: not at the same
// time as all others.
func (s *Supervisor) oldAt() time.Time {
	if !s.PerCore || s.Recycle.MaxAge <= 0 {
		return time.Time{}
	}
	spread := s.Recycle.Spread
	if spread == nil {
		spread = rand.Int64N
	}
	tenth := s.Recycle.MaxAge / 10
	return time.Now().Add(s.Recycle.MaxAge - tenth + time.Duration(spread(int64(2*tenth)+1)))
}

// listenTo finds out whether the event loop of l has stopped turning. Only who
// has beaten once, and still can, is expected to.
func (s *Supervisor) listenTo(l *life, now time.Time) {
	if l.state != starting && l.state != working || l.told.Heartbeat.IsZero() || l.told.Ended {
		return
	}
	if stopped, err := l.worker.Process.Stopped(s.Group); err == nil && stopped { // that is no hang
		l.awake = now
	}
	last := l.told.Heartbeat
	for _, awake := range []time.Time{s.watch.awake, l.awake} {
		if last.Before(awake) {
			last = awake
		}
	}
	if silent := now.Sub(last); silent >= s.HangTimeout {
		s.hangs(l, silent)
	}
}

// hangs ends a worker that hangs, with a core or a report if the image wants one.
func (s *Supervisor) hangs(l *life, silent time.Duration) {
	loop := l.told.Loop
	s.about(s.Log.Warn(s.called("the program hangs", "worker hangs")), l).
		Int64("silent_ms", silent.Milliseconds()).
		Float64("utilisation", loop.Utilisation).
		Float64("delay_p50_ms", milliseconds(loop.DelayP50)).
		Float64("delay_p99_ms", milliseconds(loop.DelayP99)).
		Int64("heap_bytes", loop.Heap).Send()
	l.state, l.deadline = hung, time.Now().Add(hangPatience)
	err := l.worker.Process.Signal(unix.SIGABRT, s.Group)
	if errors.Is(err, os.ErrProcessDone) {
		return // so that is why; its exit is the next event
	}
	l.killed = Hang
	if err != nil {
		s.about(s.Log.Warn(s.called("program not aborted", "worker not aborted")), l).Err(err).Send()
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
