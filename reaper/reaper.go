// Package reaper holds the only wait4 of a program that supervises children.
//
// Every other Go init in which two parties can wait has "no child processes"
// bugs: wait4(-1) steals the status that an os/exec Wait is waiting for. So
// here one [Reaper] takes every status, hands those of the children it started
// to their [Child], and reports the rest, the orphans that the kernel gave to
// this process, to OnOrphan. Starting, signalling and waiting happen under one
// lock: no child can be reaped before it is known, and no signal can go to a
// process ID that the kernel has given to another process.
//
// hashicorp/go-reap throws statuses away and would take those of supervised
// children, so it cannot run beside a Reaper. It is right where there are no
// children of one's own: [Pause] uses it.
package reaper

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Reaper reaps children. The zero value is ready to use; Run must be running
// for any Child to be seen to end. Its methods may be called by any goroutine.
type Reaper struct {
	// OnOrphan, if set, is told of each process that Start did not start.
	// It is called with the Reaper locked: it must neither block nor use it.
	// Set it before Run.
	OnOrphan func(pid int, status unix.WaitStatus)

	mu         sync.Mutex // held while starting, signalling and reaping
	children   map[int]*Child
	noChildren []chan struct{}     // closed at the next ECHILD
	groups     map[*Child]struct{} // those that were reaped and whose group may have outlived them
}

// A Child is a process that Start started.
type Child struct {
	// PID is its process ID, and its process group's where it leads one.
	PID int

	reaper     *Reaper
	groupEnded chan struct{}
	exited     chan struct{}   // closed once the fields below are set
	status     unix.WaitStatus //
	usage      unix.Rusage     // of the child and the descendants it waited for
}

// Start calls fork, which starts a process and returns its ID, and registers
// that process before anything can reap it. It returns fork's error.
func (r *Reaper) Start(fork func() (pid int, err error)) (*Child, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := fork()
	if err != nil {
		return nil, err
	}
	if r.children == nil {
		r.children, r.groups = make(map[int]*Child), make(map[*Child]struct{})
	}
	c := &Child{PID: pid, reaper: r, exited: make(chan struct{}), groupEnded: make(chan struct{})}
	r.children[pid] = c
	return c, nil
}

// Do calls f, which may start processes and wait for them itself: until it returns
// nothing is reaped, and Start and signals wait.
func (r *Reaper) Do(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// Run reaps until ctx ends. It wakes on SIGCHLD only, of which one may stand
// for many exits (standard signals do not queue), so each time it reaps all
// there is.
func (r *Reaper) Run(ctx context.Context) {
	wake := make(chan os.Signal, 1)
	signal.Notify(wake, unix.SIGCHLD)
	defer signal.Stop(wake)
	for {
		r.reap() // also what ended before Notify
		select {
		case <-wake:
		case <-ctx.Done():
			return
		}
	}
}

// NoChildren returns a channel that is closed when this process has no child left,
// started or adopted. A child started after that does not open it again.
func (r *Reaper) NoChildren() <-chan struct{} {
	r.mu.Lock()
	done := make(chan struct{})
	r.noChildren = append(r.noChildren, done)
	r.mu.Unlock()
	r.reap() // the last one may be gone already: then no SIGCHLD will come
	return done
}

func (r *Reaper) reap() {
	for r.reapOne() {
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.announceGroups()
}

// announceGroups closes the channels of those groups that have no process left. The
// last one of a group is a child of this process, or has been adopted by it, so
// that its end is always seen here. r is locked.
//
// The number of a group goes to no new process while it has members, zombies
// among them (kernel/pid.c). So where a process has it, the leader having been
// reaped, the group has ended and the number is another process's.
func (r *Reaper) announceGroups() {
	for c := range r.groups {
		if gone(-c.PID) || !gone(c.PID) {
			close(c.groupEnded)
			delete(r.groups, c)
		}
	}
}

// gone reports whether there is no process, or no process group, of that number.
func gone(target int) bool { return errors.Is(unix.Kill(target, 0), unix.ESRCH) }

// reapOne reaps at most one process and reports whether there may be more. It
// takes the lock for one wait4 only, so that 10,000 zombies hold up no signal.
func (r *Reaper) reapOne() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	var status unix.WaitStatus
	var usage unix.Rusage
	pid, err := waitNoHang(&status, &usage)
	switch {
	case errors.Is(err, unix.EINTR):
		return true
	case errors.Is(err, unix.ECHILD):
		r.announceNoChildren()
		return false
	case err != nil || pid == 0:
		return false
	}
	if child, ours := r.children[pid]; ours {
		delete(r.children, pid)
		child.status, child.usage = status, usage
		close(child.exited)
		r.groups[child] = struct{}{}
	} else if r.OnOrphan != nil {
		r.OnOrphan(pid, status)
	}
	r.announceGroups() // at once: now the numbers are free
	return true
}

// waitNoHang is wait4(-1, WNOHANG), which never waits, so that Go's runtime need
// not have a thread ready in case it does.
func waitNoHang(status *unix.WaitStatus, usage *unix.Rusage) (int, error) {
	pid, _, errno := unix.RawSyscall6(unix.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(status)), unix.WNOHANG, uintptr(unsafe.Pointer(usage)), 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(pid), nil
}

func (r *Reaper) announceNoChildren() {
	for _, done := range r.noChildren {
		close(done)
	}
	r.noChildren = nil
}

// Exited returns a channel that is closed when c has ended and been reaped.
func (c *Child) Exited() <-chan struct{} { return c.exited }

// GroupEnded returns a channel that is closed when no process is left in the
// group that c leads: c itself has ended, and all that it started and that did
// not leave for a group of their own.
func (c *Child) GroupEnded() <-chan struct{} { return c.groupEnded }

// SignalGroup sends sig to the group that c leads, which may outlive c. Once
// no process is left in it it sends nothing and returns [os.ErrProcessDone].
func (c *Child) SignalGroup(sig unix.Signal) error {
	r := c.reaper
	r.mu.Lock() // what has been reaped by then is known, and no more will be
	defer r.mu.Unlock()
	r.announceGroups()
	select {
	case <-c.groupEnded:
		return os.ErrProcessDone
	default:
	}
	err := unix.Kill(-c.PID, sig)
	if errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return os.NewSyscallError("kill", err)
}

// Status returns how c ended. It may be called once Exited is closed.
func (c *Child) Status() unix.WaitStatus { return c.status }

// MaxRSS returns the peak resident set, in bytes, of c or of the largest
// descendant it waited for. It may be called once Exited is closed.
func (c *Child) MaxRSS() int64 { return int64(c.usage.Maxrss) * 1024 } // getrusage(2): KiB

// Signal sends sig to c, or to the process group c leads if group is set. Once
// c has been reaped it sends nothing and returns [os.ErrProcessDone].
func (c *Child) Signal(sig unix.Signal, group bool) error {
	c.reaper.mu.Lock()
	defer c.reaper.mu.Unlock()
	if c.reaper.children[c.PID] != c {
		return os.ErrProcessDone
	}
	target := c.PID
	if group {
		target = -target
	}
	return os.NewSyscallError("kill", unix.Kill(target, sig))
}
