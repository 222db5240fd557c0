// Command nodeinit is the init and entrypoint of a Node.js container: it runs
// one program as PID 1 should, and ends with it.
package main

import (
	"os"

	_ "github.com/nodeinit/nodeinit/gomaxprocs" // GOMAXPROCS is 1 from the start
	"github.com/nodeinit/nodeinit/threads"
)

func main() {
	growStack(len(os.Args))
	a := app{environ: os.Environ(), stdout: os.Stdout, stderr: os.Stderr, threads: threads.New()}
	a.nested(os.Args[1:])
	if len(os.Args) > 1 && findSubcommand(os.Args[1]) == nil {
		if err := a.catchSignals(); err != nil { // soon: until then a signal ends nodeinit with status 2
			a.printError(err)
			os.Exit(exitInternal)
		}
	}
	os.Exit(a.run(os.Args[1:]))
}

// growStack makes the stack of the calling goroutine large enough for a run of
// nodeinit. The runtime grows it at once where it would double it four times, with
// pages of four more sizes and all callers unwound each time (runtime.newstack).
//
//go:noinline
func growStack(arguments int) byte {
	if arguments >= 0 {
		return 0
	}
	var space [20 << 10]byte // not reached: what counts is the size of the frame
	space[-arguments%len(space)] = 1
	return space[arguments&1]
}
