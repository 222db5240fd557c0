package node_test

import (
	"fmt"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/node"
)

func Example() {
	env := []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	for _, argv := range [][]string{
		{"sh", "-c", "PORT=80 node server.js"},
		{"sh", "-c", "node migrate.js && node server.js"},
		{"node", "--test"},
	} {
		p := node.Identify(argv, env, "")
		fmt.Printf("%s %s: %q PORT=%s\n", p.Runtime, p.Join, p.Argv, exec.Getenv(p.Env, "PORT"))
		if p.Note != "" {
			fmt.Println("note:", p.Note)
		}
		if p.Why != "" {
			fmt.Println("why:", p.Why)
		}
	}
	// Output:
	// node direct: ["node" "server.js"] PORT=80
	// note: sh -c runs "PORT=80 node server.js", sh is not started
	// node late: ["sh" "-c" "node migrate.js && node server.js"] PORT=
	// node none: ["node" "--test"] PORT=
	// why: node --test starts processes of its own
}

func ExampleHeapSize() {
	const limit, workers = 1 << 30, 2
	fmt.Println(node.HeapOption(node.HeapSize(limit, workers, 0)))
	// Output: --max-old-space-size=406
}
