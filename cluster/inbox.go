package cluster

import "sync"

// An inbox holds functions that other goroutines want called by the one that owns
// the state.
type inbox struct {
	wake func() // has the owner call run soon

	mu     sync.Mutex
	posted []func()
	closed bool
}

// post has f called by run. After close it does nothing and reports false. Any goroutine
// may call it.
func (b *inbox) post(f func()) bool {
	b.mu.Lock()
	closed := b.closed
	if !closed {
		b.posted = append(b.posted, f)
	}
	b.mu.Unlock()
	if !closed {
		b.wake()
	}
	return !closed
}

// run calls what was posted, in that order.
func (b *inbox) run() {
	b.mu.Lock()
	posted := b.posted
	b.posted = nil
	b.mu.Unlock()
	for _, f := range posted {
		f()
	}
}

// close makes post ignore what follows, and calls what was posted before.
func (b *inbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.run()
}
