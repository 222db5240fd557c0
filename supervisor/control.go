package supervisor

import (
	"sync"
	"time"
)

// statusTimeout is how long Status waits for Run's goroutine, which does nothing
// that takes long: the longest is to start a process, on a busy machine.
const statusTimeout = 3 * time.Second

// stopped is why an operation is refused, or given up.
const stopped = "stopping"

// A control is what other goroutines use: requests to Run's goroutine. The zero
// value is ready to use.
type control struct {
	once sync.Once
	wake chan struct{} // has a value when there are requests

	mu      sync.Mutex // guards what is below
	pending requests
	begun   bool    // Run was called
	final   *Status // when it has returned; nil: it has not
}

// Requests are what was asked for since take was called.
type requests struct {
	reload operations    // is requested if there is one
	scale  *scaleRequest // the latest; nil: none
	status *statusReply  // that several may wait for; nil: none does

	checked []checkResult // what checks have brought: one for each worker at most
}

// A scaleRequest is for so many workers; 0 is as many as Target says.
type scaleRequest struct {
	workers int
	force   bool // also if they are more than Allowed
	by      operations
}

// A statusReply is filled in by Run's goroutine, which then closes done.
type statusReply struct {
	done   chan struct{}
	status *Status
}

func (a *statusReply) answer(status *Status) {
	a.status = status
	close(a.done)
}

// requested gets a value when take has something to return.
func (c *control) requested() <-chan struct{} {
	c.once.Do(func() { c.wake = make(chan struct{}, 1) })
	return c.wake
}

// request records a request of an operation. It does not block.
func (c *control) request(record func(*requests, *Operation)) *Operation {
	asked := newOperation()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.final != nil {
		asked.end("", stopped)
		return asked
	}
	record(&c.pending, asked)
	c.wakeUp()
	return asked
}

// askStatus returns what Run's goroutine will answer; nil if it does not run: then
// the status is final.
func (c *control) askStatus() (reply *statusReply, final *Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.final != nil:
		return nil, c.final
	case !c.begun:
		return nil, new(Status)
	case c.pending.status == nil:
		c.pending.status = &statusReply{done: make(chan struct{})}
		c.wakeUp()
	}
	return c.pending.status, nil
}

// reportCheck brings the result of a check to Run's goroutine. It does not block.
func (c *control) reportCheck(result checkResult) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.final == nil {
		c.pending.checked = append(c.pending.checked, result)
		c.wakeUp()
	}
}

func (c *control) wakeUp() {
	c.requested()
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

// begin says that Run's goroutine answers from now on.
func (c *control) begin() {
	c.mu.Lock()
	c.begun = true
	c.mu.Unlock()
}

// end says that it does not any more.
func (c *control) end(final *Status) {
	c.mu.Lock()
	c.final = final
	c.mu.Unlock()
	left := c.take() // there will be no others
	left.reload.fail(stopped)
	if left.scale != nil {
		left.scale.by.fail(stopped)
	}
	if left.status != nil {
		left.status.answer(final)
	}
}
