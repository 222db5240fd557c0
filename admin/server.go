package admin

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/supervisor"
)

// An Operation is a reload or scale that has been requested. *supervisor.Operation is one.
type Operation interface {
	// Events brings the steps, and is closed at the end.
	Events() <-chan supervisor.Event
	// Failure returns, after that, why it failed; "": it did not.
	Failure() string
	// Text returns, after that, what was done.
	Text() string
}

// A Server answers clients at the control socket of this process. Set the fields, then
// call Run once. The functions are called on any goroutine.
type Server struct {
	// Control is where: [Auto], or a path.
	Control string

	// Status appends the Document as JSON. There is one call at a time: each reads files,
	// and a goroutine that does occupies a thread.
	Status func([]byte) []byte
	Health func() (healthy bool, text string)
	Reload func() Operation
	Scale  func(workers int, force bool) Operation
	// Profile has a worker write a profile to a socket, which stays open here, and returns
	// the event that says which. Not at the same time as Status.
	Profile func(p Profile, socket int) (supervisor.Event, error)

	*Shared // with other servers

	acceptor  acceptor
	long      atomic.Int32  // connections whose request is no health
	followers atomic.Int32  // of these, those that follow an operation
	profiling atomic.Bool   // there is a connection for a profile
	peer      [8 << 10]byte // what Run's goroutine reads about a client
}

// Run serves until ctx is done, and returns when all connections have ended: what they
// still write has its time limit. Where there can be no socket, that is logged once.
func (s *Server) Run(ctx context.Context) {
	l, err := listen(s.Control)
	if err != nil {
		s.Log.Warn("no control socket").Str("warning", "status, top, reload, scale and health cannot reach this nodeinit").
			Str("error", logs.Truncate(err.Error())).Send()
		return
	}
	s.acceptor = acceptor{shared: s.Shared, check: s.check, refuse: s.refuse, answer: s.answer}
	s.acceptor.run(ctx, l)
}

// check refuses those that are no clients of this server.
func (s *Server) check(fd int) error {
	s.calls.Lock()
	defer s.calls.Unlock()
	peer, err := peerOf(fd)
	if err == nil {
		err = checkClient(peer, unix.Geteuid(), s.peer[:])
	}
	return err
}

// refuse says why to a client. Its socket is new, so there is room for the line.
func (s *Server) refuse(fd int, why error) {
	s.calls.Lock()
	defer s.calls.Unlock()
	_ = unix.Send(fd, appendError(nil, why), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	unix.Close(fd)
}

// What requests leave behind, in bytes, about.
const (
	statusGarbage = 64 << 10 // a document
	otherGarbage  = 8 << 10  // another request, and a connection without one
)

// answer serves one client.
func (s *Server) answer(ctx context.Context, c *connection) {
	line, _, err := s.acceptor.readRequest(ctx, c, func(b []byte) int { return bytes.IndexByte(b, '\n') })
	var q request
	if err == nil {
		q, err = parseRequest(line)
	}
	if err == nil {
		err = s.do(ctx, c, q)
	}
	if err != nil && !errors.Is(err, errNoRequest) {
		_ = c.write(appendError(nil, err))
	}
	garbage := int32(otherGarbage)
	if q.Op == opStatus {
		garbage = statusGarbage
	}
	s.leave(garbage)
}

func (s *Server) readStatus() []byte {
	s.reading.Lock()
	defer s.reading.Unlock()
	return s.Status(nil)
}

// do does what a client asks for, and answers. An error is what to answer instead.
func (s *Server) do(ctx context.Context, c *connection, q request) error {
	if q.Op != opHealth {
		defer s.long.Add(-1)
		if s.long.Add(1) > maxLong {
			return errTooMany
		}
	}
	switch q.Op {
	case opStatus:
		_ = c.write(append(s.readStatus(), '\n'))
	case opHealth:
		healthy, text := s.Health()
		_ = c.write(appendHealth(nil, healthy, text))
	case opReload, opScale:
		defer s.followers.Add(-1)
		if s.followers.Add(1) > maxFollowers {
			return errors.New("too many clients wait for a reload or scale")
		}
		if c.write([]byte(accepted)) != nil {
			return nil // the client has gone, and has told its user that there was no answer
		}
		if q.Op == opReload {
			return c.follow(ctx, s.Reload())
		}
		return c.follow(ctx, s.Scale(q.Workers, q.Force))
	case opProfile:
		return s.profile(ctx, c, q.profile())
	}
	return nil
}
