// Package threads creates all threads of the process at its start. Later, when the
// container has reached its process limit, Go's runtime could not create one and would
// end the process (runtime/os_linux.go, newosproc).
//
// Call [Make] first in main with the number of threads that the process needs at most:
// one for Go code (Make sets GOMAXPROCS to 1), one for each goroutine that is in a
// system call at the same time, and the runtime's own. [Set.Keep] ends some of them
// when it turns out that fewer are needed.
//
// The runtime creates a thread when there is Go code to run and no thread is idle, and
// ends none, except that of a goroutine that exits while locked to its thread. So the
// threads made once stay.
package threads

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Set is the threads of the process. A nil Set is that of a process without [Make].
type Set struct{ policy policy }

// ErrLimit is the error where the process limit allows no more threads.
var ErrLimit = errors.New("the process limit is used up (raise docker run --pids-limit, or ulimit -u)")

// others is the number of threads that cannot be held: sysmon, the template thread that
// the first LockOSThread creates, and the one that runs Make.
const others = 3

// Make creates threads until the process has total, the runtime's own included, and
// sets GOMAXPROCS to 1. Call it first in main. It returns [ErrLimit] where the kernel
// would refuse a thread, before the runtime tries to create it.
func Make(total int) (*Set, error) {
	m := maker{policy: ownPolicy(), release: make(chan struct{})}
	m.policy.batch()
	runtime.GOMAXPROCS(1)
	defer m.releaseAll()
	for m.held < total-others || count() < total {
		if count() < total && !room() {
			return nil, ErrLimit
		}
		m.hold()
	}
	m.policy.batch()
	return &Set{m.policy}, nil
}

// Keep ends threads until the process has total, if it has more.
func (s *Set) Keep(total int) {
	m := maker{policy: s.policy, release: make(chan struct{})}
	defer m.releaseAll()
	for range count() - total {
		m.end()
	}
}

// count returns how many threads the runtime has, sysmon included.
func count() int {
	n, _ := runtime.ThreadCreateProfile(nil)
	return n
}

// room reports whether the kernel would create one more thread. It forks a process,
// which counts the same (fork(2), EAGAIN), with no file to execute.
func room() bool {
	_, err := syscall.ForkExec("", []string{""}, nil)
	return !errors.Is(err, unix.EAGAIN)
}

// A maker occupies threads, so that the runtime has to create others.
type maker struct {
	policy  policy
	release chan struct{}
	done    sync.WaitGroup
	held    int
}

// hold occupies the next idle thread: a goroutine that waits while locked to its
// thread keeps it, and the runtime has to use another.
func (m *maker) hold() { m.take(func() bool { return true }) }

// end ends the next idle thread, or holds it if it is the main thread, which cannot end
// (runtime/proc.go, mexit).
func (m *maker) end() { m.take(func() bool { return unix.Gettid() == os.Getpid() }) }

// take locks a goroutine to the next idle thread. keep, called on it, tells whether to
// hold it until releaseAll or to end it.
func (m *maker) take(keep func() bool) {
	taken := make(chan struct{})
	m.done.Go(func() {
		runtime.LockOSThread()
		if !keep() {
			close(taken)
			return // a goroutine that exits while locked ends its thread
		}
		m.policy.batch()
		m.held++
		close(taken)
		<-m.release
		runtime.UnlockOSThread()
	})
	<-taken
}

// releaseAll releases the threads that are held.
func (m *maker) releaseAll() {
	close(m.release)
	m.done.Wait()
}
