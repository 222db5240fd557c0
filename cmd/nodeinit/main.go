// Command nodeinit is the init and entrypoint of a Node.js container: it runs
// one program as PID 1 should, and ends with it.
package main

import (
	"os"

	_ "github.com/nodeinit/nodeinit/gomaxprocs" // GOMAXPROCS is 1 from the start
	"github.com/nodeinit/nodeinit/threads"
)

func main() {
	a := app{environ: os.Environ(), stdout: os.Stdout, stderr: os.Stderr, threads: threads.New()}
	a.nested(os.Args[1:])
	if len(os.Args) > 1 && findSubcommand(os.Args[1]) == nil {
		if err := a.makeThreadsIfScarce(); err != nil {
			a.printError(err)
			os.Exit(exitInternal)
		}
		a.catch() // soon: until then a signal ends nodeinit with status 2
	}
	os.Exit(a.run(os.Args[1:]))
}
