// Command nodeinit is the init and entrypoint of a Node.js container: it runs
// one program as PID 1 should, and ends with it.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
	"github.com/nodeinit/nodeinit/threads"
)

const version = "0.1.0"

// Exit statuses of nodeinit's own; the rest are the program's or exec's.
const (
	exitUsage    = 2
	exitInternal = 125
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
		os.Exit(a.failed(err))
	}
	a.threads, a.signals = set, signals.Catch() // soon: a signal before this ends us with status 2
	set.Keep(threadCount)
	os.Exit(a.run(os.Args[1:]))
}

// An app is one run of nodeinit, from its arguments to its exit status.
type app struct {
	config  config
	environ []string
	signals <-chan unix.Signal
	threads *threads.Set
	stdout  io.Writer
	stderr  io.Writer
}

func (a *app) run(args []string) (code int) {
	defer func() {
		if p := recover(); p != nil {
			a.tell(fmt.Errorf("internal error, please report it: %v", p))
			code = exitInternal
		}
	}()
	a.config = defaults()
	if err := readEnv(&a.config, a.environ); err != nil {
		return a.misused(err)
	}
	set := flagSet(&a.config)
	help := set.BoolP("help", "h", false, "")
	showVersion := set.Bool("version", false, "")
	if err := set.Parse(args); err != nil {
		return a.misused(flagError(err, set))
	}
	switch rest := set.Args(); {
	case *help:
		a.usage()
		return 0
	case *showVersion:
		return a.version(nil)
	case len(rest) == 0:
		return a.misused(errors.New("no command given (try nodeinit -- node server.js, or nodeinit --help)"))
	case set.ArgsLenAtDash() < 0 && subcommand(rest[0]) != nil:
		return subcommand(rest[0])(a, rest[1:])
	default:
		if err := a.config.check(); err != nil {
			return a.misused(err)
		}
		return a.supervise(rest)
	}
}

// subcommand returns what to run for a word that is no program unless it stands
// after --, nil for any other.
func subcommand(word string) func(a *app, args []string) int {
	switch word {
	case "explain":
		return (*app).explain
	case "help":
		return (*app).help
	case "pause":
		return (*app).pause
	case "version":
		return (*app).version
	default:
		return nil
	}
}

func (a *app) version(args []string) int {
	if err := noArguments("version", args); err != nil {
		return a.misused(err)
	}
	fmt.Fprintf(a.stdout, "nodeinit %s\n", version)
	return 0
}

// failed tells why nodeinit itself cannot run.
func (a *app) failed(err error) int {
	a.tell(err)
	return exitInternal
}

func noArguments(name string, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s: %q: takes no arguments (see nodeinit help %s)", name, args[0], name)
	}
	return nil
}

// misused tells what is wrong with the arguments or the environment, one line
// for each thing.
func (a *app) misused(err error) int {
	var all interface{ Unwrap() []error }
	lines := []error{err}
	if errors.As(err, &all) {
		lines = all.Unwrap()
	}
	for _, line := range lines {
		a.tell(line)
	}
	return exitUsage
}

// tell writes err to stderr as one line, but does not wait for ever for
// somebody to read it.
func (a *app) tell(err error) {
	told := make(chan struct{})
	go func() {
		fmt.Fprintf(a.stderr, "nodeinit: %v\n", err)
		close(told)
	}()
	select {
	case <-told:
	case <-time.After(flushPatience):
	}
}

// parseSub parses the flags of a subcommand, which takes nodeinit's own too. It
// reports whether there is more to do, and if not the status to exit with.
func (a *app) parseSub(name string, set *pflag.FlagSet, args []string) (code int, ok bool) {
	err := set.Parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		return a.help([]string{name}), false
	}
	if err != nil {
		return a.misused(flagError(err, set)), false
	}
	if err := a.config.check(); err != nil {
		return a.misused(err), false
	}
	return 0, true
}
