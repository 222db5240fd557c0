package main

import (
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/files"
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

// makeThreadsIfScarce makes all threads before there is need for them where the process
// limit may be near, so that it is reported by nodeinit and not by Go's runtime.
// Elsewhere that would only delay the program: they are made when it has been started.
func (a *app) makeThreadsIfScarce() error {
	var user unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &user); err != nil || user.Cur >= fewForUser {
		if room, limited := cgroup.ProcessRoom(files.Dir("/")); !limited || room >= fewForContainer {
			return nil
		}
	}
	return a.threads.Make(threadCount+spareThreads, 0)
}

// makeThreads makes what is missing of threadCount, or ends the spare ones. It does so
// once.
func (a *app) makeThreads() error {
	if a.threadsMade {
		return nil
	}
	a.threadsMade = true
	return a.threads.Make(threadCount, threads.SignalThreads)
}
