package cluster

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A Worker is the primary's end of one worker's channel.
type Worker struct {
	// Slot is the worker's number, from 0. A replacement has the same.
	Slot int

	id       int64 // of all workers, in the order in which they were opened
	primary  *Primary
	forkMode bool // no worker of Node's cluster: fork mode

	// Guarded by Primary.mu.
	public  State
	changed bool

	// What follows belongs to the goroutine of Run.
	fd             int // -1 once closed
	token          int32
	interest       uint32 // the events that epoll waits for
	state          State
	splitter       splitter
	frames         func(frame []byte, whole bool) // got, made once
	process        *process                       // of a late join, nil where it is not known
	sender         unix.Ucred                     // of what was read last
	passedFDs      int                            // descriptors that came and belong to no frame yet
	servers        map[string]*server             // by key
	outOfRotation  bool                           // it gets no more connections
	replaced       bool                           // StopConnections was called: what it had is reserved, or another has it
	draining       bool                           // to leave
	disconnectSent bool                           // and it has nothing left to do
	queue          []outgoing
	queued         int  // bytes of it
	sendBlocked    bool // its end of the channel has no room
	peerClosed     bool // it will not read any more
	seq            int64

	// Hand-overs; see roundrobin.go.
	pending          []handover // not answered yet, oldest first
	unackedHandles   []int64    // frames with a descriptor that it has not acknowledged
	handedOver       int64      // connections handed over
	acksDeferred     bool       // its answers are read when they are needed; see hush
	handedOverBefore int64      // given, at the last look while it is quiet
	round            int64      // of Primary.distribute in which its answers were read
}

// ID identifies the worker in a [Report]. It is unique among those of a Primary,
// and greater than 0.
func (w *Worker) ID() int64 { return w.id }

// StopConnections takes the worker out of rotation. If it was replaced, the next worker
// of its slot is there, and may still come to listen on all that this one has.
func (w *Worker) StopConnections(replaced bool) {
	w.primary.post(func() { w.stopConnections(replaced) })
}

// Drain has the agent finish what the worker has and end the channel. Without an
// agent it is Disconnect, which loses what clients send on connections that they
// keep. signal is what comes then: where only libraries listen for it, so that it
// does not end the process, the agent does; "" for none.
func (w *Worker) Drain(signal string) {
	w.primary.post(func() {
		switch {
		case w.fd < 0 || w.draining:
		case w.state.Agent:
			w.draining = true
			w.sendMessage(fmt.Appendf(nil, msgDrain, w.lastAcceptor(), signal))
		default:
			w.disconnect()
		}
	})
}

// Disconnect asks the worker, with the protocol's disconnect, to close what
// servers it has, finish and end the channel.
func (w *Worker) Disconnect() {
	w.primary.post(func() {
		if w.fd >= 0 && !w.draining {
			w.disconnect()
		}
	})
}

// DisableKeepAlives has each answer of the worker be the last on its connection, if it has an
// agent.
func (w *Worker) DisableKeepAlives() {
	w.primary.post(func() {
		if w.state.Agent {
			w.sendMessage([]byte(msgDisableKeepAlives))
		}
	})
}

// Finish is DisableKeepAlives, and has the agent say when no request is in hand, or limit is
// over: Finished.
func (w *Worker) Finish(limit time.Duration) {
	w.primary.post(func() {
		w.state.Finished = false
		if w.state.Agent {
			w.sendMessage(fmt.Appendf(nil, msgFinish, limit.Milliseconds()))
		}
	})
}

// Watch has the agent of a worker that has got signal say if all servers still
// listen when the time is up: Serving. That is soon, or late if the application's
// handlers look as if they closed servers when they have waited; 0 is never.
func (w *Worker) Watch(signal string, soon, late time.Duration) {
	w.primary.post(func() {
		w.state.Serving = false
		if w.state.Agent {
			w.sendMessage(fmt.Appendf(nil, msgWatch, signal, soon.Milliseconds(), late.Milliseconds()))
		}
	})
}

func (w *Worker) disconnect() {
	w.outOfRotation, w.draining = true, true
	if !w.forkMode {
		w.sendDisconnect()
	}
}

func (w *Worker) sendDisconnect() {
	w.sendMessage(fmt.Appendf(nil, `{"cmd":"NODE_CLUSTER","act":"disconnect","seq":%d}`+"\n", w.seq))
	w.seq++
}

// Release gives up the channel of a worker whose process has ended or was never
// started. With kept, the slot's sockets stay open for the next worker of the
// slot; connections wait there.
func (w *Worker) Release(kept bool) {
	w.primary.post(func() { w.release(kept) })
}

func (w *Worker) register() {
	p := w.primary
	token, err := p.poller.add(w.fd, unix.EPOLLIN, w)
	if err != nil {
		w.closeChannel(err)
		return
	}
	w.token, w.interest = token, unix.EPOLLIN
	p.workers[w] = struct{}{}
	p.updateAwaited(w.Slot)
}

func (w *Worker) release(kept bool) {
	w.readRemaining()
	w.closeChannel(nil)
	for _, s := range w.primary.servers {
		s.removeExited(w, kept)
		s.ownerExited(w)
	}
	clear(w.servers)
	delete(w.primary.workers, w)
	w.primary.updateAwaited(w.Slot)
}

// closeChannel ends the channel, because of fault if that is not nil. What the
// worker has not taken goes to others.
func (w *Worker) closeChannel(fault error) {
	if w.fd < 0 {
		return
	}
	w.primary.poller.remove(w.fd, w.token)
	_ = unix.Shutdown(w.fd, unix.SHUT_RDWR)
	w.primary.closer.close(w.fd) // descriptors that were not read are closed with it
	w.fd = -1
	w.unwatchProcess()
	for _, o := range w.queue {
		closeFD(o.fd)
	}
	w.queue, w.queued = nil, 0
	w.state.Ended, w.state.Fault = true, fault
	w.primary.publish(w)
	w.reclaim()
}

// updateInterest sets the events of the channel to those that matter now.
func (w *Worker) updateInterest() {
	if w.fd < 0 {
		return
	}
	var events uint32
	if !w.acksDeferred {
		events |= unix.EPOLLIN
	}
	if w.sendBlocked {
		events |= unix.EPOLLOUT
	}
	if events != w.interest {
		w.interest = events
		w.primary.poller.change(w.fd, w.token, events)
	}
}

// sendMessage sends an internal message without a descriptor.
func (w *Worker) sendMessage(frame []byte) {
	if w.state.bunMarked {
		frame = append([]byte{bunMark}, frame...)
	}
	w.send(frame, -1)
}
