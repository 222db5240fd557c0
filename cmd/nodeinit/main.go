// Command nodeinit is the init and entrypoint of a Node.js container: it runs
// one program as PID 1 should, and ends with it.
package main

import (
	"os"

	"github.com/nodeinit/nodeinit/signals"
	"github.com/nodeinit/nodeinit/threads"
	_ "github.com/nodeinit/nodeinit/threads/one" // GOMAXPROCS is 1 from the start
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

func main() {
	a := app{environ: os.Environ(), stdout: os.Stdout, stderr: os.Stderr}
	a.nested(os.Args[1:])
	set, err := threads.Make(threadCount + spareThreads)
	if err != nil {
		a.printError(err)
		os.Exit(exitInternal)
	}
	a.threads, a.signals = set, signals.Catch() // soon: a signal before this ends us with status 2
	set.Keep(threadCount)
	os.Exit(a.run(os.Args[1:]))
}
