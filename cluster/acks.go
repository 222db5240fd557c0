package cluster

import (
	"slices"
	"sync/atomic"
	"time"
)

const (
	// maxPending is how many connections a worker may have that it has not
	// acknowledged. With one, as in Node's own primary, a worker sleeps and is
	// woken for each; what is there already costs it no sleep.
	maxPending = 8
	// maxAckLatency is within what time a worker must have acknowledged its
	// connections to get another one ahead: one that computes for longer would
	// keep it waiting while others are idle.
	maxAckLatency = 5 * time.Millisecond
	// ackDelay is for how long acks may stay unread.
	ackDelay = time.Millisecond
	// maxUnackedHandles bounds the memory for a worker that never acknowledges.
	maxUnackedHandles = 64
)

// A handover is a connection on its way to a worker.
type handover struct {
	fd        int
	server    *server
	seq       int64 // of the frame
	at        time.Time
	refusedBy []*Worker
}

// acks are what a worker is still to acknowledge. A connection has two acks, that
// of its descriptor (NODE_HANDLE_ACK) and that of the worker's server; waking for
// them costs more than the hand-over. So while connections are handed over, the
// channel is not polled: acks are read when they are needed, or after ackDelay.
type acks struct {
	channel *channel

	pending []handover // without the ack of the server, oldest first
	handles []int64    // frames with a descriptor without its ack, oldest first; see trackHandle

	handedOver       int64 // connections
	handedOverBefore int64 // handedOver when onTick last looked
	round            int64 // in which readDeferred has read
}

// A taken counts the connections that the servers of a worker have taken.
type taken struct{ connections atomic.Int64 }

// Handovers returns how many connections the primary has handed over to the worker that
// this has taken. Any goroutine may call it.
func (t *taken) Handovers() int64 { return t.connections.Load() }

// hasRoom reports whether the worker can get a connection now.
func (a *acks) hasRoom(now time.Time) bool {
	if !a.channel.idle() {
		return false
	}
	return len(a.pending) == 0 || len(a.pending) < maxPending && now.Sub(a.pending[0].at) < maxAckLatency
}

// add records a connection that was sent, and defers its acks.
func (a *acks) add(h handover) {
	a.pending = append(a.pending, h)
	a.trackHandle(h.seq)
	if !a.channel.paused {
		a.handedOverBefore = a.handedOver
		a.channel.pause(true)
		a.channel.poller.tickIn(ackDelay)
	}
	a.handedOver++
}

// take removes and returns the connection with number seq. It is not there if it
// was never handed over, or was reclaimed.
func (a *acks) take(seq int64) (h handover, ok bool) {
	for i := range a.pending { // IndexFunc would copy each
		if a.pending[i].seq == seq {
			h = a.pending[i]
			a.pending = slices.Delete(a.pending, i, i+1)
			return h, true
		}
	}
	return handover{}, false
}

// settle handles that the worker by has accepted connection seq, or refused it: its
// server is closed, or has as many connections as it may.
func (a *acks) settle(seq int64, accepted bool, by *Worker) {
	h, ok := a.take(seq)
	if !ok {
		return
	}
	if accepted {
		by.connections.Add(1)
		closeConnection(h.fd)
	} else {
		h.refusedBy = append(h.refusedBy, by)
		h.server.redeliver(h)
	}
	by.primary.dispatchPending = true
}

// trackHandle records that a frame with a descriptor was sent: number is the seq
// of a handover, -1-seq of the query that it answers, ownHandle or scriptHandle.
func (a *acks) trackHandle(number int64) {
	if len(a.handles) >= maxUnackedHandles {
		a.handles = slices.Delete(a.handles, 0, 1)
	}
	a.handles = append(a.handles, number)
}

// takeHandle removes and returns the oldest number that was tracked: Node
// acknowledges descriptors in the order in which they were sent.
func (a *acks) takeHandle() (number int64, ok bool) {
	if len(a.handles) == 0 {
		return 0, false
	}
	number = a.handles[0]
	a.handles = slices.Delete(a.handles, 0, 1)
	return number, true
}

// own returns how many of nodeinit's own connections have not arrived.
func (a *acks) own() (n int) {
	for _, number := range a.handles {
		if number == ownHandle {
			n++
		}
	}
	return n
}

// reclaim gives the connections that the worker has not acknowledged, and will
// not any more, to others.
func (a *acks) reclaim() {
	pending := a.pending
	a.pending, a.handles = nil, nil
	for _, h := range pending {
		h.server.redeliver(h)
	}
}

// readDeferred reads acks that were deferred, once in each round of dispatch. It
// reports whether there were some.
func (a *acks) readDeferred(round int64) bool {
	if !a.channel.paused || a.round == round {
		return false
	}
	a.round = round
	return a.channel.receive()
}

// onTick reads what was deferred. Acks stay deferred as long as connections were
// handed over since the last time.
func (a *acks) onTick() {
	if !a.channel.paused {
		return
	}
	a.channel.receive()
	if a.handedOver == a.handedOverBefore {
		a.channel.pause(false)
		return
	}
	a.handedOverBefore = a.handedOver
	a.channel.poller.tickIn(ackDelay)
}
