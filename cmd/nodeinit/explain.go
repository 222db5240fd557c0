package main

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/pflag"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/files"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/plan"
)

const explainHelp = `nodeinit explain [flags] [--json] [--root DIR] [-- command]

Prints the limits, the file that set each, and what would be started with which
environment; starts nothing. Without a command it is that of the nodeinit which is
PID 1, with its flags: docker exec CONTAINER /nodeinit explain. Flags given here win.
--root reads /proc and /sys below DIR, to look at what somebody else's container saw.`

// explain prints the limits, where each was read, and what would be started
// with which environment. It starts nothing.
func (a *app) explain(args []string) int {
	var asJSON *bool
	var root *string
	own := func(set *pflag.FlagSet) { asJSON, root = set.Bool("json", false, ""), set.String("root", "", "") }
	argv, code, ok := a.parse("explain", args, own)
	note, outputs := "", ownOutputs()
	if ok && len(argv) == 0 && *root == "" {
		if argv, note = a.likePID1(files.Dir("/proc")); note != "" {
			outputs = outputsOfPID1(files.Dir("/proc"))
			_, code, ok = a.parse("explain", args, own)
		}
	}
	if !ok {
		return code
	}
	source := a.limits()
	if *root != "" {
		if info, err := os.Stat(*root); err != nil || !info.IsDir() {
			return a.usageError(fmt.Errorf("--root: %q is not a directory (give one that holds proc and sys)", *root))
		}
		source = plan.NewSource(cgroup.Find(files.Dir(*root)), a.config)
	}
	p, err := plan.New(a.config, source.Read(), outputs, a.identify(argv))
	if err != nil {
		return a.usageError(err)
	}
	p.Of = note
	write := p.WriteText
	if *asJSON {
		write = p.WriteJSON
	}
	if err := write(a.stdout); err != nil {
		a.printError(fmt.Errorf("explain: %w", err))
		return exitInternal
	}
	return 0
}

// likePID1 gives a the settings of the nodeinit that is PID 1, below those that
// stand before the subcommand, and its environment. It returns the command that
// PID 1 runs, and a note on where that comes from, "" if PID 1 is no nodeinit that
// runs one. proc is /proc.
func (a *app) likePID1(proc fs.FS) (argv []string, note string) {
	r, ok := running(proc, 1, a.environ)
	if !ok {
		return nil, ""
	}
	note = "PID 1:"
	for _, word := range r.args {
		if strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsPrint(r) }) {
			word = strconv.Quote(word) // a line break, or what a terminal would obey
		}
		note += " " + word
	}
	if !r.environRead {
		note += " (its environment cannot be read: this is that of explain)"
	}
	if _, _, err := r.config.Parse(a.leading, a.ownFlags); err != nil {
		return nil, ""
	}
	a.config, a.environ = r.config, r.environ
	return r.argv, note
}

// cgroup returns the cgroup of this process.
func (a *app) cgroup() *cgroup.Group {
	if a.group == nil {
		a.group = cgroup.Find(files.Dir("/"))
	}
	return a.group
}

// limits returns the source of the limits of this process.
func (a *app) limits() *plan.Source {
	s := plan.NewSource(a.cgroup(), a.config)
	s.Affinity, s.ECS = cgroup.Affinity, exec.Getenv(a.environ, "ECS_CONTAINER_METADATA_URI_V4")
	return s
}

// identify returns what argv runs in the environment and the directory of this
// process.
func (a *app) identify(argv []string) node.Program {
	return node.Identify(argv, exec.DropListenPID(a.environ), exec.WorkingDir())
}
