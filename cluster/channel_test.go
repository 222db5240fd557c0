package cluster

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// A channelTest is a channel with what it has called, and its other end. The test's
// goroutine is that of the poller.
type channelTest struct {
	channel
	t        testing.TB
	peer     *net.UnixConn
	frames   []string
	whole    []bool
	writable int
	faults   []error // of onClosed
}

func newChannelTest(t testing.TB) *channelTest {
	t.Helper()
	own, end, err := socketpair()
	if err != nil {
		t.Fatal(err)
	}
	c := &channelTest{t: t, peer: unixConn(t, end)}
	c.channel = channel{
		poller: newPoller(t), closer: newCloser(), io: newMessageIO(), fd: own,
		onFrame: func(frame []byte, whole bool) {
			c.frames, c.whole = append(c.frames, string(frame)), append(c.whole, whole)
		},
		onWritable: func() { c.writable++ },
		onClosed:   func(fault error) { c.faults = append(c.faults, fault) },
	}
	c.poller.tick = c.onTick
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	go c.closer.run()
	t.Cleanup(func() {
		c.close(nil)
		c.closer.shutdown(testproc.HangLimit)
	})
	return c
}

func newPoller(t testing.TB) *poller {
	t.Helper()
	p := new(poller)
	if err := p.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

func unixConn(t testing.TB, fd int) *net.UnixConn {
	t.Helper()
	file := os.NewFile(uintptr(fd), "channel")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(testproc.HangLimit))
	return conn.(*net.UnixConn)
}

// until has the poller wait for events until is returns true.
func (c *channelTest) until(is func() bool) {
	c.t.Helper()
	for !is() {
		if err := c.poller.wait(); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *channelTest) write(text string, fds ...int) {
	c.t.Helper()
	if _, _, err := c.peer.WriteMsgUnix([]byte(text), unix.UnixRights(fds...), nil); err != nil {
		c.t.Fatal(err)
	}
}

// readAll reads until the channel is closed, beside the poller.
func (c *channelTest) readAll() <-chan []byte {
	all := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(c.peer)
		all <- b
	}()
	return all
}

// watchedFD returns a descriptor, and a function that waits until all its copies are
// closed.
func watchedFD(t testing.TB) (fd int, awaitClosed func()) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	t.Cleanup(func() { r.Close() })
	if fd, err = unix.FcntlInt(w.Fd(), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	return fd, func() {
		t.Helper()
		_ = r.SetReadDeadline(time.Now().Add(testproc.HangLimit))
		if _, err := r.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a descriptor is open: %v", err)
		}
	}
}

