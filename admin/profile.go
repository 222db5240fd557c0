package admin

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/supervisor"
)

// A Profile is what is asked for of a worker.
type Profile struct {
	Kind    string  // cpu, heap, alloc or report
	Seconds float64 // that cpu and alloc take
	Worker  int     // its slot
	Force   bool    // of heap: also where there may not be the memory for it
}

// Timed reports whether it takes Seconds.
func (p Profile) Timed() bool { return p.Kind == "cpu" || p.Kind == "alloc" }

// Bounds of Profile.Seconds.
const (
	MinSeconds = 0.1
	MaxSeconds = 3600
)

// check returns why there is no such profile.
func (p Profile) check() error {
	switch {
	case !p.Timed() && p.Kind != "heap" && p.Kind != "report":
		return errors.New("this nodeinit knows no such profile")
	case p.Timed() && !(p.Seconds >= MinSeconds && p.Seconds <= MaxSeconds):
		return errors.New("a profile takes from 0.1 to 3600 seconds")
	case p.Worker < 0:
		return errors.New("a worker has a number from 0 on")
	}
	return nil
}

// profile gives a worker the socket that came with the request. The client has the other
// end, and what the worker writes does not pass through this process. There is one at a
// time, from the request to the end of the client.
func (s *Server) profile(ctx context.Context, c *connection, p Profile) error {
	if !s.profiling.CompareAndSwap(false, true) {
		return errors.New("another client is taking a profile, and there is one at a time")
	}
	defer s.profiling.Store(false)
	if err := c.checkPassed(); err != nil {
		return err
	}
	event, err := s.beginProfile(p, c.passed)
	c.closePassed()
	if err != nil {
		return err
	}
	if c.write(appendEvent(nil, event)) == nil {
		c.awaitEnd(ctx)
	}
	return nil
}

func (s *Server) beginProfile(p Profile, socket int) (supervisor.Event, error) {
	s.reading.Lock() // to look for the worker and for memory reads files too
	defer s.reading.Unlock()
	return s.Profile(p, socket)
}

// checkPassed has the descriptor that was passed be one that a worker can write to without
// waiting, and without effect on anything but its other end.
func (c *connection) checkPassed() error {
	if c.passed < 0 {
		return errors.New("a socket has to come with the request")
	}
	domain, err := unix.GetsockoptInt(c.passed, unix.SOL_SOCKET, unix.SO_DOMAIN)
	kind, kindErr := unix.GetsockoptInt(c.passed, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kindErr != nil || domain != unix.AF_UNIX || kind != unix.SOCK_STREAM {
		return errors.New("what came with the request is no Unix stream socket")
	}
	return os.NewSyscallError("fcntl", unix.SetNonblock(c.passed, true))
}

// closePassed closes what came with the request. That may wait, so calls is not locked.
func (c *connection) closePassed() {
	if c.passed >= 0 {
		unix.Close(c.passed)
		c.passed = -1
	}
}

// awaitEnd returns when the client has said that it needs nothing more, by ending its half
// of the connection, or has gone, or ctx is done.
func (c *connection) awaitEnd(ctx context.Context) {
	_ = c.file.SetReadDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { c.endWait() })
	defer stop()
	_, _ = c.read(make([]byte, 1))
}

// beginTimeout is how long a client waits until the worker has begun: one that has something
// else to do for so long may not do it at all.
const beginTimeout = 30 * time.Second

// Steps of the events of Profile.
const (
	StepStarted = "started" // the worker has been asked
	StepBegun   = "begun"   // and it does
)

// Profile writes what p asks for to a writer, and calls on with the steps. An error says
// that it is not complete.
func (c *Client) Profile(p Profile, on func(Event), to io.Writer) error {
	own, theirs, err := profilePair()
	if err != nil {
		return err
	}
	defer own.Close()
	closeTheirs := sync.OnceFunc(func() { unix.Close(theirs) })
	defer closeTheirs()
	q := request{Op: opProfile, Kind: p.Kind, Seconds: p.Seconds, Worker: p.Worker, Force: p.Force, socket: theirs}
	_, err = c.do(q, statusTimeout, func(line []byte) (bool, error) {
		a, err := parseAnswer(line)
		if err == nil && a.Event == nil {
			err = errors.New("not an answer of the control protocol")
		}
		if err != nil {
			return false, err
		}
		closeTheirs() // so that the end of the worker is that of the connection
		on(*a.Event)
		return true, copyProfile(to, own, a.Event, on)
	})
	return err
}

// copyProfile copies from the worker of an event until the end.
func copyProfile(to io.Writer, from *os.File, worker *Event, on func(Event)) error {
	_ = from.SetReadDeadline(time.Now().Add(beginTimeout))
	r := frameReader{from: from, buf: make([]byte, 64<<10)}
	begun := false
	err := r.copyTo(to, func() {
		_ = from.SetReadDeadline(time.Time{})
		begun = true
		on(Event{Slot: worker.Slot, PID: worker.PID, Step: StepBegun})
	})
	why := ""
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		why = "has not begun within 30 s: its event loop stands still"
	case err != io.EOF && !errors.Is(err, unix.ECONNRESET):
		return err
	case begun:
		why = "has ended: the file is not complete"
	default:
		why = "has ended, or has no descriptor left"
	}
	return errors.New("process " + strconv.Itoa(worker.PID) + " " + why)
}

// profilePair returns the client's end of what a worker writes to, and the worker's.
func profilePair() (own *os.File, theirs int, err error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, -1, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(ends[0]), "profile"), ends[1], nil
}
