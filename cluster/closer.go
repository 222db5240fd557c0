package cluster

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// closeTimeout is how long the end waits for what is still to be closed.
const closeTimeout = time.Second

// maxClosing is how many may wait. Node passes one at a time.
const maxClosing = 1024

// A closer closes descriptors that workers have passed, and channels, in which
// there may be some. That may take any time: the last one of a socket with
// SO_LINGER waits until the peer has read, that of a file of FUSE for its server.
// One goroutine does it, so that it is one thread that waits.
type closer struct {
	mu     sync.Mutex
	fds    []int
	ending bool
	wakeup chan struct{}
	done   chan struct{}
}

func newCloser() *closer { return &closer{wakeup: make(chan struct{}, 1), done: make(chan struct{})} }

// close has fds closed soon.
func (c *closer) close(fds ...int) {
	c.mu.Lock()
	c.fds = append(c.fds, fds...)
	c.mu.Unlock()
	c.wake()
}

func (c *closer) wake() {
	select {
	case c.wakeup <- struct{}{}:
	default: // it has not looked since the last time
	}
}

// run closes what there is until end is called.
func (c *closer) run() {
	defer close(c.done)
	for range c.wakeup {
		c.mu.Lock()
		fds, over := c.fds, c.ending
		c.fds = nil
		c.mu.Unlock()
		for _, fd := range fds {
			closeConnection(fd)
		}
		if over {
			return
		}
	}
}

// shutdown has all closed, and waits for it no longer than patience.
func (c *closer) shutdown(patience time.Duration) {
	c.mu.Lock()
	c.ending = true
	c.mu.Unlock()
	c.wake()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-c.done:
	case <-timeout.C:
	}
}

// overloaded reports whether more waits than can be meant well.
func (c *closer) overloaded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.fds) > maxClosing
}

// noLinger is SO_LINGER off.
var noLinger unix.Linger

// closeConnection closes fd without waiting until the peer has what is not sent
// yet: the kernel goes on sending (socket(7), SO_LINGER). Files have no such
// option.
func closeConnection(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &noLinger)
	_ = unix.Close(fd)
}
