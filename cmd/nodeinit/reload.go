package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/nodeinit/nodeinit/admin"
)

// exitFailed is the status of a subcommand that could not do what it was asked to, or
// reached no nodeinit.
const exitFailed = 1

const reloadHelp = `nodeinit reload [--pid N]

Has the nodeinit that runs here replace its workers, one after the other, each
when the new one is ready, and prints what becomes of each. If a new one does not
come up, it exits with 1 and says why; the others serve on. A second reload waits
for the first. Interrupting this does not end the reload.
--pid: of which nodeinit, where several run.`

// reload has a running nodeinit replace its workers.
func reload(a *app, args []string) int {
	rest, code, ok := a.parse("reload", args, func(set *pflag.FlagSet) { clientFlags(a, set) })
	if !ok {
		return code
	}
	if err := noArguments("reload", rest); err != nil {
		return a.usageError(err)
	}
	return operate(a, "reload", (*admin.Client).Reload)
}

// operate has a running nodeinit do something, and prints the steps as they happen.
func operate(a *app, name string, do func(*admin.Client, func(admin.Event)) (string, error)) int {
	start, text := time.Now(), ""
	client, err := dial(a)
	if err == nil {
		text, err = do(client, func(e admin.Event) {
			_, _ = a.stdout.Write(appendStep(nil, time.Since(start), e)) // what cannot be written is no reason to leave
		})
	}
	if err != nil {
		a.printError(fmt.Errorf("%s: %w", name, err))
		return exitFailed
	}
	fmt.Fprintln(a.stdout, text)
	return 0
}

// appendStep appends the line of a step: so long after the start it became known.
func appendStep(line []byte, after time.Duration, e admin.Event) []byte {
	ms := strconv.FormatInt(after.Milliseconds(), 10)
	for range 6 - len(ms) {
		line = append(line, ' ')
	}
	line = append(append(line, ms...), " ms  slot "...)
	line = append(strconv.AppendInt(line, int64(e.Slot), 10), "  pid "...)
	line = append(strconv.AppendInt(line, int64(e.PID), 10), "  "...)
	line = append(line, e.Step...)
	if e.Text != "" {
		line = append(append(append(line, " ("...), e.Text...), ')')
	}
	return append(line, '\n')
}
