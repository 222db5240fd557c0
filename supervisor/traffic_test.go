package supervisor

import (
	"math"
	"testing"
)

// What a worker reports is not to be trusted: the count never falls, whatever that is.
func TestTrafficNeverFalls(t *testing.T) {
	t.Parallel()
	var served traffic
	before := int64(0)
	for i := range 5000 {
		now := int64(i%2) << 53 // up to what a worker may count, and down again
		last := served.requests
		if served.count(before, now); served.requests < last {
			t.Fatalf("%d after %d", served.requests, last)
		}
		before = now
	}
	if served.requests != math.MaxInt64 {
		t.Errorf("%d requests", served.requests)
	}
}
