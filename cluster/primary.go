// Package cluster is the primary of Node's cluster protocol. It has the channels
// of the workers and the sockets that they listen on, and decides which worker gets
// a connection. It starts no process.
//
// # Use
//
// Make a [Primary] with [New] and call [Primary.Run] on a goroutine of its own.
// For each worker call [Primary.Open], start Node with the descriptor that it
// returns as NODE_CHANNEL_FD and with NODE_UNIQUE_ID set, and close that descriptor.
// Receive from [Primary.Reported] and then call [Primary.Reports] to get the state
// of workers. Call [Worker.Release] when the process has exited.
//
// # Protocol
//
// Node does not document it. What this package relies on was read in
// lib/internal/child_process.js and lib/internal/cluster of Node 18 to 26, and is
// the same in all of them. Each message, a frame, is a line of JSON on a Unix stream
// socket; a descriptor travels with the first byte of its line (SCM_RIGHTS). A worker
// asks for a server with queryServer and gets its key, and a socket unless the
// balance is [RR]. With RR it then gets each connection with newconn, and
// acknowledges it.
//
// # Slots
//
// A worker has a slot, and its replacement has the same. What the workers of a slot
// listen on stays open between them, so that connections wait in the kernel and are
// not refused.
package cluster

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Balance says which worker gets a connection.
type Balance string

// The ways to balance. Where one cannot be had, sockets are shared: UDP has no
// connections to hand over, and of a socket that nodeinit inherited there is one.
// Unix sockets are always RR.
const (
	// RR: the primary accepts connections and passes them to the workers in turn.
	RR Balance = "rr"
	// Shared: all workers accept from one socket.
	Shared Balance = "shared"
	// ReusePort: the kernel gives each slot a queue of its own.
	ReusePort Balance = "reuseport"
	// IPHash: as ReusePort, but a client address always reaches the same slot.
	IPHash Balance = "ip-hash"
)

// perSlot reports whether each slot has a socket of its own.
func (b Balance) perSlot() bool { return b == ReusePort || b == IPHash }

// A Primary is the parent of workers as Node sees it. Make it with [New]. Its
// methods may be called by any goroutine.
type Primary struct {
	// ReopenTimeout is how long a worker may take, from its first server on, to ask
	// for all that its predecessor in the slot had; at least 10 s. Set it before Run.
	ReopenTimeout time.Duration
	// BindPrivileged, if set, returns a socket that listens on a port which nodeinit
	// may not bind, or an errno. It is called on a goroutine of its own. Set it before
	// Run.
	BindPrivileged func(PrivilegedPort) (fd int, err error)

	balance Balance
	maxFD   int          // descriptors from here on are for connections and channels, not for servers
	lastID  atomic.Int64 // of a Worker
	inbox   inbox
	reports reports

	connecting sync.Mutex // see loopbackPair

	// What follows belongs to the goroutine of Run.
	poller     poller
	closer     *closer
	io         *messageIO
	frame      []byte // buffer for the frame of a hand-over
	workers    map[*Worker]struct{}
	servers    map[string]*server // by query.id
	privileged privilegedBinds
	lastKey    int // of a server

	dispatchPending bool  // there may be connections to hand over
	round           int64 // of dispatch
}

// New returns a Primary. It does nothing before [Primary.Run] is called.
func New(balance Balance) (*Primary, error) {
	p := &Primary{
		balance:    balance,
		maxFD:      maxServerFD(),
		reports:    reports{signal: make(chan struct{}, 1)},
		closer:     newCloser(),
		io:         newMessageIO(),
		workers:    make(map[*Worker]struct{}),
		servers:    make(map[string]*server),
		privileged: make(privilegedBinds),
	}
	p.inbox.wake, p.poller.tick = p.poller.wake, p.onTick
	if err := p.poller.open(); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return p, nil
}

// Run serves the workers until ctx ends, then closes all sockets and channels. A
// panic becomes an error: in PID 1 it would end all processes without a log.
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
		p.inbox.run()
		p.dispatch()
		runtime.Gosched() // wait blocks the thread, so other goroutines run first
		if err := p.poller.wait(); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
	}
	return nil
}

// dispatch hands connections over, once for all events of a turn of Run.
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

// onTick does what was to be done by now; see poller.tickIn.
func (p *Primary) onTick() {
	for w := range p.workers {
		w.channel.onTick()
	}
	for w := range p.workers {
		w.acks.onTick()
	}
	now := time.Now()
	p.expire(now)
	for _, s := range p.servers {
		s.continueClosing(now)
	}
	p.dispatchPending = true
}

func (p *Primary) shutdown() {
	p.inbox.close()
	for w := range p.workers {
		p.removeWorker(w, false)
	}
	p.poller.close()
	p.closer.shutdown(closeTimeout)
}

// maxServerFD leaves an eighth of the descriptors that nodeinit may have to other
// things: without one, an application's listen fails, and connections do not.
func maxServerFD() int {
	limit := unix.Rlimit{Cur: 1024}
	_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	n := int(min(limit.Cur, math.MaxInt32))
	return n - min(n/8, 1024)
}

// Open makes the channel of a worker that is about to be started in slot, from 0 on.
// Pass end, the worker's end of it, to the process and close it.
func (p *Primary) Open(slot int) (w *Worker, end int, err error) { return p.open(&Worker{Slot: slot}) }

// OpenFork is Open for a program that runs as one process and is no worker of
// Node's cluster. Its channel is for the agent and for process.send.
func (p *Primary) OpenFork() (w *Worker, end int, err error) { return p.open(&Worker{forkMode: true}) }

func (p *Primary) open(w *Worker) (_ *Worker, end int, err error) {
	fd, end, err := socketpair()
	if err != nil {
		return nil, -1, err
	}
	w.id, w.primary, w.servers = p.lastID.Add(1), p, make(map[string]*server)
	w.channel = channel{
		poller: &p.poller, closer: p.closer, io: p.io, fd: fd,
		onFrame: w.onFrame, onClosed: w.onChannelClosed, onWritable: func() { p.dispatchPending = true },
	}
	w.acks.channel = &w.channel
	p.inbox.post(func() { p.addWorker(w) })
	return w, end, nil
}

func (p *Primary) addWorker(w *Worker) {
	if w.channel.start() != nil {
		return
	}
	p.workers[w] = struct{}{}
	p.updateAwaited(w.Slot)
}

// removeWorker removes a worker that has exited; kept as for Worker.Release.
func (p *Primary) removeWorker(w *Worker, kept bool) {
	w.channel.receiveRemaining()
	w.channel.close(nil)
	for _, s := range p.servers {
		s.removeExited(w, kept)
		s.group.ownerExited(w.id)
	}
	clear(w.servers)
	delete(p.workers, w)
	p.updateAwaited(w.Slot)
}

// Reported gets a value when Reports has something to return.
func (p *Primary) Reported() <-chan struct{} { return p.reports.signal }

// Reports returns the workers whose State has changed since the last call, each
// once, in the order in which they changed first. They are valid until the next call.
func (p *Primary) Reports() []Report { return p.reports.take() }
