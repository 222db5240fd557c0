package supervisor

import (
	"sync"
	"sync/atomic"
)

// A control is what other goroutines use: requests to Run's goroutine, and the
// latest Status. The zero value is ready to use.
type control struct {
	status atomic.Pointer[Status]

	once    sync.Once
	wake    chan struct{} // has a value when there are requests
	mu      sync.Mutex    // guards pending
	pending requests
}

// Requests are what was asked for since take was called, the latest of each kind.
type requests struct {
	reload bool
	scale  *int
}

// requested gets a value when take has something to return.
func (c *control) requested() <-chan struct{} {
	c.once.Do(func() { c.wake = make(chan struct{}, 1) })
	return c.wake
}

// request records a request. It does not block.
func (c *control) request(record func(*requests)) {
	c.requested()
	c.mu.Lock()
	record(&c.pending)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default: // take was not called since the last request
	}
}

func (c *control) take() requests {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.pending
	c.pending = requests{}
	return taken
}
