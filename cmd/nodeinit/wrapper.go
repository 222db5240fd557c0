package main

import (
	"errors"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/reaper"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A wrapper is a child such as npm that stands before the program. When it is
// asked to stop it may end before the program does (npm 11 and yarn do, within
// 10 ms), so from then on the end is that of the whole process group. An end
// that nobody asked for is the end: what is left then is left behind.
type wrapper struct {
	process
	child    *reaper.Child
	joined   *joined // the program, once it is known; nil: it will not be
	stopping atomic.Bool
	exited   chan struct{}
}

func wrap(p process, c *reaper.Child, j *joined) *wrapper {
	w := &wrapper{process: p, child: c, joined: j, exited: make(chan struct{})}
	go func() { // for as long as the group
		<-c.Exited()
		if w.stopping.Load() {
			<-c.GroupEnded()
		}
		close(w.exited)
	}()
	return w
}

// Exited is closed when the program has ended.
func (w *wrapper) Exited() <-chan struct{} { return w.exited }

// Signal sends sig to the program, which gets it once and not again from what
// stands before it. Where the program is not known, or with group, or if it is
// SIGKILL or SIGCONT, all get it: the child and its group, which may outlive it.
func (w *wrapper) Signal(sig unix.Signal, group bool) error {
	toAll := group || sig == unix.SIGKILL || sig == unix.SIGCONT
	if !toAll && w.joined != nil && w.joined.signal(sig) {
		return nil
	}
	if sig != unix.SIGCONT {
		w.stopping.Store(true) // it may end of it, and the program not
	}
	err := w.process.Signal(sig, true)
	if errors.Is(err, os.ErrProcessDone) {
		return w.child.SignalGroup(sig)
	}
	return err
}

// A wrappedProgram is a program behind a wrapper that has no channel.
type wrappedProgram struct {
	supervisor.OnTerminal
	wrapper *wrapper
}

func (w wrappedProgram) Exited() <-chan struct{} { return w.wrapper.Exited() }

func (w wrappedProgram) Signal(sig unix.Signal, group bool) error {
	return w.wrapper.Signal(sig, group)
}

// Stopping says that its end is that of all it has started, from now on.
func (w wrappedProgram) Stopping() { w.wrapper.stopping.Store(true) }

// RSS returns none: the child is not the program.
func (w wrappedProgram) RSS() (int64, error) { return 0, errors.ErrUnsupported }
