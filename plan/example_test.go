package plan_test

import (
	"fmt"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/config"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/plan"
)

// Two CPUs and half a gigabyte are good for two workers.
func Example() {
	limits := cgroup.Limits{CPU: 2, Memory: 512 << 20, Affinity: 8}
	program := node.Identify([]string{"node", "server.js"}, []string{"PATH=/bin"}, "/app")

	p, err := plan.New(config.Default(), limits, plan.Outputs{}, program)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Mode, "because", p.Reason)
	fmt.Println(p.Start())
	fmt.Println(p.EnvAdded)
	// Output:
	// per-core because the program is Node, and there are to be 2 workers
	// 1, then 2 when it listens
	// [NODE_OPTIONS=--max-old-space-size=406]
}
