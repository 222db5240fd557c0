package cluster

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// retryDelay is when what failed for want of memory or descriptors is tried again.
const retryDelay = 50 * time.Millisecond

// What may wait in a channel before it is closed: so many frames and as many KiB, and
// one more for each server of the worker, up to maxServerReplies.
const (
	maxQueued        = 1024
	maxServerReplies = 4096
)

// A channel is one end of a Unix stream socket that carries frames in both
// directions, and descriptors with them. It belongs to the goroutine of its
// poller, and closes itself when the other end is closed or misbehaves.
type channel struct {
	poller *poller
	closer *closer
	io     *messageIO

	// The callbacks are called by the poller's goroutine and may close the channel.
	onFrame    func(frame []byte, whole bool) // see splitter.split; not after close
	onWritable func()                         // there was no room for a frame, and now there may be
	onClosed   func(fault error)              // called once; fault is nil if the other end closed it

	fd       int // -1 once closed
	token    int32
	interest uint32 // events that epoll waits for
	paused   bool   // it is read only when receive is called

	splitter splitter
	sender   unix.Ucred // of what was received last
	passed   int        // descriptors received whose frame was not handled yet

	queue      []outgoing
	queued     int  // bytes in queue
	blocked    bool // the socket has no room: EPOLLOUT will come
	retrying   bool // the kernel had no memory: onTick will come
	peerClosed bool // writing failed for good; what was received is still to be read
}

// An outgoing frame waits until the other end reads.
type outgoing struct {
	data []byte
	fd   int // to send along and close, -1 for none
}

// socketpair returns the two ends of a channel: own is for a channel, and end for
// a process that knows only its number.
func socketpair() (own, end int, err error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, os.NewSyscallError("socketpair", err)
	}
	err = unix.SetNonblock(ends[0], true)
	if err == nil {
		err = unix.SetsockoptInt(ends[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1) // see identity
	}
	if err != nil {
		return -1, -1, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(ends[0]), unix.Close(ends[1]))
	}
	return ends[0], ends[1], nil
}

// start has the poller watch the channel. Where it cannot, the channel is closed.
func (c *channel) start() error {
	token, err := c.poller.add(c.fd, unix.EPOLLIN, c)
	if err != nil {
		c.close(err)
		return err
	}
	c.token, c.interest = token, unix.EPOLLIN
	return nil
}

func (c *channel) closed() bool { return c.fd < 0 }

// close closes the channel, because of fault unless that is nil. Frames that were
// not sent are dropped.
func (c *channel) close(fault error) {
	if c.closed() {
		return
	}
	c.poller.remove(c.fd, c.token)
	_ = unix.Shutdown(c.fd, unix.SHUT_RDWR)
	c.closer.close(c.fd) // descriptors that were not received are closed with it
	c.fd = -1
	c.splitter.stop()
	for _, o := range c.queue {
		closeFD(o.fd)
	}
	c.queue, c.queued = nil, 0
	c.onClosed(fault)
}

// onEvents implements eventHandler.
func (c *channel) onEvents(events uint32) {
	if events&unix.EPOLLOUT != 0 {
		c.flush()
		c.onWritable()
	}
	if events&^unix.EPOLLOUT != 0 {
		c.receive()
	}
}

// onTick tries again what failed, and ends a channel that cannot be written to.
func (c *channel) onTick() {
	switch {
	case c.closed():
	case c.peerClosed:
		c.receiveRemaining()
		c.close(nil)
	case c.retrying:
		c.flush()
	}
}

// pause stops polling for input, or resumes it. Meanwhile only calls of receive read.
func (c *channel) pause(paused bool) {
	if c.paused != paused {
		c.paused = paused
		c.updateInterest()
	}
}

// receive reads once and passes the frames on. It reports whether there was
// something to read.
func (c *channel) receive() bool {
	if c.closed() {
		return false
	}
	n, oobn, errno := c.io.receive(c.fd)
	switch {
	case errno == unix.EAGAIN, errno == unix.EINTR, errno == unix.ENOBUFS, errno == unix.ENOMEM:
		return false
	case errno != 0 || n == 0: // ECONNRESET: the other end was closed with something unread
		c.close(nil)
		return false
	}
	sender, rest := splitControl(c.io.oob[:oobn])
	c.sender = sender
	if len(rest) > 0 {
		c.closePassed(passedFDs(rest))
	}
	c.splitter.split(c.io.data[:n], c.onFrame)
	return true
}

