package harness

import (
	"flag"
	"testing"
)

var PrimaryFlag = flag.String("primary", "both", "who leads the workers: nodeinit; node, on every line; or both: node on one line")

// UnderEach runs a test under each primary, at the same time.
func UnderEach(t *testing.T, list []Primary, test func(t *testing.T, p Primary)) {
	t.Parallel()
	for _, p := range list {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
}

// A Primary leads the workers of an application: nodeinit, or Node's own.
type Primary struct {
	Node    string // the version
	Balance string
	IsNode  bool // Node's own
}

func (p Primary) String() string {
	if p.IsNode {
		return "under node " + p.Node + " " + p.Balance
	}
	return p.Node + " " + p.Balance
}
