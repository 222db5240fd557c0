package admin

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

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
	Log *logs.Logger
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
	// Trim, if set, ends threads that are too many. It is called after many requests.
	Trim func()

	// One connection at a time makes a system call: Go's runtime makes another thread for
	// each that is in one when the CPUs are busy, and ends none.
	calls     sync.Mutex
	status    sync.Mutex    // held while Status or Profile is called
	silent    silent        // connections whose request has not come
	long      atomic.Int32  // connections whose request is no health
	followers atomic.Int32  // of these, those that follow an operation
	profiling atomic.Bool   // there is a connection for a profile
	garbage   atomic.Int32  // bytes, about, since the last collection
	peer      [8 << 10]byte // what Run's goroutine reads about a client
}

// How long nothing is accepted where that is no use.
const (
	acceptPause = 100 * time.Millisecond // after an error: there may be no descriptors left

	refusalPause = 10 * time.Millisecond // after so many refusals without a wait, so that they do not take all CPU time
	refusalBurst = 64
)

// Run serves until ctx is done, and returns when all connections have ended: what they
// still write has its time limit. Where there can be no socket, that is logged once.
func (s *Server) Run(ctx context.Context) {
	l, err := listen(s.Control)
	if err != nil {
		s.Log.Warn("no control socket").Str("warning", "status, top, reload, scale and health cannot reach this nodeinit").
			Str("error", logs.Truncate(err.Error())).Send()
		return
	}
	defer l.close()
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = l.file.Close()
		close(closed)
	})
	s.serve(ctx, l)
	if !stop() {
		<-closed // accept returns before that: clients would still find the socket
	}
}

func (s *Server) serve(ctx context.Context, l *listener) {
	var connections sync.WaitGroup
	defer connections.Wait()
	free := make(chan struct{}, maxConnections)
	for refused := 0; ; {
		fd, err := l.accept(&s.calls)
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			if !pause(ctx, acceptPause) {
				return
			}
			continue
		}
		if err = s.check(fd); err == nil && !s.makeRoom(ctx, free) {
			err = errTooMany
		}
		if err == nil {
			refused = 0
			c := s.connect(fd)
			connections.Go(func() { s.answer(ctx, c); <-free })
			continue
		}
		s.refuse(fd, err)
		if refused++; refused%refusalBurst == 0 && !pause(ctx, refusalPause) {
			return
		}
	}
}

// pause waits, and reports whether to go on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
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

var errTooMany = errors.New("too many clients")

// makeRoom adds a value to free, or reports that there is no room for another connection.
// Where all are taken, one whose client says nothing makes room.
func (s *Server) makeRoom(ctx context.Context, free chan<- struct{}) bool {
	select {
	case free <- struct{}{}:
		return true
	default:
	}
	if !s.silent.end() {
		return false
	}
	select {
	case free <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Server) connect(fd int) *connection {
	s.calls.Lock()
	defer s.calls.Unlock()
	return newConnection(fd, &s.calls)
}

// refuse says why to a client. Its socket is new, so there is room for the line.
func (s *Server) refuse(fd int, why error) {
	s.calls.Lock()
	defer s.calls.Unlock()
	_ = unix.Send(fd, appendError(nil, why), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	unix.Close(fd)
}

// Garbage is collected, and its memory returned, once requests have made about so much:
// left to itself, Go lets 4 MB gather.
const (
	maxGarbage    = 512 << 10 // bytes
	statusGarbage = 64 << 10  // of a document
	otherGarbage  = 8 << 10   // of another request, and of a connection without one
)

// answer serves one client.
func (s *Server) answer(ctx context.Context, c *connection) {
	defer c.close()
	s.silent.add(c)
	line, err := c.readRequest(ctx)
	if !s.silent.remove(c) {
		err = errTooMany
	}
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
	if s.garbage.Add(garbage) >= maxGarbage {
		s.garbage.Store(0)
		debug.FreeOSMemory()
		if s.Trim != nil {
			s.Trim()
		}
	}
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
		s.status.Lock()
		text := s.Status(nil)
		s.status.Unlock()
		_ = c.write(append(text, '\n'))
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
