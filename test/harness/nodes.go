package harness

import (
	"os"
	"path/filepath"
	"testing"
)

// NodeLines are the versions that test/nodes.sh fetches, oldest first: the newest
// of each release line, and the first of two.
var NodeLines = []string{"18.20.8", "20.20.2", "22.0.0", "22.23.3", "24.0.0", "24.21.0", "26.10.0"}

// ReleaseLines are the newest of each release line. Node's cluster module, and what a
// worker says to its primary, are alike within one; what the agent finds is not.
var ReleaseLines = []string{"18.20.8", "20.20.2", "22.23.3", "24.21.0", "26.10.0"}

// ReferenceLine is the version on which tests run under Node's own primary too,
// so that what they expect of nodeinit is what Node does.
const ReferenceLine = "22.23.3"

// NewestLine is the version for tests that do not depend on the workers' Node.
var NewestLine = NodeLines[len(NodeLines)-1]

// EdgeLines returns the oldest and the newest of NodeLines.
func EdgeLines() []string { return []string{NodeLines[0], NewestLine} }

// NodeBinary returns the path of a version that test/nodes.sh has fetched.
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
