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
	heap   int64
	asked  atomic.Bool
	exited chan struct{}
}

// stops are the signals that end a wrapper.
var stops = []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGHUP, unix.SIGKILL}

func wrap(p process, c *reaper.Child, heap int64) *wrapper {
	w := &wrapper{process: p, child: c, heap: heap, exited: make(chan struct{})}
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

// OldSpace returns the heap limit of each Node process in the group.
func (w *wrapper) OldSpace() int64 { return w.heap }

// RSS returns the resident set of the child, which is not the program.
func (w *wrapper) RSS() (int64, error) { return 0, errors.ErrUnsupported }

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

// Retire does nothing.
func (w *wrapper) Retire(bool) {}

// Shed does nothing.
func (w *wrapper) Shed() {}

// Disconnect does nothing.
func (w *wrapper) Disconnect() {}

// Release does nothing.
func (w *wrapper) Release(bool) {}
