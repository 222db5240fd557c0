package main

import (
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/reaper"
)

// A joined is the process below a child that has become the worker, or that
// listens in fork mode. The zero value is none yet. Only the supervisor's goroutine
// may use it.
type joined struct {
	child *reaper.Child // that stands before it; nil: not started yet
	over  bool          // reports from now on come too late
	// As the worker has reported. It may lie; see isKnown.
	pid     int // 0: nothing
	group   int // its process group
	fd      int // a pidfd, if pid is not 0
	command *cluster.Command
}

// set takes from the state of a worker which process has joined.
func (j *joined) set(state cluster.State) {
	if state.PID == j.pid || j.over {
		return
	}
	j.forget()
	if state.PID <= 1 {
		return
	}
	fd, err := unix.PidfdOpen(state.PID, 0)
	if err != nil {
		return // Linux < 5.3, or it has ended
	}
	// Looked up while the pidfd holds the number, so it is that of this process.
	group, err := unix.Getpgid(state.PID)
	if err != nil {
		_ = unix.Close(fd)
		return
	}
	j.pid, j.group, j.fd, j.command = state.PID, group, fd, state.Command
}

// isKnown reports whether there is such a process. Only one of the group that the
// child leads is believed: a worker must not have other processes signalled.
func (j *joined) isKnown() bool { return j.pid != 0 && j.child != nil && j.group == j.child.PID }

func (j *joined) forget() {
	if j.pid != 0 {
		_ = unix.Close(j.fd)
	}
	j.pid, j.command = 0, nil
}

// close forgets the process. No other one joins after that.
func (j *joined) close() {
	j.over = true
	j.forget()
}

// signal sends sig to the process, and reports whether there is one.
func (j *joined) signal(sig unix.Signal) bool {
	return j.isKnown() && unix.PidfdSendSignal(j.fd, sig, nil, 0) != unix.ESRCH
}

// reported returns its process ID and how it was started; 0 and nil where that is
// not known.
func (j *joined) reported() (int, *cluster.Command) {
	if !j.isKnown() {
		return 0, nil
	}
	return j.pid, j.command
}

// runs reports whether pid is still the number of that process. What was read
// about that number before is then not about another process that has got it since.
func (j *joined) runs(pid int) bool { return j.pid == pid && j.signal(0) }
