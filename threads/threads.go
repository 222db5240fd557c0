// Package threads creates all threads that the process needs, soon after its start.
// Later, when the container has reached its process limit, Go's runtime could not
// create one and would end the process (runtime/os_linux.go, newosproc).
//
// Call [New] first in main, and [Set.Make] with the number of threads that the process
// needs at most as soon as nothing waits for it: one for Go code (GOMAXPROCS is 1), one
// for each goroutine that is in a system call at the same time, and the runtime's own.
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

// A Set is the threads of the process. A nil Set is that of a process without [New].
type Set struct{ policy policy }

// ErrLimit is the error where the process limit allows no more threads.
var ErrLimit = errors.New("the process limit is used up (raise docker run --pids-limit, or ulimit -u)")

// others is the number of threads that cannot be held: sysmon, the template thread that
// the first LockOSThread creates, and the one that runs Make.
const others = 3

// SignalThreads is the number of threads in which Go's runtime waits for signals, once
// one is caught (runtime.ensureSigM, os/signal.loop).
const SignalThreads = 2

// New sets GOMAXPROCS to 1, and the scheduling policy of the calling thread and of those
// that it creates. Call it first in main: with more Ps the runtime would create more
// threads.
func New() *Set {
	s := &Set{policy: ownPolicy()}
	s.policy.batch()
	runtime.GOMAXPROCS(1)
	return s
}

// Make creates threads until the process has total, the runtime's own included, or ends
// threads if it has more. waiting is how many are occupied by other goroutines, such as
// [SignalThreads]. Make returns [ErrLimit] where the kernel would refuse a thread, before
// the runtime tries to create it. It starts processes and waits for them in functions
// that it passes to alone, which calls them while nothing else reaps processes.
func (s *Set) Make(total, waiting int, alone func(func())) error {
	if s == nil {
		return nil
	}
	if count() < total {
		if err := s.create(total, waiting, alone); err != nil {
			return err
		}
	}
	// Others may have needed a thread while those were held.
	s.end(count() - total)
	return nil
}

// create holds threads until there are total.
func (s *Set) create(total, waiting int, alone func(func())) error {
	m := maker{policy: s.policy, release: make(chan struct{})}
	defer m.releaseAll()
	for m.held < total-others-waiting || count() < total {
		allowed := true
		if count() < total {
			alone(func() { allowed = room() })
		}
		if !allowed {
			return ErrLimit
		}
		m.hold()
	}
	return nil
}

// end ends as many threads as excess, if that is more than 0.
func (s *Set) end(excess int) {
	m := maker{policy: s.policy, release: make(chan struct{})}
	defer m.releaseAll()
	for ; excess > 0; excess-- {
		for !m.end() { // it was the main thread, once
		}
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

// end ends the next idle thread and reports whether it did: the main thread cannot end
// (runtime/proc.go, mexit) and is held.
func (m *maker) end() bool { return !m.take(func() bool { return unix.Gettid() == os.Getpid() }) }

// take locks a goroutine to the next idle thread. keep, called on it, tells whether to
// hold it until releaseAll or to end it; take returns the answer.
func (m *maker) take(keep func() bool) bool {
	taken := make(chan bool)
	m.done.Go(func() {
		runtime.LockOSThread()
		if !keep() {
			taken <- false
			return // a goroutine that exits while locked ends its thread
		}
		m.policy.batch()
		m.held++
		taken <- true
		<-m.release
		runtime.UnlockOSThread()
	})
	return <-taken
}

// releaseAll releases the threads that are held.
func (m *maker) releaseAll() {
	close(m.release)
	m.done.Wait()
}
