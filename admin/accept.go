package admin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/logs"
)

// Shared is what the servers of a process share, so that both together have no more
// threads and garbage than one. Only Log has to be set.
type Shared struct {
	// Log has what goes wrong in nodeinit itself.
	Log *logs.Logger
	// Trim, if set, ends threads that are too many. It is called after many requests.
	Trim func()

	// One connection at a time makes a system call: Go's runtime makes another thread for
	// each that is in one when the CPUs are busy, and ends none.
	calls   sync.Mutex
	reading sync.Mutex   // held while files are read for an answer, for the same reason
	garbage atomic.Int32 // bytes, about, since the last collection
}

// Guard calls f. A panic in it, a fault of nodeinit, is logged and costs no more than what f
// does: it would end the process, and with PID 1 the container.
func (s *Shared) Guard(f func()) {
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error("internal error, please report it").Str("error", logs.Truncate(fmt.Sprint(p))).
				Str("stack", logs.Truncate(string(debug.Stack()))).Send()
		}
	}()
	f()
}

// Garbage is collected, and its memory returned, once requests have made about so much:
// left to itself, Go lets 4 MB gather.
const maxGarbage = 512 << 10 // bytes

// leave records so much garbage.
func (s *Shared) leave(garbage int32) {
	if s.garbage.Add(garbage) < maxGarbage {
		return
	}
	s.garbage.Store(0)
	debug.FreeOSMemory()
	if s.Trim != nil {
		s.Trim()
	}
}

// An acceptor accepts the clients of a socket, and serves some at a time.
type acceptor struct {
	shared *Shared
	// check refuses those that are no clients; nil: all are. Refuse says why to the client
	// of a socket.
	check  func(fd int) error
	refuse func(fd int, why error)
	answer func(ctx context.Context, c *connection)

	waiting waiting // connections that wait for their client
}

// How long nothing is accepted where that is no use.
const (
	acceptPause = 100 * time.Millisecond // after an error: there may be no descriptors left

	refusalPause = 10 * time.Millisecond // after so many refusals without a wait, so that they do not take all CPU time
	refusalBurst = 64
)

// run serves the clients of l until ctx is done, and returns when all connections have
// ended: what they still write has its time limit. It closes l.
func (a *acceptor) run(ctx context.Context, l *listener) {
	defer l.close()
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = l.file.Close()
		close(closed)
	})
	a.serve(ctx, l)
	if !stop() {
		<-closed // accept returns before that: clients would still find the socket
	}
}

func (a *acceptor) serve(ctx context.Context, l *listener) {
	var connections sync.WaitGroup
	defer connections.Wait()
	free := make(chan struct{}, maxConnections)
	for refused := 0; ; {
		fd, err := l.accept(&a.shared.calls)
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			a.waiting.end() // its descriptor may be what is missing
			if !pause(ctx, acceptPause) {
				return
			}
			continue
		}
		if a.check != nil {
			err = a.check(fd)
		}
		if err == nil && !a.makeRoom(ctx, free) {
			err = errTooMany // and the loop is about to end
		}
		if err == nil {
			refused = 0
			c := a.connect(fd)
			connections.Go(func() {
				defer func() { <-free }()
				defer c.close()
				a.shared.Guard(func() { a.answer(ctx, c) })
			})
			continue
		}
		a.refuse(fd, err)
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

var errTooMany = errors.New("too many clients")

// makeRoom adds a value to free when there is room for another connection, false once ctx is
// done. Where all are taken, one that waits for its client makes room. Of the others some
// are over soon: those that may take long are maxLong at most.
func (a *acceptor) makeRoom(ctx context.Context, free chan<- struct{}) bool {
	for {
		select {
		case free <- struct{}{}:
			return true
		default:
		}
		var again <-chan time.Time // never, where one ends that makes room for this one
		if !a.waiting.end() {
			again = time.After(waitingTime)
		}
		select {
		case free <- struct{}{}:
			return true
		case <-again:
		case <-ctx.Done():
			return false
		}
	}
}

func (a *acceptor) connect(fd int) *connection {
	a.shared.calls.Lock()
	defer a.shared.calls.Unlock()
	return newConnection(fd, &a.shared.calls)
}

// readRequest returns what the client sends, as far as complete says that it belongs to
// the request, and all that has come. Another client may make it end.
func (a *acceptor) readRequest(ctx context.Context, c *connection, complete func([]byte) int) (request, all []byte, err error) {
	a.waiting.add(c)
	request, all, err = c.readRequest(ctx, complete)
	if !a.waiting.remove(c) {
		err = errTooMany
	}
	return request, all, err
}
