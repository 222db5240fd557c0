package supervisor

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/reaper"
)

// OnTerminal is a started child that may have the terminal. It is a Worker
// without a channel.
type OnTerminal struct {
	*reaper.Child
	Heap int64 // its heap limit in bytes, 0 if that is not known
}

// PID returns the child's process ID.
func (t OnTerminal) PID() int { return t.Child.PID }

// HasTerminal is of no interest where there is one process.
func (t OnTerminal) HasTerminal() bool { return false }

// Stopping does nothing: its end is its own.
func (t OnTerminal) Stopping() {}

// Drain does nothing.
func (t OnTerminal) Drain(unix.Signal) {}

// Finish does nothing.
func (t OnTerminal) Finish(time.Duration) {}

// Watch does nothing.
func (t OnTerminal) Watch(_ unix.Signal, _, _ time.Duration) {}

// StopConnections does nothing.
func (t OnTerminal) StopConnections(bool) {}

// DisableKeepAlives does nothing.
func (t OnTerminal) DisableKeepAlives() {}

// Disconnect does nothing.
func (t OnTerminal) Disconnect() {}

// Release does nothing.
func (t OnTerminal) Release(bool) {}

// OldSpace returns the heap limit.
func (t OnTerminal) OldSpace() int64 { return t.Heap }

// RSS returns the resident set of the child.
func (t OnTerminal) RSS() (int64, error) { return RSS(os.DirFS("/"), t.Child.PID) }

// Signal sends sig to the child or its group. SIGCONT may come from a shell
// that has just given the terminal to nodeinit: the child needs it more.
func (t OnTerminal) Signal(sig unix.Signal, group bool) error {
	if sig == unix.SIGCONT {
		exec.LendForeground(t.Child.PID)
	}
	return t.Child.Signal(sig, group)
}
