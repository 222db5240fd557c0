package supervisor

import (
	"slices"

	"golang.org/x/sys/unix"
)

// An alone is whether, and why, there is one worker only though there are to be
// several.
type alone struct {
	waiting bool   // until it asks for a server
	told    bool   // it was said that it seems not to
	why     string // for good; "": not
}

// ownServerWhy is why a worker that listens and has asked for no server stays alone.
const ownServerWhy = "it listens on a socket of its own (in a worker thread, or with exclusive or reusePort), which cannot be shared"

// asksToServe is called when a worker has told something. The first one that has
// asked for a server to share does not stay alone.
func (s *Supervisor) asksToServe(l *life) {
	if !s.alone.waiting || l.told.Servers == 0 || s.state != running {
		return
	}
	s.alone.waiting = false
	if why := s.Grow(l.worker); why != "" {
		s.stayAlone(why)
		return
	}
	s.Log.Info("starting the other workers").Int("workers", s.size.want).Send()
	s.startSlots(s.size.want)
}

func (s *Supervisor) stayAlone(why string) {
	s.alone = alone{why: why}
	s.size = size{want: 1, target: 1, fixed: true}
	s.Log.Warn("staying one process").Str("why", why).Send()
}

// canGrow reports whether there may be more than one worker by now.
func (s *Supervisor) canGrow() bool { return !s.alone.waiting && s.alone.why == "" }

// lookAlone says, once, that the only worker listens without having asked for a
// server. It may still ask: a debugger's port is a socket of its own too.
func (s *Supervisor) lookAlone() {
	if !s.alone.waiting || s.alone.told || s.Listens == nil {
		return
	}
	for _, l := range s.lives() {
		if l.atWork() && s.Listens(l.worker) {
			s.alone.told = true
			s.Log.Warn("staying one process").Str("why", ownServerWhy).Send()
		}
	}
}

// endedByTerminal reports whether the end of l, as e has it, is that of somebody
// at the terminal: ^C reaches only the worker that has it.
func (s *Supervisor) endedByTerminal(l *life, e Exit) bool {
	interrupted := slices.Contains([]int{0, 128 + int(unix.SIGINT), 128 + int(unix.SIGQUIT)}, e.Code())
	return interrupted && s.state == running && !l.leaving && l.killed == "" && l.worker.HasTerminal && len(s.lives()) > 1
}

// terminalEnded stops the other workers.
func (s *Supervisor) terminalEnded() {
	send, _ := s.Rules.Apply(unix.SIGINT)
	if send == 0 {
		send = unix.SIGINT
	}
	s.stops++
	s.beginStop(stopSignal{unix.SIGINT, send})
}
