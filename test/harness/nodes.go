package harness

import (
	"os"
	"path/filepath"
	"testing"
)

// AllLines are the versions that test/nodes.sh fetches, oldest first: the newest
// of each release line, and the first of two.
var AllLines = []string{"18.20.8", "20.20.2", "22.0.0", "22.23.3", "24.0.0", "24.21.0", "26.10.0"}

// NodeLines are those that tests run on: the oldest and the newest, and one line of each
// side of 22.12 and 22.15, from which on the agent is attached and loaded in another way
// (docs/decisions.md; node/preload/start.js).
var NodeLines = lines("18.20.8", "22.0.0", "22.23.3", "26.10.0")

// ReleaseLines are those for tests of Node's cluster module, which does not change within
// a release line: the oldest, the reference and the newest.
var ReleaseLines = lines("18.20.8", ReferenceLine, "26.10.0")

// SideLines are one of each way in which the agent is attached and loaded (see NodeLines),
// for tests of many cases that differ by that only.
var SideLines = lines("18.20.8", "26.10.0")

// lines returns some lines, or with NODEINIT_TEST_LINES=all (make test-lines) all.
func lines(some ...string) []string {
	if os.Getenv("NODEINIT_TEST_LINES") == "all" {
		return AllLines
	}
	return some
}

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
