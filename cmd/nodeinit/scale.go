package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/nodeinit/nodeinit/admin"
)

const scaleHelp = `nodeinit scale N|auto [--force] [--pid N]

Has the nodeinit that runs here run N workers from now on, or with auto as many as
it would if nobody had asked, and prints what becomes of each. Limits that change do
not change N. More than they are good for need --force: they would share the CPUs and
the memory.
Exits with 1 if it is refused, or if a new worker does not come up.
--pid: of which nodeinit, where several run.`

// scale has a running nodeinit run another number of workers.
func scale(a *app, args []string) int {
	var force *bool
	own := func(set *pflag.FlagSet) {
		clientFlags(a, set)
		force = set.Bool("force", false, "")
	}
	rest, code, ok := a.parse("scale", args, own)
	if ok && len(rest) > 1 { // flags may come after the number too
		before := args[:len(args)-len(rest)]
		rest, code, ok = a.parse("scale", slices.Concat(before, rest[1:], rest[:1]), own)
	}
	if !ok {
		return code
	}
	workers, err := workersOf(rest)
	if err != nil {
		return a.usageError(err)
	}
	return operate(a, "scale", func(c *admin.Client, on func(admin.Event)) (string, error) {
		return c.Scale(workers, *force, on)
	})
}

// workersOf returns how many workers the arguments of scale say, 0 for auto.
func workersOf(args []string) (int, error) {
	if len(args) != 1 {
		return 0, errors.New("scale: takes one argument (try nodeinit scale 2, or nodeinit scale auto)")
	}
	if args[0] == "auto" {
		return 0, nil
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 1 {
		return 0, fmt.Errorf("scale: %q is neither auto nor a number from 1 on (try nodeinit scale auto)", args[0])
	}
	return n, nil
}
