package supervisor

import "time"

// ReadyWhen is when a worker counts as ready.
type ReadyWhen string

const (
	// ReadyAuto: as ReadyListen, for those who listen. Who has asked for no server
	// when its time is up, in a slot where nobody has ever listened in time, takes
	// jobs from a queue or does such: that is no fault, and it counts as ready
	// then. Without a ReadyTimeout that is after DefaultReadyTimeout.
	ReadyAuto ReadyWhen = ""
	// ReadyListen: when it listens, in the place of another one on all that this one
	// had open.
	ReadyListen ReadyWhen = "listen"
	// ReadyMessage: when the application has sent 'ready'.
	ReadyMessage ReadyWhen = "message"
	// ReadyNone: as soon as it is started.
	ReadyNone ReadyWhen = "none"
)

// DefaultReadyTimeout is how long most applications may take to listen.
const DefaultReadyTimeout = 30 * time.Second

// expectReady makes a worker that has just been started get ready.
func (s *Supervisor) expectReady(l *life) {
	switch limit := s.readyTimeout(); {
	case s.Ready.When == ReadyNone || s.Reports == nil: // there is nothing to wait for
		s.nowReady(l)
	case limit > 0:
		l.deadline = l.started.Add(limit)
	}
}

func (s *Supervisor) readyTimeout() time.Duration {
	if s.Ready.When == ReadyAuto && s.Ready.Timeout == 0 {
		return DefaultReadyTimeout
	}
	return s.Ready.Timeout
}

func (s *Supervisor) isReady(l *life) bool {
	switch {
	case l.told.Leaving || l.told.Ended && s.PerCore: // it would not stay
		return false
	case s.Ready.When == ReadyMessage:
		return l.told.Ready
	default:
		return len(l.told.Listening) > 0 && len(l.told.Awaited) == 0
	}
}

// listensInPart reports whether l is not ready only because its predecessor had
// more open.
func (s *Supervisor) listensInPart(l *life) bool {
	return (s.Ready.When == ReadyAuto || s.Ready.When == ReadyListen) && len(l.told.Listening) > 0 && !l.told.Leaving
}

// waitInPart has nobody wait for ever for what a program does not open any more.
func (s *Supervisor) waitInPart(l *life) {
	if l.deadline.IsZero() && s.state == running && s.listensInPart(l) {
		l.deadline = time.Now().Add(DefaultReadyTimeout)
	}
}

// notReady decides about a worker whose time to get ready is up.
func (s *Supervisor) notReady(l *life) {
	listens := l.told.Servers > 0 || l.slot.listened
	switch {
	case s.state != running: // nobody waits for it any more
		l.deadline = time.Time{}
	case l.told.Leaving && l.slot.next == l: // it is no use, and in the way
		s.kill(l, NotReady)
	case l.told.Leaving: // it has its time, as one who was ready
		l.deadline = time.Time{}
	case s.listensInPart(l): // it may well be another program by now
		s.about(s.Log.Warn("worker listens on less than the one before it"), l).Strs("missing", l.told.Awaited).Send()
		s.nowReady(l)
	case !s.PerCore && !l.told.Agent, s.Ready.When == ReadyAuto && !listens: // it has nothing to tell
		s.nowReady(l)
	case s.Ready.Timeout > 0:
		s.kill(l, NotReady)
	default:
		l.deadline = time.Time{}
	}
}

// nowReady takes note that a worker is ready.
func (s *Supervisor) nowReady(l *life) {
	l.state, l.deadline, l.wasReady, l.readyAt = working, time.Time{}, true, time.Now()
	l.slot.wasReady = true
	l.slot.listened = l.slot.listened || len(l.told.Listening) > 0
	if s.PerCore || s.Reports != nil {
		s.about(s.Log.Info(s.called("program ready", "worker ready")), l).Int64("ready_ms", time.Since(l.started).Milliseconds()).Send()
	}
	s.checkUp()
	if s.change != nil && s.change.slot == l.slot && s.change.state == arriving {
		s.readyToChange(l)
	}
}

// checkUp notes when each of the first workers has been ready once, or has done
// its work.
func (s *Supervisor) checkUp() {
	for _, slot := range s.slots {
		if !slot.wasReady && (slot.order == 0 || !slot.done()) && !s.growing(slot) {
			return
		}
	}
	s.up = true
}
