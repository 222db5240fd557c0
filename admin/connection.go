package admin

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/supervisor"
)

// A connection is the server's end of one. It belongs to one goroutine.
type connection struct {
	calls *sync.Mutex // locked during system calls
	file  *os.File
	conn  syscall.RawConn
	gone  chan struct{} // closed when awaitHangup has ended; nil: it was not called
}

// newConnection returns a connection, whose request has its time limit from now on. Calls
// is locked already.
func newConnection(fd int, calls *sync.Mutex) *connection {
	c := &connection{calls: calls, file: os.NewFile(uintptr(fd), "control connection")}
	c.conn, _ = c.file.SyscallConn() // fails where the file is closed only
	_ = c.file.SetReadDeadline(time.Now().Add(requestTimeout))
	return c
}

// close returns when nothing that belongs to the connection is left.
func (c *connection) close() {
	c.calls.Lock()
	_ = c.file.Close()
	c.calls.Unlock()
	if c.gone != nil {
		<-c.gone
	}
}

// Errors of readRequest.
var (
	errNoRequest = errors.New("no request") // complete; there is no answer to it
	errTooLate   = errors.New("no request within 5s")
	errTooLong   = errors.New("the request is longer than 4096 bytes")
)

// readRequest returns what the client sends, before the end that complete returns, which
// is -1 as long as more is missing; and all that has come. It ends with ctx.
func (c *connection) readRequest(ctx context.Context, complete func([]byte) (end int)) (request, all []byte, err error) {
	stop := context.AfterFunc(ctx, func() { c.endWait() })
	defer stop()
	all = make([]byte, 0, 512)
	for {
		n, err := c.read(all[len(all):cap(all)])
		all = all[:len(all)+n]
		end := complete(all)
		switch {
		case end >= 0:
			return all[:end], all, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, all, errTooLate
		case err != nil:
			return nil, all, errNoRequest
		case len(all) >= maxRequest:
			return nil, all, errTooLong
		case len(all) == cap(all):
			all = append(make([]byte, 0, maxRequest), all...)
		}
	}
}

// endWait has what waits for the client return. Any goroutine may call it.
func (c *connection) endWait() { _ = c.file.SetDeadline(time.Unix(1, 0)) }

// read reads what has arrived, as soon as there is something. At the end it is [io.EOF].
func (c *connection) read(b []byte) (n int, err error) {
	waited := c.conn.Read(func(fd uintptr) bool {
		c.calls.Lock()
		defer c.calls.Unlock()
		for {
			if n, err = unix.Read(int(fd), b); !errors.Is(err, unix.EINTR) {
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	switch {
	case waited != nil:
		return 0, waited
	case err == nil && n == 0:
		return 0, io.EOF
	}
	return max(n, 0), err
}

// write writes a line. A client that does not read has it fail.
func (c *connection) write(line []byte) (err error) {
	_ = c.file.SetWriteDeadline(time.Now().Add(writeTimeout))
	waited := c.conn.Write(func(fd uintptr) bool {
		c.calls.Lock()
		defer c.calls.Unlock()
		for len(line) > 0 {
			n, failed := unix.Write(int(fd), line)
			switch {
			case failed == nil:
				line = line[n:]
			case errors.Is(failed, unix.EAGAIN):
				return false
			case !errors.Is(failed, unix.EINTR):
				err = failed
				return true
			}
		}
		return true
	})
	return errors.Join(waited, err)
}

// follow passes on the steps of an operation until its end, or that of the client: the
// operation itself goes on then. An error is the answer to give.
func (c *connection) follow(ctx context.Context, o Operation) error {
	c.awaitHangup()
	for {
		select {
		case event, more := <-o.Events():
			if !more {
				return c.end(o)
			}
			if c.write(appendEvent(nil, event)) != nil {
				return nil
			}
		case <-c.gone:
			return nil
		case <-ctx.Done():
			return c.drain(o)
		}
	}
}

// end gives the last answer to an operation that has ended.
func (c *connection) end(o Operation) error {
	if why := o.Failure(); why != "" {
		return errors.New(why)
	}
	_ = c.write(appendDone(nil, o.Text()))
	return nil
}

// drain passes on the steps that there are, because the container ends.
func (c *connection) drain(o Operation) error {
	for {
		select {
		case event, more := <-o.Events():
			if !more {
				return c.end(o)
			}
			if c.write(appendEvent(nil, event)) != nil {
				return nil
			}
		default:
			return errors.New("stopping")
		}
	}
}

// awaitHangup closes gone when the client has closed its end, and not only for writing.
func (c *connection) awaitHangup() {
	c.gone = make(chan struct{})
	_ = c.file.SetReadDeadline(time.Time{})
	go func() {
		defer close(c.gone)
		_ = c.conn.Read(hungUp) // an error is that close was called
	}()
}

// hungUp reports whether nothing can be written to a socket any more.
func hungUp(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 // POLLHUP or POLLERR: nothing else was asked for
}

var _ Operation = (*supervisor.Operation)(nil)

// Bounds of linger.
const (
	lingerTime  = time.Second
	lingerBytes = 1 << 20
)

// linger has the client read its answer though it has sent more than was read: to close a
// socket then resets the connection, and the answer may be lost with it (tcp(7); RFC 9112,
// 9.6). It reads on until the client closes its end, to the bounds.
func (c *connection) linger() {
	c.calls.Lock()
	var fd int
	_ = c.conn.Control(func(f uintptr) { fd = int(f) })
	_ = unix.Shutdown(fd, unix.SHUT_WR)
	c.calls.Unlock()
	_ = c.file.SetReadDeadline(time.Now().Add(lingerTime))
	rest := make([]byte, 4<<10)
	for total := 0; total < lingerBytes; {
		n, err := c.read(rest)
		if err != nil {
			return
		}
		total += n
	}
}