// receiveRemaining reads what a process wrote before it exited: an ack that stays
// unread would give its connection to another worker. It ends after some reads,
// since a descendant may have the other end too and write on.
func (c *channel) receiveRemaining() {
	for range 64 {
		if !c.receive() {
			return
		}
	}
}

// closePassed closes descriptors that were received. A primary has no use for any:
// an application that passes them means a parent with code of its own.
func (c *channel) closePassed(fds []int) {
	c.passed += len(fds)
	c.closer.close(fds...)
	if c.closer.overloaded() {
		c.close(errors.New("it passes more descriptors than can be closed"))
	}
}

// takePassed reports whether a descriptor was received for the frame that is being
// handled.
func (c *channel) takePassed() bool {
	if c.passed == 0 {
		return false
	}
	c.passed--
	return true
}

// send sends a frame, now or once the other end has read what was sent before. It
// closes fd, unless that is -1, when it was sent. If then more than limit frames
// wait, or more than limit KiB, the channel is closed.
func (c *channel) send(frame []byte, fd, limit int) {
	if c.closed() || c.peerClosed {
		closeFD(fd)
		return
	}
	c.queue = append(c.queue, outgoing{frame, fd})
	c.queued += len(frame)
	if len(c.queue) == 1 {
		c.flush()
	}
	if len(c.queue) > limit || c.queued > limit<<10 {
		c.close(fmt.Errorf("it asks and does not read: %d answers wait", len(c.queue)))
	}
}

// sendNow sends a frame with fd, which stays open, if there is room. Else it does
// not, and idle is false until there is some. Call it only when idle is true.
func (c *channel) sendNow(frame []byte, fd int) bool {
	n, err := c.io.send(c.fd, frame, fd)
	if err != nil {
		c.sendFailed(err)
		c.updateInterest()
		return false
	}
	if n < len(frame) { // the descriptor was sent with the first byte
		c.queue = append(c.queue, outgoing{slices.Clone(frame[n:]), -1})
		c.queued += len(frame) - n
		c.flush()
	}
	return true
}

// idle reports whether nothing waits to be sent, and something could be.
func (c *channel) idle() bool {
	return c.fd >= 0 && len(c.queue) == 0 && !c.blocked && !c.retrying && !c.peerClosed
}

// flush sends what waits, as far as there is room.
func (c *channel) flush() {
	c.blocked, c.retrying = false, false
	for len(c.queue) > 0 {
		next := &c.queue[0]
		n, err := c.io.send(c.fd, next.data, next.fd)
		if err != nil {
			c.sendFailed(err)
			break
		}
		c.queued -= n
		closeFD(next.fd)
		next.fd, next.data = -1, next.data[n:]
		if len(next.data) > 0 {
			continue
		}
		if c.queue = c.queue[1:]; len(c.queue) == 0 {
			c.queue = nil
		}
	}
	c.updateInterest()
}

func (c *channel) sendFailed(err error) {
	switch {
	case errors.Is(err, unix.EAGAIN):
		c.blocked = true
	case errors.Is(err, unix.EINTR), errors.Is(err, unix.ETOOMANYREFS), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
		c.retrying = true
		c.poller.tickIn(retryDelay)
	default: // EPIPE. Closed by onTick, as the caller may be handling a frame
		c.peerClosed = true
		c.poller.tickIn(0)
	}
}

// updateInterest sets the events that epoll waits for.
func (c *channel) updateInterest() {
	if c.closed() {
		return
	}
	var events uint32
	if !c.paused {
		events |= unix.EPOLLIN
	}
	if c.blocked {
		events |= unix.EPOLLOUT
	}
	if events != c.interest {
		c.interest = events
		c.poller.change(c.fd, c.token, events)
	}
}

func closeFD(fd int) {
	if fd >= 0 {
		_ = unix.Close(fd)
	}
}
