package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/httpget"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A Route is what to ask a worker for.
type Route struct {
	Port int    // 0: that of its first TCP server
	Path string // with a query, if there is one
}

// An Answer is that of a worker.
type Answer = httpget.Answer

// An Asker asks workers over HTTP. Set the fields before use; any goroutine may call its
// methods.
type Asker struct {
	// Connect returns a connection to a server of a worker, whose port may be 0; see
	// [ConnectTo].
	Connect   func(w supervisor.WorkerStatus, port int) (fd int, err error)
	UserAgent string
	*Shared   // with the servers
}

var errInternal = errors.New("nodeinit could not ask")

// Get sends a worker a GET and returns its answer. With status 200 and maxBody above 0 it
// has the body, which may have so many bytes; another status is no error. ctx limits the
// time. The errors are words for a log: what cannot be asked, does not answer, or answers
// something else.
func (a *Asker) Get(ctx context.Context, w supervisor.WorkerStatus, route Route, accept string, maxBody int) (Answer, error) {
	began := time.Now()
	fd, err := a.Connect(w, route.Port)
	if err != nil {
		return Answer{}, err
	}
	a.calls.Lock()
	c := newConnection(fd, &a.calls)
	a.calls.Unlock()
	defer c.close()
	_ = c.file.SetReadDeadline(time.Time{})
	defer context.AfterFunc(ctx, func() { _ = c.file.SetDeadline(time.Unix(1, 0)) })()
	host := "127.0.0.1"
	if route.Port != 0 {
		host += ":" + strconv.Itoa(route.Port)
	}
	e := &exchange{connection: c}
	answer, err := httpget.Do(e, httpget.Request{
		Target: route.Path, Host: host, UserAgent: a.UserAgent, Accept: accept, MaxBody: maxBody,
	})
	switch deadline, limited := ctx.Deadline(); {
	case err == nil:
		return answer, nil
	case limited && errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("no answer within %v", deadline.Sub(began).Round(time.Millisecond))
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		if err = errCut; !e.answered {
			err = errNoAnswer
		}
	}
	return Answer{}, err
}

var (
	errCut = errors.New("it has closed the connection before the end of its answer")
	// Node sends no alert to a client that does not speak TLS.
	errNoAnswer = errors.New("it has closed the connection without an answer, as a server does that speaks TLS")
)

// An exchange is a connection for a request and its answer.
type exchange struct {
	*connection
	answered bool // something has come
}

func (e *exchange) Read(b []byte) (int, error) {
	n, err := e.read(b)
	e.answered = e.answered || n > 0
	return n, err
}

func (e *exchange) Write(b []byte) (int, error) {
	if err := e.write(b); err != nil {
		return 0, err
	}
	return len(b), nil
}
