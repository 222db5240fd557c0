// Package cluster tests per-core mode with workers on each line of Node, which
// test/nodes.sh fetches. TestWrappersDrain needs the packages of test/apps.sh too.
package cluster

import (
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m, roles()) }

// roles are what the test binary can be re-executed as; see testproc. Each is
// next to the tests that use it.
func roles() map[string]func(args []string) {
	return map[string]func(args []string){
		"rawworker": rawWorker,
		"jobshell":  harness.JobShell,
	}
}
