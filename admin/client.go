package admin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
)

// How long the first line of an answer may take. That to health says after three seconds
// that the loop of nodeinit does not answer; a status may wait for those of other clients.
const (
	healthTimeout = 5 * time.Second
	statusTimeout = 10 * time.Second
)

// A Client speaks to one nodeinit. It is for one goroutine at a time.
type Client struct {
	address string
	pid     int      // in the address; 0: it is a path
	first   *os.File // the connection that Dial made, for the first request
}

// PID returns the process ID of the nodeinit, 0 if it was found by a path.
func (c *Client) PID() int { return c.pid }

// Close closes what Dial has opened, if there was no request.
func (c *Client) Close() {
	if c.first != nil {
		_ = c.first.Close()
		c.first = nil
	}
}

// Status returns the state of the nodeinit.
func (c *Client) Status() (*Document, error) {
	var d Document
	_, err := c.do(request{Op: opStatus}, statusTimeout, func(line []byte) (bool, error) {
		a, err := parseAnswer(line)
		if err != nil {
			return false, err
		}
		if a.Version != ProtocolVersion {
			return false, fmt.Errorf("that nodeinit speaks version %d of the control protocol, not %d (use its own client)", a.Version, ProtocolVersion)
		}
		return true, decodeAnswer(line, d.decode)
	})
	if err != nil {
		return nil, err
	}
	return &d, nil
}

// Health reports whether the container serves, and why not.
func (c *Client) Health() (healthy bool, text string, err error) {
	text, err = c.do(request{Op: opHealth}, healthTimeout, func(line []byte) (bool, error) {
		a, err := parseAnswer(line)
		if err == nil && a.Healthy == nil {
			err = errAnswer
		}
		if err == nil {
			healthy, text = *a.Healthy, a.Text
		}
		return true, err
	})
	return healthy, text, err
}

// Reload replaces all workers, and returns at the end of that what to tell. on is
// called with each step.
func (c *Client) Reload(on func(Event)) (text string, err error) {
	return c.operate(request{Op: opReload}, on)
}

// Scale has so many workers from now on, 0: as many as the limits are good for, and
// with force more than those. It returns as Reload does.
func (c *Client) Scale(workers int, force bool, on func(Event)) (text string, err error) {
	return c.operate(request{Op: opScale, Workers: workers, Force: force}, on)
}

func (c *Client) operate(q request, on func(Event)) (text string, err error) {
	return c.do(q, statusTimeout, func(line []byte) (bool, error) {
		a, err := parseAnswer(line)
		if err != nil {
			return false, err
		}
		if a.Event != nil && on != nil {
			on(*a.Event)
		}
		return a.Done, nil
	})
}

// do sends a request and calls each with the lines of the answer, until it says that one
// was the last, and returns the text of that. The limit is for the first line.
func (c *Client) do(q request, limit time.Duration, each func(line []byte) (last bool, err error)) (text string, err error) {
	conn := c.first
	c.first = nil
	if conn == nil {
		if conn, err = dial(c.address, c.pid); err != nil {
			return "", err
		}
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(limit))
	q.Version = ProtocolVersion
	writeErr := q.send(conn) // a server that refuses has closed the connection, and left an answer
	lines := lineReader{from: conn, max: maxAnswer}
	for {
		line, err := lines.next()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return "", fmt.Errorf("no answer within %v", limit)
		case err == io.EOF || errors.Is(err, unix.ECONNRESET):
			if writeErr != nil && !errors.Is(writeErr, unix.EPIPE) {
				return "", writeErr
			}
			return "", errors.New("the connection was closed before the end of the answer")
		case err != nil:
			return "", err
		}
		_ = conn.SetReadDeadline(time.Time{})
		if last, err := each(line); last || err != nil {
			if q.socket != 0 {
				endRequest(conn)
			}
			a, _ := parseAnswer(line)
			return a.Text, err
		}
	}
}

// send writes the request, which the connection has room for: it is new.
func (q request) send(conn *os.File) error {
	passed := q.socket
	if passed == 0 {
		passed = -1
	}
	return withFD(conn, func(fd int) error {
		_, err := cluster.Send(fd, q.appendJSON(nil), passed)
		return err
	})
}

// withFD calls f with the descriptor of a file.
func withFD(file *os.File, f func(fd int) error) (err error) {
	conn, err := file.SyscallConn()
	if err == nil {
		_ = conn.Control(func(fd uintptr) { err = f(int(fd)) })
	}
	return err
}

// endRequest tells the server that nothing more is needed of it, and returns when the server
// has handled that: it can be asked for the next profile then.
func endRequest(conn *os.File) {
	_ = withFD(conn, func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) })
	_ = conn.SetReadDeadline(time.Now().Add(writeTimeout))
	_, _ = conn.Read(make([]byte, 1))
}

// A lineReader reads lines, none of which may be longer than max.
type lineReader struct {
	from io.Reader
	max  int
	buf  []byte
}

// next returns the next line without its end. It is valid until the next call.
func (r *lineReader) next() ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(r.buf[seen:], '\n'); i >= 0 {
			line := r.buf[:seen+i]
			r.buf = r.buf[seen+i+1:]
			return line, nil
		}
		seen = len(r.buf)
		if seen > r.max {
			return nil, fmt.Errorf("the answer has a line of more than %d bytes", r.max)
		}
		if cap(r.buf)-len(r.buf) < 4<<10 {
			r.buf = append(make([]byte, 0, 2*len(r.buf)+8<<10), r.buf...)
		}
		n, err := r.from.Read(r.buf[seen:cap(r.buf)])
		r.buf = r.buf[:seen+n]
		if n == 0 && err != nil {
			return nil, err
		}
	}
}
