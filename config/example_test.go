package config_test

import (
	"fmt"

	"github.com/nodeinit/nodeinit/config"
)

// A flag wins over the environment, and the command begins at the first word that
// is no flag.
func Example() {
	c, err := config.FromEnviron([]string{"PATH=/bin", "NODEINIT_GRACE=20s", "NODEINIT_WORKERS=2"})
	if err != nil {
		fmt.Println(err)
		return
	}
	command, _, err := c.Parse([]string{"--grace", "30", "node", "--grace", "server.js"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Grace, c.Workers, c.Mode)
	fmt.Printf("%q\n", command)

	_, _, err = c.Parse([]string{"--instances", "4"}, nil)
	fmt.Println(err)
	// Output:
	// 30s 2 auto
	// ["node" "--grace" "server.js"]
	// --instances: no such flag (did you mean --workers?)
}
