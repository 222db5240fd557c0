package harness

import (
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// WaitUntil polls until done returns true, in the goroutine of the test. What it
// waits for is in the message if that takes longer than testproc.HangLimit.
func WaitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(testproc.HangLimit)
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited %v for %s", testproc.HangLimit, what)
		}
	}
}
