package main

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
	"github.com/nodeinit/nodeinit/threads"
)

// threadCount is how many threads nodeinit has for as long as it lives. Three are
// the runtime's for signals (runtime.ensureSigM, the template thread that this
// brings with it, os/signal.loop), one is sysmon, one runs Go code, one may wait
// for the next timer, and one may be in a system call that takes its time.
const threadCount = 7

// spareThreads are for the while in which the signals are caught, for which Go's
// runtime switches threads some 120 times: on a machine that is busy beyond
// measure, one may be switched to before another one has counted as idle.
const spareThreads = 2

// Below these numbers of processes and threads that the limits of the user and of
// the container allow, there may be none left for nodeinit.
const (
	fewForUser      = 4096 // others of the same user count too, and how many there are is not known
	fewForContainer = 64
)

// threadsDelay is the time from the start of the program to the creation of threads,
// which would compete with the program for the CPU.
const threadsDelay = 50 * time.Millisecond

// catchSignals catches the signals. Where the process limit may be near it makes all
// threads before, so that nodeinit and not Go's runtime reports that. Elsewhere that
// would only delay the program.
func (a *app) catchSignals() error {
	scarce := a.processesAreScarce()
	if scarce {
		if err := a.threads.Make(threadCount+spareThreads, 0, direct); err != nil {
			return err
		}
	}
	a.signals = signals.Catch()
	if scarce {
		return a.threads.Make(threadCount, threads.SignalThreads, direct)
	}
	return nil
}

func direct(f func()) { f() }

// processesAreScarce reports whether the process limit may be near.
func (a *app) processesAreScarce() bool {
	var user unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &user); err == nil && user.Cur < fewForUser {
		return true
	}
	room, limited := a.cgroup().ProcessRoom()
	return limited && room < fewForContainer
}

// allThreads is threadCount, and one more where the output of processes is passed on: the
// runtime switches threads often then, and may switch to one before another one has
// counted as idle.
func (r *run) allThreads() int {
	if stdout, stderr := r.plan.Logs.Piped(); stdout || stderr {
		return threadCount + 1
	}
	return threadCount
}

// makeAllThreads makes what is missing of allThreads.
func (r *run) makeAllThreads() {
	if err := r.adjustThreads(); err != nil {
		r.log.Warn("threads are missing").Err(err).Send()
	}
}

// adjustThreads has the process have allThreads. Goroutines may call it at the same time.
func (r *run) adjustThreads() error {
	r.adjusting.Lock()
	defer r.adjusting.Unlock()
	return r.threads.Make(r.allThreads(), threads.SignalThreads, r.reaper.Do)
}
