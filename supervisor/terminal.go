package supervisor

import (
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/reaper"
)

// OnTerminal is a started child that may have the terminal. It is a Worker
// without a channel.
type OnTerminal struct{ *reaper.Child }

// PID returns the child's process ID.
func (t OnTerminal) PID() int { return t.Child.PID }

// Drain does nothing.
func (t OnTerminal) Drain() {}

// Release does nothing.
func (t OnTerminal) Release(bool) {}

// Signal sends sig to the child or its group. SIGCONT may come from a shell
// that has just given the terminal to nodeinit: the child needs it more.
func (t OnTerminal) Signal(sig unix.Signal, group bool) error {
	if sig == unix.SIGCONT {
		exec.LendForeground(t.Child.PID)
	}
	return t.Child.Signal(sig, group)
}
