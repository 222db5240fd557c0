package cluster

import (
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// closeTimeout is how long Primary.Run waits for what is still to be closed.
const closeTimeout = time.Second

// maxClosing is how many descriptors may wait to be closed. Node passes one at a time.
const maxClosing = 1024

// A closer closes descriptors that workers have passed, and channels, in which there may
// be some. Closing may take any time: with SO_LINGER it waits until the peer has read, in
// a FUSE file system for its server. So one goroutine does it, on one thread.
type closer struct {
	mu     sync.Mutex
	fds    []int
	ending bool
	wakeup chan struct{}
	done   chan struct{}
}

func newCloser() *closer { return &closer{wakeup: make(chan struct{}, 1), done: make(chan struct{})} }

// close closes fds on the goroutine of run, soon. Any goroutine may call it, also before run.
func (c *closer) close(fds ...int) {
	c.mu.Lock()
	c.fds = append(c.fds, fds...)
	c.mu.Unlock()
	c.wake()
}

func (c *closer) wake() {
	select {
	case c.wakeup <- struct{}{}:
	default: // the last wake-up was not received yet
	}
}

// run closes descriptors until shutdown is called.
func (c *closer) run() {
	defer close(c.done)
	for range c.wakeup {
		c.mu.Lock()
		fds, ending := c.fds, c.ending
		c.fds = nil
		c.mu.Unlock()
		for _, fd := range fds {
			_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &noLinger) // files have no such option
			_ = unix.Close(fd)
		}
		if ending {
			return
		}
	}
}

// shutdown has run close what is left and return, and waits up to limit for that.
func (c *closer) shutdown(limit time.Duration) {
	c.mu.Lock()
	c.ending = true
	c.mu.Unlock()
	c.wake()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	select {
	case <-c.done:
	case <-timeout.C:
	}
}

// overloaded reports whether more than maxClosing descriptors wait.
func (c *closer) overloaded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.fds) > maxClosing
}

// noLinger is SO_LINGER off.
var noLinger unix.Linger

// closeConnection closes a connection without waiting for the peer: the kernel goes on
// sending what is not sent yet (socket(7), SO_LINGER). As it does not block, Go's runtime
// need not know of the system calls; see poller.waitEvents.
func closeConnection(fd int) {
	_, _, _ = unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_LINGER, uintptr(unsafe.Pointer(&noLinger)), unsafe.Sizeof(noLinger), 0)
	_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}
