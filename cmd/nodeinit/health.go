package main

import (
	"fmt"

	"github.com/spf13/pflag"
)

const healthHelp = `nodeinit health [--pid N]

Prints in one line whether the container can serve, and exits with 0 if it can and
with 1 if not: for HEALTHCHECK, exec probes and ECS. It can if a worker is ready,
its event loop turns, which its agent reports each second (10 s of silence are too
long), and no stop has begun. With --health-path, one must have answered 2xx to the
last check. In fork mode the same holds for the program.
--pid: of which nodeinit, where several run.`

// health prints whether the workers of a running nodeinit can serve. It is called every
// few seconds, so it does as little as it can.
func health(a *app, args []string) int {
	rest, code, ok := a.parse("health", args, func(set *pflag.FlagSet) { clientFlags(a, set) })
	if !ok {
		return code
	}
	if err := noArguments("health", rest); err != nil {
		return a.usageError(err)
	}
	client, err := dial(a)
	if err != nil {
		a.printError(fmt.Errorf("health: %w", err))
		return exitFailed
	}
	switch healthy, text, err := client.Health(); {
	case err != nil:
		fmt.Fprintln(a.stdout, "unhealthy:", err)
	case !healthy:
		fmt.Fprintln(a.stdout, "unhealthy:", text)
	default:
		fmt.Fprintln(a.stdout, "healthy:", text)
		return 0
	}
	return exitFailed
}
