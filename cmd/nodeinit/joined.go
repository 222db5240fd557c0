package main

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/reaper"
)

// A joined is the process below a wrapper that has become the worker, or in fork
// mode the one that listens. The zero value is none yet.
type joined struct {
	mu    sync.Mutex
	child *reaper.Child // that stands before it; nil: not started yet
	over  bool          // what is told from now on comes too late
	// What the worker has told. It may be a lie; see known.
	pid     int // 0: nothing
	group   int // its process group
	fd      int // a pidfd, if pid is not 0
	command *cluster.Command
}

// below says that child stands before it.
func (j *joined) below(child *reaper.Child) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.child = child
}

// set notes what the state of a worker says of it.
func (j *joined) set(told cluster.State) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if told.PID == j.pid || j.over {
		return
	}
	j.forget()
	if told.PID <= 1 {
		return
	}
	fd, err := unix.PidfdOpen(told.PID, 0)
	if err != nil {
		return // Linux < 5.3, or it has ended
	}
	// Looked up while the pidfd holds the number, so it is that of this process.
	group, err := unix.Getpgid(told.PID)
	if err != nil {
		_ = unix.Close(fd)
		return
	}
	j.pid, j.group, j.fd, j.command = told.PID, group, fd, told.Command
}

// known reports whether there is such a process. Only one of the group that the
// child leads is believed: a worker must not have others signalled.
func (j *joined) known() bool { return j.pid != 0 && j.child != nil && j.group == j.child.PID }

func (j *joined) forget() {
	if j.pid != 0 {
		_ = unix.Close(j.fd)
	}
	j.pid, j.command = 0, nil
}

func (j *joined) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.over = true
	j.forget()
}

// signal sends sig to it, and reports whether there is such a process.
func (j *joined) signal(sig unix.Signal) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.known() && unix.PidfdSendSignal(j.fd, sig, nil, 0) != unix.ESRCH
}

// told returns its process ID and how it was started, 0 and nil where that is not
// known.
func (j *joined) told() (int, *cluster.Command) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.known() {
		return 0, nil
	}
	return j.pid, j.command
}

// lives reports whether pid is still the number of that process. What was read of
// it by its number before is then not of another one, which has got the number since.
func (j *joined) lives(pid int) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.known() && j.pid == pid && unix.PidfdSendSignal(j.fd, 0, nil, 0) != unix.ESRCH
}
