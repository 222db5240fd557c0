package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/config"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/threads"
)

// An app is one run of nodeinit, from its arguments to its exit status.
type app struct {
	config  config.Config
	leading []string // the flags before the command or subcommand
	environ []string
	signals <-chan unix.Signal // nil: none are caught
	threads *threads.Set
	group   *cgroup.Group   // of this process, nil: not known yet
	outputs [2]*logs.Output // stdout and stderr, for lines; nil before openLog
	stdout  io.Writer
	stderr  io.Writer

	showHelp, showVersion bool      // were asked for by a flag
	pid                   processID // of the nodeinit that a client subcommand speaks to; 0: not given
}

// A subcommand is a word that is no program unless it stands after --.
type subcommand struct {
	name string
	help string // what nodeinit help NAME prints
	run  func(a *app, args []string) int
}

// subcommands is a function, because help, which is in it, prints it.
func subcommands() []subcommand {
	return []subcommand{
		{"explain", explainHelp, (*app).explain},
		{"status", statusHelp, status},
		{"top", topHelp, top},
		{"pause", pauseHelp, (*app).pause},
		{"reload", reloadHelp, reload},
		{"scale", scaleHelp, scale},
		{"health", healthHelp, health},
		{"profile", profileHelp, profile},
		{"report", nodeReportHelp, nodeReport},
		{"version", versionHelp, (*app).version},
		{"help", helpHelp, (*app).help},
	}
}

// findSubcommand returns the subcommand that word is, nil if it is none.
func findSubcommand(word string) *subcommand {
	for _, s := range subcommands() {
		if s.name == word {
			return &s
		}
	}
	return nil
}

// run does what args say and returns the status to exit with.
func (a *app) run(args []string) (code int) {
	defer func() {
		if p := recover(); p != nil {
			a.printError(fmt.Errorf("internal error, please report it: %v", p))
			code = exitInternal
		}
	}()
	var err error
	if a.config, err = config.FromEnviron(a.environ); err != nil {
		return a.usageError(err)
	}
	rest, dash, err := a.config.Parse(args, a.ownFlags)
	if err != nil {
		return a.usageError(err)
	}
	a.leading = args[:len(args)-len(rest)]
	switch {
	case a.showHelp:
		return a.help(nil)
	case a.showVersion:
		return a.version(nil)
	case len(rest) == 0:
		return a.usageError(errors.New("no command given (try nodeinit -- node server.js, or nodeinit --help)"))
	}
	if s := findSubcommand(rest[0]); s != nil && !dash {
		return s.run(a, rest[1:])
	}
	if err := a.config.Check(); err != nil {
		return a.usageError(err)
	}
	return a.supervise(rest)
}

// ownFlags adds the flags that are no settings.
func (a *app) ownFlags(set *pflag.FlagSet) {
	set.BoolVarP(&a.showHelp, "help", "h", false, "")
	set.BoolVar(&a.showVersion, "version", false, "")
}

// parse parses the flags of a subcommand, own and all settings. It reports whether
// there is more to do, and if not the status to exit with.
func (a *app) parse(name string, args []string, own func(*pflag.FlagSet)) (rest []string, code int, ok bool) {
	rest, _, err := a.config.Parse(args, own)
	if errors.Is(err, pflag.ErrHelp) {
		return nil, a.help([]string{name}), false
	}
	if err == nil {
		err = a.config.Check()
	}
	if err != nil {
		return nil, a.usageError(err), false
	}
	return rest, 0, true
}

func noArguments(name string, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s: %q: takes no arguments (see nodeinit help %s)", name, args[0], name)
	}
	return nil
}
