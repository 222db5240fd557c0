package supervisor

import (
	"errors"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
)

// A life is that of one worker, from its start until it is seen to end.
type life struct {
	worker   *Worker
	slot     *slot
	state    lifeState
	deadline time.Time // of the state; zero: none
	told     cluster.State
	started  time.Time
	nth      int // of all that were started
	wasReady bool
	readyAt  time.Time     // since when it is; zero: it never was
	waited   time.Duration // so long its slot was empty before it
	came     ChangeReason  // why it came, if it did not have to
	killed   KillReason

	drained  bool       // it was asked over its channel to leave
	leaving  bool       // we want it to end while the others go on
	stopWith stopSignal // what it gets when it has finished or drained
	lastCall time.Time  // when it should have closed its servers; zero: never
	killAt   time.Time  // when it is to be killed; zero: when all are

	awake time.Time    // when it was last seen to be stopped: its silence before proves nothing
	oldAt time.Time    // when it is too old; zero: never, or tired already
	above int          // so many samples of its memory in a row were too much
	tired ChangeReason // why it is to be replaced; "": it is not
}

// A lifeState is what a worker is expected to do.
type lifeState int

const (
	starting  lifeState = iota // to get ready
	working                    // to work: it has been ready
	closed                     // to exit by itself: its channel is closed, so it serves nobody
	finishing                  // to answer what it has in hand; the signal comes then
	draining                   // to finish what it has and leave; the signal comes then
	asked                      // to exit, because it got the signal
	hung                       // to die of SIGABRT: its event loop does not turn
	dying                      // to die of SIGKILL
)

// String returns the state as Status and the documentation name it.
func (s lifeState) String() string {
	return [...]string{"starting", "ready", "closed", "finishing", "draining", "stopping", "hung", "killed"}[s]
}

// hangPatience is what SIGABRT gets to end a worker: it may write a core.
const hangPatience = 5 * time.Second

// start starts a worker, for its place in a slot.
func (s *Supervisor) start(slot *slot, place **life) error {
	w, err := s.Start(slot.number)
	if err != nil {
		return err
	}
	s.end.Starts++
	l := &life{worker: w, slot: slot, started: time.Now(), nth: s.end.Starts, oldAt: s.oldAt(), came: s.comesFor(slot)}
	*place = l
	s.watchers.Go(func() { s.watchOver(l) })
	if s.PerCore {
		s.about(s.Log.Info("worker started"), l).Send()
	}
	s.expectReady(l)
	return nil
}

// watchOver tells Run's goroutine of the end of l.
func (s *Supervisor) watchOver(l *life) {
	select {
	case <-l.worker.Process.Exited():
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
		all = append(all, slot.lives()...)
	}
	return all
}

// atWork reports whether nobody wants l to end, so far.
func (l *life) atWork() bool { return l.state == starting || l.state == working || l.state == closed }

// serves reports whether l is ready and will be for all that it told.
func (l *life) serves() bool { return l.state == working && !l.told.Leaving && !l.told.Ended }

func (s *Supervisor) lifeTimedOut(l *life) {
	switch l.state {
	case starting:
		s.notReady(l)
	case closed:
		s.kill(l, ChannelClosed)
	case finishing:
		s.endFinish(l)
	case draining:
		s.endDrain(l)
	case asked:
		s.kill(l, GraceExceeded)
	case hung:
		s.kill(l, Hang)
	case dying:
		s.about(s.Log.Error(s.called("the program survived SIGKILL", "worker survived SIGKILL")), l).Send()
		s.lifeEnded(l, true)
	case working: // has no deadline
	default:
		s.unknownState(int(l.state))
	}
}

func (s *Supervisor) kill(l *life, why KillReason) {
	if l.state == dying {
		return
	}
	l.state, l.deadline = dying, time.Now().Add(killPatience)
	l.worker.onStop()
	err := l.worker.Process.Signal(unix.SIGKILL, s.toGroup())
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
		e.Status, e.MaxRSS = l.worker.Process.Status(), l.worker.Process.MaxRSS()
	}
	e.Cause = s.diagnose(l, e)
	s.order++
	s.end.MaxRSS = max(s.end.MaxRSS, e.MaxRSS)
	byTerminal := s.endedByTerminal(l, e)
	// Nobody had asked for it. That a hanging one handles SIGABRT changes nothing.
	crash := s.state == running && !l.leaving && (e.Code() != 0 || l.killed == Hang) && !byTerminal
	quit := !crash && !byTerminal && s.quits(l, e)
	s.logEnd(l, e, crash, quit)
	slot, kept := l.slot, false
	switch l {
	case slot.next:
		s.newcomerEnded(l, e, crash)
	case slot.old:
		s.oldEnded(l, e, crash)
		kept = slot.life != nil || !slot.retryAt.IsZero()
	case slot.life:
		s.holderEnded(l, e, crash, quit)
		kept = slot.life != nil || slot.next != nil || !slot.retryAt.IsZero()
	}
	l.worker.release(kept)
	if byTerminal {
		s.terminalEnded()
	}
}

func (s *Supervisor) logEnd(l *life, e Exit, crash, quit bool) {
	if !s.PerCore {
		return // the exit report tells
	}
	start := s.Log.Info
	switch {
	case crash:
		start = s.Log.Error
	case quit:
		start = s.Log.Warn
	}
	line := e.status(s.about(start("worker ended"), l))
	line.Int64("uptime_ms", e.Uptime.Milliseconds()).Int64("max_rss_bytes", e.MaxRSS).Send()
}

// about says in line which worker it is about, where there are several.
func (s *Supervisor) about(line *zerolog.Event, l *life) *zerolog.Event {
	if !s.PerCore {
		return line
	}
	return line.Int("worker", l.slot.number).Int("pid", l.worker.PID)
}

// called returns the message for the mode.
func (s *Supervisor) called(program, worker string) string {
	if s.PerCore {
		return worker
	}
	return program
}
