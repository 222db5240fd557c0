package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/nodeinit/nodeinit/admin"
)

const statusHelp = `nodeinit status [--json] [--pid N]

Prints the state of the nodeinit that runs here, its limits, and its workers:
docker exec CONTAINER /nodeinit status. Where several run, --pid says which. The
JSON is described by docs/status.schema.json. Exits with 1 if there is none.`

// statusWidth is how many columns the text has: of the narrowest terminal that is usual.
const statusWidth = 80

// status prints the state of a nodeinit that runs.
func status(a *app, args []string) int {
	var asJSON bool
	rest, code, ok := a.parse("status", args, func(set *pflag.FlagSet) {
		clientFlags(a, set)
		set.BoolVar(&asJSON, "json", false, "")
	})
	if !ok {
		return code
	}
	if err := noArguments("status", rest); err != nil {
		return a.usageError(err)
	}
	var d *admin.Document
	client, err := dial(a)
	if err == nil {
		d, err = client.Status()
	}
	if err != nil {
		a.printError(fmt.Errorf("status: %w", err))
		return exitFailed
	}
	text := append(d.AppendJSON(nil), '\n')
	if !asJSON {
		text = []byte(strings.Join(d.Text(statusWidth), "\n") + "\n")
	}
	if _, err := a.stdout.Write(text); err != nil {
		a.printError(fmt.Errorf("status: %w", err))
		return exitInternal
	}
	return 0
}

// statusLimits returns the limits in force, and if one cannot be read those of the start.
// It is for the goroutine that makes the document.
func (r *run) statusLimits() admin.Limits {
	l := r.source.Read()
	if len(l.Warnings) > len(r.plan.Limits.Warnings) {
		l = r.plan.Limits
	}
	return admin.Limits{CPUs: l.CPU, CPUsFrom: l.CPUFrom, Memory: l.Memory, MemoryFrom: l.MemoryFrom}
}
