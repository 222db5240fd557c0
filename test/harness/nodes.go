package harness

import (
	"os"
	"path/filepath"
	"testing"
)

// NodeLines are the versions of test/nodes.sh.
var NodeLines = []string{"18.20.8", "20.20.2", "22.0.0", "22.23.3", "24.0.0", "24.21.0", "26.10.0"}

// ReferenceLine is where the tests run under Node's own primary too, so that
// what they expect of nodeinit is what Node does.
const ReferenceLine = "22.23.3"

// NewestLine is where what does not depend on the workers' Node is tested.
var NewestLine = NodeLines[len(NodeLines)-1]

// EdgeLines are the oldest line of Node and the newest.
func EdgeLines() []string { return []string{NodeLines[0], NewestLine} }

// NodeBinary is where test/nodes.sh has put a version.
func NodeBinary(t *testing.T, version string) string {
	t.Helper()
	cache := os.Getenv("NODEINIT_CACHE")
	if cache == "" {
		cache = filepath.Join(os.Getenv("HOME"), ".cache/nodeinit")
	}
	binary := filepath.Join(cache, "nodes", version, "bin/node")
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("%v; run test/nodes.sh", err)
	}
	return binary
}
