// Package threads makes all threads of the process at its start: where a
// container has used up its process limit later, Go's runtime could not make
// one, and ends the process (runtime/os_linux.go, newosproc).
//
// The runtime makes a thread when there is Go code to run and no thread idle.
// It never ends one, but for that of a goroutine that ended while locked to it.
// So what was made once is there for as long as the process lives, and is
// enough if no more goroutines than were counted on are in system calls at the
// same time. To Go code that runs belongs one of GOMAXPROCS.
package threads

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Set is the threads of the process. A nil Set is of one that made none.
type Set struct{ policy policy }

// ErrLimit tells that there may be no more threads or processes.
var ErrLimit = errors.New("the process limit is used up (raise docker run --pids-limit, or ulimit -u)")

// others are the threads that cannot be held: sysmon, the template thread, which
// the first LockOSThread brings with it, and the one that runs Make.
const others = 3

// Make makes threads until the process has total, those of Go's runtime for
// itself among them, and has no more than one run Go code at a time. Call it
// first in main. It fails where the kernel would refuse a thread, without Go's
// runtime finding out.
func Make(total int) (*Set, error) {
	m := maker{policy: ownPolicy(), release: make(chan struct{})}
	m.policy.batch()
	runtime.GOMAXPROCS(1)
	defer m.finish()
	for m.held < total-others || count() < total {
		if count() < total && !room() {
			return nil, ErrLimit
		}
		m.hold()
	}
	m.policy.batch()
	return &Set{m.policy}, nil
}

// Keep ends threads until the process has total.
func (s *Set) Keep(total int) {
	m := maker{policy: s.policy, release: make(chan struct{})}
	defer m.finish()
	for range count() - total {
		m.end()
	}
}

// count returns how many threads the runtime has, sysmon included.
func count() int {
	n, _ := runtime.ThreadCreateProfile(nil)
	return n
}

// room reports whether the kernel would make one thread more. It has it make a
// process, which counts the same (fork(2), EAGAIN) and finds nothing to execute.
func room() bool {
	_, err := syscall.ForkExec("", []string{""}, nil)
	return !errors.Is(err, unix.EAGAIN)
}

// A maker keeps threads busy, so that the runtime has to make others.
type maker struct {
	policy  policy
	release chan struct{}
	done    sync.WaitGroup
	held    int
}

// hold keeps the thread that runs next. A goroutine that waits while it is
// locked to its thread keeps it, and has the runtime find another one at once.
func (m *maker) hold() { m.take(func() bool { return true }) }

// end ends the thread that runs next, unless that is the first one, which cannot
// end (runtime/proc.go, mexit).
func (m *maker) end() { m.take(func() bool { return unix.Gettid() == os.Getpid() }) }

// take locks a goroutine to the thread that runs next and asks keep about it.
func (m *maker) take(keep func() bool) {
	taken := make(chan struct{})
	m.done.Go(func() {
		runtime.LockOSThread()
		if !keep() {
			close(taken)
			return // a goroutine that ends while locked takes the thread along
		}
		m.policy.batch()
		m.held++
		close(taken)
		<-m.release
		runtime.UnlockOSThread()
	})
	<-taken
}

// finish gives back what was kept.
func (m *maker) finish() {
	close(m.release)
	m.done.Wait()
}
