package main

import (
	"errors"
	"os"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/reaper"
)

// A wrapper is a child such as npm that stands before the program. When it is
// asked to stop it may end before the program does (npm 11 and yarn do, within
// 10 ms), so from then on the end is that of the whole process group. An end
// that nobody asked for is the end: what is left then is left behind.
type wrapper struct {
	process
	child  *reaper.Child
	asked  atomic.Bool
	exited chan struct{}
}

// stops are the signals that end a wrapper.
var stops = []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGHUP, unix.SIGKILL}

func wrap(p process, c *reaper.Child) *wrapper {
	w := &wrapper{process: p, child: c, exited: make(chan struct{})}
	go func() { // for as long as the group
		<-c.Exited()
		if w.asked.Load() {
			<-c.GroupEnded()
		}
		close(w.exited)
	}()
	return w
}

// PID returns the process ID.
func (w *wrapper) PID() int { return w.child.PID }

// Exited is closed when the program has ended.
func (w *wrapper) Exited() <-chan struct{} { return w.exited }

// Signal sends sig to the child or to its group, which may outlive it.
func (w *wrapper) Signal(sig unix.Signal, group bool) error {
	if slices.Contains(stops, sig) {
		w.asked.Store(true)
	}
	err := w.process.Signal(sig, group)
	if group && errors.Is(err, os.ErrProcessDone) {
		return w.child.SignalGroup(sig)
	}
	return err
}

// Drain does nothing: there is no channel.
func (w *wrapper) Drain() {}

// Release does nothing.
func (w *wrapper) Release(bool) {}
