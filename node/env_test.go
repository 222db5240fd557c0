package node_test

import (
	"slices"
	"testing"

	"github.com/nodeinit/nodeinit/node"
)

// WithoutAdded removes the variables of nodeinit and keeps the changes of a wrapper.
func TestWithoutAdded(t *testing.T) {
	t.Parallel()
	before := []string{"HOME=/root", "NODE_OPTIONS=--no-warnings", "NODE_APP_INSTANCE=blue"}
	given := []string{"HOME=/root", "NODE_OPTIONS=--import=data:x --no-warnings --max-old-space-size=100", "NODEINIT_WORKER=0", "NODE_APP_INSTANCE=0", "NODEINIT_CHANNEL=1:2:3"}
	for _, c := range []struct{ env, want []string }{
		{env: given, want: before},
		{env: []string{"HOME=/home", "FOO=bar"}, want: []string{"HOME=/home", "FOO=bar"}},
		{env: []string{"NODE_OPTIONS=--import=data:x --no-warnings --max-old-space-size=100 --trace-warnings"}, want: []string{"NODE_OPTIONS=--no-warnings --trace-warnings"}},
		{env: []string{"NODE_OPTIONS=--max-old-space-size=100"}, want: nil},
		{env: []string{"NODE_OPTIONS=--title='a  b'"}, want: []string{"NODE_OPTIONS=--title='a  b'"}},
		{env: []string{"NODEINIT_WORKER=7", "NODE_CHANNEL_FD=3", "NODE_UNIQUE_ID=1"}, want: []string{"NODEINIT_WORKER=7"}},
	} {
		if got := node.WithoutAdded(c.env, given, before); !sameVariables(got, c.want) {
			t.Errorf("%q: %q, want %q", c.env, got, c.want)
		}
	}
}

func sameVariables(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
