package main

import (
	"errors"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/files"
	"github.com/nodeinit/nodeinit/reaper"
)

// A process is a child that the starter has started: the program, or a wrapper
// such as npm that stands before the program.
//
// A wrapper that is asked to stop may end before the program does (npm 11 and
// yarn do, within 10 ms), so from then on its end is that of its process group.
// When a wrapper ends unasked, what remains of its group is left behind.
type process struct {
	*reaper.Child
	// joined is the process below a wrapper that has become the worker, or that
	// listens in fork mode.
	joined joined
	// hasInput says that it was given standard input, and with it the terminal.
	hasInput bool

	env      []string  // it was started with
	outputs  [2]string // those of a wrapper, as node.FileID; "" where not known
	wrapper  bool
	stopping atomic.Bool   // a wrapper was asked to stop
	exited   chan struct{} // of a wrapper
}

// follow makes p the child that was just started, with env.
func (p *process) follow(child *reaper.Child, env []string) {
	p.Child, p.joined.child, p.env = child, child, env
	if !p.wrapper {
		return
	}
	p.exited = make(chan struct{})
	go func() { // ends with the group
		<-child.Exited()
		if p.stopping.Load() {
			<-child.GroupEnded()
		}
		close(p.exited)
	}()
}

// Exited returns a channel that is closed when the program has ended.
func (p *process) Exited() <-chan struct{} {
	if p.wrapper {
		return p.exited
	}
	return p.Child.Exited()
}

// stop says that p is about to be asked to stop, or killed.
func (p *process) stop() { p.stopping.Store(true) }

// Signal sends sig to the program, or with group to the process group. A program
// behind a wrapper gets it once, and not again from the wrapper. Where that
// program is not known, and for SIGKILL and SIGCONT, the whole group gets it, which
// may outlive the wrapper.
func (p *process) Signal(sig unix.Signal, group bool) error {
	if sig == unix.SIGCONT && p.hasInput {
		// It may come from a shell that has just given the terminal to nodeinit (fg).
		exec.LendForeground(p.PID)
	}
	if !p.wrapper {
		return p.Child.Signal(sig, group)
	}
	toGroup := group || sig == unix.SIGKILL || sig == unix.SIGCONT
	if !toGroup && p.joined.signal(sig) {
		return nil
	}
	if sig != unix.SIGCONT {
		p.stop() // the wrapper may end of it, and the program not
	}
	err := p.Child.Signal(sig, true)
	if errors.Is(err, os.ErrProcessDone) {
		return p.SignalGroup(sig)
	}
	return err
}

// Stopped reports whether the program, or with group a process of its group, is
// stopped. Of a wrapper it is always the group: SIGCONT goes to all of it.
func (p *process) Stopped(group bool) (bool, error) { return p.Child.Stopped(group || p.wrapper) }

// RSS returns the resident set of the program in bytes.
func (p *process) RSS() (int64, error) { return reaper.RSS(files.Dir("/"), p.programPID()) }

// programPID returns the process ID of the program, or of the wrapper as long as
// the program is not known.
func (p *process) programPID() int {
	if pid, _ := p.joined.reported(); pid != 0 {
		return pid
	}
	return p.PID
}
