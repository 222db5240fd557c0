package supervisor

import "time"

// However short CrashWindow is, a slot may fail for leastLoop, and so may
// leastFailures replacements: most programs need some seconds to start, and so do
// those they depend on.
const (
	leastLoop     = 10 * time.Second
	leastFailures = 2
)

// A crashLoop tells whether the workers of a slot are of any use. The zero value
// is that of a slot in which none has crashed.
type crashLoop struct {
	since  time.Time // of the first crash after which none was; zero: there was none
	failed int       // so many after that one
}

// over ends it: a worker is ready for which nobody has waited.
func (c *crashLoop) over() { *c = crashLoop{} }

// crashed takes note of a crash. useful says that the worker was; window is the
// time in which one must be, 0 for ever. It reports whether none was for so long.
func (c *crashLoop) crashed(now time.Time, useful bool, window time.Duration) bool {
	if useful || c.since.IsZero() {
		*c = crashLoop{since: now}
		return false
	}
	c.failed++
	return window > 0 && c.failed >= leastFailures && now.Sub(c.since) >= max(window, leastLoop)
}

// useful reports whether l was ready for as long as its slot had been empty before
// it. A worker that crashes as soon as it is ready serves nobody, and where ready
// means started it was not even that.
func (l *life) useful(now time.Time) bool {
	return !l.readyAt.IsZero() && now.Sub(l.readyAt) >= l.waited
}