func isOpen(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

// Frames arrive in order, in whatever pieces they come, and the sender is known.
func TestChannelReceives(t *testing.T) {
	t.Parallel()
	c := newChannelTest(t)
	long := strings.Repeat("x", maxFrame+readSize)
	go func() {
		for _, piece := range []string{"one\ntw", "o\n", "\n", long, "\nfour\n"} {
			_, _ = io.WriteString(c.peer, piece)
		}
	}()
	c.until(func() bool { return len(c.frames) == 5 })
	if want := []string{"one", "two", "", long[:maxFrame], "four"}; !slices.Equal(c.frames, want) {
		t.Errorf("got %.10q", c.frames)
	}
	if want := []bool{true, true, true, false, true}; !slices.Equal(c.whole, want) {
		t.Errorf("whole: %v", c.whole)
	}
	if c.sender.Pid != int32(os.Getpid()) || c.sender.Uid != uint32(os.Getuid()) {
		t.Errorf("the sender is %+v", c.sender)
	}
	c.peer.Close()
	c.until(c.closed)
	if !slices.Equal(c.faults, []error{nil}) {
		t.Errorf("closed with %v", c.faults)
	}
}

// What has no room is sent once the other end reads, in order and each descriptor once.
func TestChannelSendsWhatWaits(t *testing.T) {
	t.Parallel()
	c := newChannelTest(t)
	const n = 400
	var want strings.Builder
	fd, awaitClosed := watchedFD(t)
	for i := range n {
		frame := strconv.Itoa(i) + strings.Repeat("x", 5000) + "\n"
		want.WriteString(frame)
		passed := -1
		if i%100 == 99 {
			passed, _ = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		}
		c.send([]byte(frame), passed, 2*n*5)
	}
	_ = unix.Close(fd)
	if !c.blocked || c.idle() || c.queued == 0 {
		t.Fatalf("%d KiB do not fill a socket", want.Len()>>10)
	}
	all := c.readAll()
	c.until(func() bool { return len(c.queue) == 0 })
	if c.writable == 0 || c.queued != 0 || !c.idle() {
		t.Errorf("writable %d times, %d bytes wait, idle: %v", c.writable, c.queued, c.idle())
	}
	c.close(nil)
	if got := string(<-all); got != want.String() {
		t.Errorf("%d bytes arrived of %d, or in another order", len(got), want.Len())
	}
	awaitClosed()
}

// A frame of a hand-over is sent at once, whole in the end, or not at all.
func TestChannelSendNow(t *testing.T) {
	t.Parallel()
	c := newChannelTest(t)
	fd, _ := watchedFD(t)
	defer unix.Close(fd)
	large := strings.Repeat("x", 4<<20) + "\n"
	if !c.sendNow([]byte(large), fd) || len(c.queue) != 1 || c.queue[0].fd != -1 || !isOpen(fd) {
		t.Fatalf("%d frames wait, the descriptor is open: %v", len(c.queue), isOpen(fd))
	}
	oob := make([]byte, 1024)
	_, oobn, _, _, err := c.peer.ReadMsgUnix(make([]byte, 1), oob)
	if err != nil {
		t.Fatal(err)
	}
	fds := passedFDs(oob[:oobn])
	if len(fds) != 1 {
		t.Fatalf("%d descriptors with the first byte", len(fds))
	}
	_ = unix.Close(fds[0])
	all := c.readAll()
	c.until(func() bool { return len(c.queue) == 0 })
	c.close(nil)
	if got := len(<-all) + 1; got != len(large) {
		t.Errorf("%d bytes arrived of %d", got, len(large))
	}
}

func TestChannelSendNowWithoutRoom(t *testing.T) {
	t.Parallel()
	c := newChannelTest(t)
	fd, _ := watchedFD(t)
	defer unix.Close(fd)
	frame := []byte(strings.Repeat("x", 999) + "\n")
	sent := 0
	for c.sendNow(frame, -1) {
		sent += len(frame)
		if len(c.queue) > 0 {
			break // sent in part: there is no room
		}
	}
	for _, o := range c.queue {
		sent -= len(o.data)
	}
	if c.idle() || !c.blocked || sent == 0 {
		t.Fatalf("idle: %v, %d bytes", c.idle(), sent)
	}
	if len(c.queue) == 0 && (c.sendNow(frame, fd) || !isOpen(fd) || len(c.queue) > 0) {
		t.Error("a frame without room was sent, or its descriptor closed")
	}
	if _, err := io.ReadFull(c.peer, make([]byte, sent)); err != nil {
		t.Fatal(err)
	}
	c.until(c.idle)
	if c.writable == 0 || !c.sendNow([]byte("y\n"), fd) || !isOpen(fd) {
		t.Error("a frame is not sent where there is room")
	}
}

// A channel whose other end reads no more is closed, after what it wrote was handled.
func TestChannelCannotWrite(t *testing.T) {
	t.Parallel()
	c := newChannelTest(t)
	c.pause(true)
	c.write("last words\n")
	if err := c.peer.CloseRead(); err != nil {
		t.Fatal(err)
	}
	fd, awaitClosed := watchedFD(t)
	c.send([]byte("x\n"), fd, 1)
	if c.closed() || !c.peerClosed || len(c.faults) > 0 {
		t.Fatal("closed while the caller may be handling a frame")
	}
	second, awaitSecond := watchedFD(t)
	c.send([]byte("y\n"), second, 1)
	awaitSecond()
	c.until(c.closed)
	if !slices.Equal(c.frames, []string{"last words"}) || !slices.Equal(c.faults, []error{nil}) {
		t.Errorf("frames %q, faults %v", c.frames, c.faults)
	}
	awaitClosed()
}

// Without memory the channel tries again later.
func TestChannelRetries(t *testing.T) {
	t.Parallel()
	for _, err := range []error{unix.EINTR, unix.ETOOMANYREFS, unix.ENOBUFS, unix.ENOMEM} {
		c := newChannelTest(t)
		c.sendFailed(err)
		if c.idle() || c.poller.tickAt.IsZero() {
			t.Errorf("%v: idle %v, tick %v", err, c.idle(), c.poller.tickAt)
		}
		c.until(c.idle)
	}
}

// Descriptors that are passed are closed, and counted for the frames that they came with.
func TestChannelClosesPassed(t *testing.T) {
	t.Parallel()
	c := newChannelTest(t)
	fd, awaitClosed := watchedFD(t)
	c.write("a\n", fd, fd, fd)
	c.write("b\n", slices.Repeat([]int{fd}, maxPassedFDs)...)
	_ = unix.Close(fd)
	c.until(func() bool { return len(c.frames) == 2 })
	awaitClosed()
	for range 3 + maxPassedFDs {
		if !c.takePassed() {
			t.Fatal("fewer were counted")
		}
	}
	if c.takePassed() {
		t.Error("more were counted")
	}
}

// A worker that passes more than can be closed loses its channel, and no descriptor
// stays open.
func TestChannelPassesTooMany(t *testing.T) {
	t.Parallel()
	c := newChannelTest(t)
	busy, awaitBusy := watchedFD(t)
	c.closer = newCloser() // not running: as if a descriptor took long to close
	fd, awaitClosed := watchedFD(t)
	for !c.closed() {
		c.write("x\n", slices.Repeat([]int{fd}, maxPassedFDs)...)
		c.receive()
		if len(c.closer.fds) > maxClosing+maxPassedFDs+1 {
			t.Fatalf("%d descriptors wait", len(c.closer.fds))
		}
	}
	_ = unix.Close(fd)
	if len(c.faults) != 1 || c.faults[0] == nil {
		t.Errorf("closed with %v", c.faults)
	}
	c.closer.close(busy)
	go c.closer.run()
	awaitBusy()
	awaitClosed()
}

// No callback comes after close, which any callback may call.
func TestChannelClosedInACallback(t *testing.T) {
	t.Parallel()
	c := newChannelTest(t)
	onFrame, fault := c.onFrame, errors.New("enough")
	c.onFrame = func(frame []byte, whole bool) {
		onFrame(frame, whole)
		if string(frame) == "two" {
			c.close(fault)
			c.close(nil)
		}
	}
	c.write("one\ntwo\nthree\nfou")
	c.until(c.closed)
	if !slices.Equal(c.frames, []string{"one", "two"}) || !slices.Equal(c.faults, []error{fault}) {
		t.Errorf("frames %q, faults %v", c.frames, c.faults)
	}
	if got := <-c.readAll(); len(got) > 0 {
		t.Errorf("the other end got %q", got)
	}
	fd, awaitClosed := watchedFD(t)
	c.send([]byte("x\n"), fd, 1)
	awaitClosed()
	c.onTick()
	c.pause(true)
	if c.receive() || c.idle() || len(c.faults) != 1 {
		t.Errorf("a closed channel does something: %v", c.faults)
	}
}

// Too much that waits is a fault of the other end, be it frames or bytes.
func TestChannelLimit(t *testing.T) {
	t.Parallel()
	for size, limit := range map[int]int{10: 20, 2000: 1000} {
		c := newChannelTest(t)
		fd, awaitClosed := watchedFD(t)
		frame := []byte(strings.Repeat("x", size))
		for range 1 << 20 {
			copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			if c.send(frame, copied, limit); c.closed() {
				break
			}
			if len(c.queue) > limit || c.queued > limit<<10 {
				t.Fatalf("%d frames with %d bytes wait", len(c.queue), c.queued)
			}
		}
		_ = unix.Close(fd)
		if len(c.faults) != 1 || c.faults[0] == nil || len(c.queue) > 0 {
			t.Errorf("closed with %v, %d frames wait", c.faults, len(c.queue))
		}
		c.peer.Close()
		awaitClosed()
	}
}

// While it is paused, only receive reads it.
func TestChannelPaused(t *testing.T) {
	t.Parallel()
	c := newChannelTest(t)
	c.pause(true)
	c.write("one\n")
	c.poller.wake()
	if err := c.poller.wait(); err != nil || len(c.frames) > 0 {
		t.Fatalf("read %q, error %v", c.frames, err)
	}
	if !c.receive() || c.receive() || !slices.Equal(c.frames, []string{"one"}) {
		t.Errorf("received %q", c.frames)
	}
	c.write("two\n")
	c.pause(false)
	c.until(func() bool { return len(c.frames) == 2 })
}

// What is left is read to the end, but not for ever: another process may write on.
func TestChannelReceivesTheRest(t *testing.T) {
	t.Parallel()
	c := newChannelTest(t)
	c.write(strings.Repeat("x\n", 2000))
	c.receiveRemaining()
	if len(c.frames) != 2000 {
		t.Errorf("%d frames", len(c.frames))
	}
	reads := 0
	c.onFrame = func([]byte, bool) {
		if reads++; reads > 1000 {
			t.Fatal("it reads for ever")
		}
		c.write("y\n")
	}
	c.write("y\n")
	c.receiveRemaining()
}
