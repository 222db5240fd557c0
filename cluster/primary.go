// Package cluster is the primary of Node's cluster protocol: it owns the
// channels of the workers and the sockets they listen on, and decides who gets
// a connection. It starts no process.
//
// The protocol is not documented by Node; what is relied on here was read in
// lib/internal/child_process.js and lib/internal/cluster of Node 18 to 26 and
// did not change between them. Each message is a line of JSON on a Unix stream
// socket; a descriptor travels with the first byte of its line (SCM_RIGHTS).
package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Balance is who gets a connection.
type Balance string

// The ways to balance. What has no connections to hand over (UDP), or a socket
// that was passed in, is shared where it cannot be as asked; Unix sockets are rr.
const (
	// RR: the primary accepts, and passes connections to the workers in turn.
	RR Balance = "rr"
	// Shared: all workers accept from one socket.
	Shared Balance = "shared"
	// ReusePort: the kernel gives each slot a queue of its own.
	ReusePort Balance = "reuseport"
	// IPHash: as ReusePort, but a client address always reaches the same slot.
	IPHash Balance = "ip-hash"
)

// A Primary is the other end of all workers' channels. Make it with New; its
// methods may be called by any goroutine.
type Primary struct {
	// ReopenTimeout is how long a worker may take, from its first server on, to ask for
	// all that its predecessor in the slot had: 10 s, or this if it is more. Set it
	// before Run.
	ReopenTimeout time.Duration
	// BindPrivileged, if set, returns a socket that listens on a port which nodeinit may not
	// bind, or an errno. It is called by a goroutine of its own. Set it before Run.
	BindPrivileged func(PrivilegedPort) (fd int, err error)

	balance Balance
	lastID  atomic.Int64 // of a Worker
	poller  poller
	closer  *closer
	maxFD   int // what is for servers; the rest is for connections and channels

	mu       sync.Mutex
	posted   []func() // for the goroutine of Run to make
	changed  []*Worker
	closed   bool // no more calls are made
	reported chan struct{}

	// What follows belongs to the goroutine of Run.
	workers    map[*Worker]struct{}
	servers    map[string]*server         // by identity; see query.identity
	privileged map[string]*privilegedBind // the same
	lastKey    int

	dispatchPending bool  // there may be connections to hand over
	round           int64 // of distribute

	read  []byte // where a channel is read into
	oob   []byte // and its descriptors
	frame []byte // where a hand-over is built

	msg    unix.Msghdr // for sendmsg and recvmsg
	iov    unix.Iovec
	rights []byte // a control message with one descriptor
}

// New returns a Primary that balances so. Call Run to make it work.
func New(balance Balance) (*Primary, error) {
	p := &Primary{
		balance:    balance,
		reported:   make(chan struct{}, 1),
		closer:     newCloser(),
		maxFD:      maxServerFD(),
		workers:    make(map[*Worker]struct{}),
		servers:    make(map[string]*server),
		privileged: make(map[string]*privilegedBind),
		read:       make([]byte, readSize),
		oob:        make([]byte, unix.CmsgSpace(unix.SizeofUcred)+unix.CmsgSpace(4*maxPassedFDs)),
		rights:     unix.UnixRights(0),
	}
	p.poller.tick = p.onTick
	if err := p.poller.open(); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return p, nil
}

// Run serves the workers until ctx ends, then closes every socket and channel.
// A panic in it is an error too: in PID 1 it would end all without a word.
func (p *Primary) Run(ctx context.Context) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("cluster: internal error, please report it: %v", cause)
		}
	}()
	defer context.AfterFunc(ctx, p.poller.wake)()
	go p.closer.run()
	defer p.shutdown()
	for ctx.Err() == nil {
		p.runPosted()
		p.dispatch()
		runtime.Gosched() // the rest of the process has its turn
		if err := p.poller.wait(); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
	}
	return nil
}

// dispatch hands over what there is, once for all that has happened since.
func (p *Primary) dispatch() {
	if !p.dispatchPending {
		return
	}
	p.dispatchPending = false
	p.round++
	for _, s := range p.servers {
		if s.acceptPending || len(s.undelivered) > 0 {
			s.acceptReady()
		}
	}
}

func (p *Primary) shutdown() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.runPosted()
	for w := range p.workers {
		w.release(false)
	}
	p.poller.close()
	p.closer.shutdown(closeTimeout)
}

// maxServerFD leaves an eighth of the descriptors that nodeinit may have: what
// fails without one is an application's listen, and not all the rest.
func maxServerFD() int {
	limit := unix.Rlimit{Cur: 1024}
	_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	n := int(min(limit.Cur, math.MaxInt32))
	return n - min(n/8, 1024)
}

// post has the goroutine of Run call f.
func (p *Primary) post(f func()) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.posted = append(p.posted, f)
	p.mu.Unlock()
	p.poller.wake()
}

func (p *Primary) runPosted() {
	p.mu.Lock()
	calls := p.posted
	p.posted = nil
	p.mu.Unlock()
	for _, f := range calls {
		f()
	}
}

// Open makes a channel for a worker that is about to be started in slot. The
// worker's end of it is returned too: pass it to the process and close it.
func (p *Primary) Open(slot int) (w *Worker, end int, err error) { return p.open(&Worker{Slot: slot}) }

// OpenFork is Open for a program that runs as one process and is no worker of
// Node's cluster. It has a channel for its agent, and for process.send.
func (p *Primary) OpenFork() (w *Worker, end int, err error) { return p.open(&Worker{forkMode: true}) }

func (p *Primary) open(w *Worker) (_ *Worker, end int, err error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, -1, os.NewSyscallError("socketpair", err)
	}
	err = unix.SetNonblock(ends[0], true)
	if err == nil {
		err = unix.SetsockoptInt(ends[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1) // see identity
	}
	if err != nil {
		return nil, -1, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(ends[0]), unix.Close(ends[1]))
	}
	w.id = p.lastID.Add(1)
	w.primary, w.fd, w.servers = p, ends[0], make(map[string]*server)
	w.frames = w.onFrame
	p.post(func() { w.register() })
	return w, ends[1], nil
}

// A Report is what a worker has reported so far.
type Report struct {
	ID    int64 // of the worker, see [Worker.ID]
	State State
}

// Reported gets a value when Changes has something to return.
func (p *Primary) Reported() <-chan struct{} { return p.reported }

// Reports returns the workers whose State is another than at the last call, in
// the order in which they changed. However much a worker says, it is there
// once: nobody can make this list long.
func (p *Primary) Reports() []Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Report, 0, len(p.changed))
	for _, w := range p.changed {
		w.changed = false
		list = append(list, Report{w.id, w.public})
	}
	p.changed = nil
	return list
}

// publish makes the state of w visible.
func (p *Primary) publish(w *Worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.public = w.state.clone()
	if w.changed {
		return
	}
	w.changed = true
	p.changed = append(p.changed, w)
	select {
	case p.reported <- struct{}{}:
	default: // it has not been looked at since the last one
	}
}
