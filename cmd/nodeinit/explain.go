package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/plan"
)

const explainHelp = `nodeinit explain [flags] [--json] [--root DIR] [-- command]

Prints the limits, the file that set each, and what would be started with which
environment; starts nothing. --root reads /proc and /sys below DIR, to look at what
somebody else's container saw.`

// explain prints the limits, where each was read, and what would be started
// with which environment. It starts nothing.
func (a *app) explain(args []string) int {
	var asJSON *bool
	var root *string
	argv, code, ok := a.parse("explain", args, func(set *pflag.FlagSet) {
		asJSON, root = set.Bool("json", false, ""), set.String("root", "", "")
	})
	if !ok {
		return code
	}
	source, err := a.limitsBelow(*root)
	if err != nil {
		return a.usageError(err)
	}
	p, err := plan.New(a.config, source.Read(), a.identify(argv))
	if err != nil {
		return a.usageError(err)
	}
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

// limitsBelow returns the source of the limits that the /proc and /sys below root
// tell of, this process's own if root is empty.
func (a *app) limitsBelow(root string) (*plan.Source, error) {
	if root == "" {
		return a.limits(), nil
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("--root: %q is not a directory (give one that holds proc and sys)", root)
	}
	return plan.NewSource(os.DirFS(root), a.config), nil
}

// limits returns the source of the limits of this process.
func (a *app) limits() *plan.Source {
	s := plan.NewSource(os.DirFS("/"), a.config)
	s.Affinity = cgroup.Affinity
	s.ECS = exec.Getenv(a.environ, "ECS_CONTAINER_METADATA_URI_V4")
	return s
}

// identify returns what argv runs in the environment and the directory of this
// process.
func (a *app) identify(argv []string) node.Program {
	return node.Identify(argv, exec.DropListenPID(a.environ), exec.WorkingDir())
}
