package cluster

import (
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// watched returns a descriptor, and a function that waits until all copies of it are closed.
func watched(t *testing.T) (fd int, closed func()) {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn := unixConn(t, ends[0])
	return ends[1], func() {
		t.Helper()
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("read %d, %v, want the end", n, err)
		}
	}
}

// startCloser runs one until the test ends.
func startCloser(t *testing.T) *closer {
	t.Helper()
	c := newCloser()
	go c.run()
	t.Cleanup(func() { c.shutdown(testproc.HangLimit) })
	return c
}

// Whatever is to be closed is, from however many goroutines it comes, and in whatever batches.
func TestCloserClosesAll(t *testing.T) {
	t.Parallel()
	c := newCloser()
	var each []func()
	early, closed := watched(t)
	each = append(each, closed)
	c.close(early) // before it runs
	go c.run()
	t.Cleanup(func() { c.shutdown(testproc.HangLimit) })
	var closers sync.WaitGroup
	for range 8 {
		var fds []int
		for range 10 {
			fd, closed := watched(t)
			fds, each = append(fds, fd), append(each, closed)
		}
		closers.Go(func() {
			c.close(fds[:5]...)
			c.close()
			for _, fd := range fds[5:] {
				c.close(fd)
			}
		})
	}
	closers.Wait()
	for _, closed := range each {
		closed()
	}
}

// At its end what is left is closed first, also if it was given a moment before; it ends once.
func TestCloserEndsWhenAllIsClosed(t *testing.T) {
	t.Parallel()
	c := newCloser()
	fd, closed := watched(t)
	c.close(fd)
	go c.run()
	c.shutdown(testproc.HangLimit)
	select {
	case <-c.done:
	default:
		t.Error("it has not ended")
	}
	closed()
	c.shutdown(testproc.HangLimit)
}

// A close that takes for ever, which is that of a channel with a socket that lingers in it,
// holds up neither the next close, nor the end.
func TestCloserThatIsBlockedHoldsUpNobody(t *testing.T) {
	t.Parallel()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := lingering(t)
	err = unix.Sendmsg(ends[0], []byte{0}, unix.UnixRights(fd), nil, 0)
	_ = unix.Close(fd)
	if err != nil {
		t.Fatal(err)
	}
	c := newCloser()
	go c.run()
	c.close(ends[1], ends[0])
	next, _ := watched(t)
	c.close(next)
	c.shutdown(time.Nanosecond)
	c.close(-1) // and later
}

// More wait than can be meant well is more than the limit, and that is over when they are closed.
func TestCloserIsOverloadedAboveItsLimit(t *testing.T) {
	t.Parallel()
	c := newCloser()
	for range maxClosing {
		c.close(-1)
	}
	if c.overloaded() {
		t.Errorf("%d are too many", maxClosing)
	}
	c.close(-1)
	if !c.overloaded() {
		t.Errorf("%d are not too many", maxClosing+1)
	}
	go c.run()
	c.shutdown(testproc.HangLimit)
	if c.overloaded() {
		t.Error("closed ones are too many")
	}
}

// A connection is closed without waiting for its peer, whatever SO_LINGER says; the peer still
// gets all that was written, and then the end.
func TestClosedConnectionIsSentToItsEnd(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, seconds := range []int32{0, 600} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(testproc.HangLimit))
		fd := acceptedFD(t, l)
		// With 0 seconds close would reset the connection.
		if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: seconds}); err != nil {
			t.Fatal(err)
		}
		written := 0
		for {
			n, err := unix.Write(fd, make([]byte, 1<<16))
			if err != nil {
				break
			}
			written += n
		}
		closeConnection(fd)
		if n, err := io.Copy(io.Discard, c); err != nil || int(n) != written {
			t.Errorf("linger %d: read %d of %d bytes, %v", seconds, n, written, err)
		}
	}
}

// acceptedFD returns the descriptor of the next connection.
func acceptedFD(t *testing.T, l net.Listener) int {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	file, err := c.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	return fd
}

// What is no socket is closed too.
func TestCloserClosesFiles(t *testing.T) {
	t.Parallel()
	c := startCloser(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	fd, err := unix.FcntlInt(write.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	write.Close()
	if err != nil {
		t.Fatal(err)
	}
	c.close(fd)
	if n, err := read.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("read %d, %v, want the end", n, err)
	}
}
