package supervisor

import "time"

// Readiness is when a worker is ready.
type Readiness struct {
	When ReadyWhen
	// Timeout is how long that may take; 0: for ever, but see [ReadyAuto].
	Timeout time.Duration
}

// A StopPolicy is how workers are stopped.
type StopPolicy struct {
	// Delay is for how long they serve on after a stop signal, while Status says
	// that none is ready any more.
	Delay time.Duration
	// Grace is from then on to SIGKILL; 0: for ever.
	Grace time.Duration
	// Order is what a worker gets first.
	Order StopOrder
}

// A CrashPolicy is how many crashes within Window are answered with a new worker;
// one more ends the container, and so does a slot in which no worker was of use
// for a whole window. A Window of 0 never ends. A worker that served and exits
// with 0 while others go on is answered as well, if Max is not 0.
type CrashPolicy struct {
	Max    int
	Window time.Duration
}

// A RecyclePolicy is when a worker is replaced though it works.
type RecyclePolicy struct {
	// MaxMemory, if set, returns how much memory a worker may have, in bytes; 0 is
	// any. It must not take long.
	MaxMemory func() int64
	// MaxAge, if not 0, is how old it may become, a tenth more or less.
	MaxAge time.Duration
	// Spread returns a random number from 0 to n-1; nil: as rand.Int64N.
	Spread func(n int64) int64
}
