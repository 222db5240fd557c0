package harness

import (
	"flag"
	"testing"
)

// A Primary is that of node:cluster on a version of Node: nodeinit, or Node's own.
type Primary struct {
	Node    string // the version
	Balance string // nodeinit's --balance, or what Node does alike
	IsNode  bool   // Node's own
}

func (p Primary) String() string {
	if p.IsNode {
		return "under node " + p.Node + " " + p.Balance
	}
	return p.Node + " " + p.Balance
}

// UnderEach runs a test under each primary, in parallel.
func UnderEach(t *testing.T, list []Primary, test func(t *testing.T, p Primary)) {
	t.Parallel()
	for _, p := range list {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
}

// PrimaryFlag is -primary: nodeinit, node or both.
var PrimaryFlag = flag.String("primary", "both", "the primary of the workers: nodeinit; node, on every line; or both: node on one line")
