// Package peers holds nodeinit to the same tests as the inits tini, dumb-init and catatonit, which
// test/setup.sh installs.
package peers

import (
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m, roles()) }

// roles are what the test binary can be re-executed as; see testproc. Each is
// next to the tests that use it.
func roles() map[string]func(args []string) {
	return map[string]func(args []string){
		"catcher":    harness.Catcher,
		"ancestor":   harness.Ancestor,
		"descendant": harness.Descendant,
		"leaver":     harness.Leaver,
	}
}
