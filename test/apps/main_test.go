// Package apps tests frameworks, package managers and reported cases.
// test/apps.sh installs the npm packages that they need.
package apps

import (
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m, roles()) }

// roles are what the test binary can be re-executed as; see testproc. Each is
// next to the tests that use it.
func roles() map[string]func(args []string) {
	return map[string]func(args []string){
		"linkup": linkUp,
		"nobody": harness.Nobody,
	}
}
