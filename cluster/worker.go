package cluster

import (
	"fmt"
	"time"
)

// A Worker is the primary's end of the channel to one worker. Its methods may be called
// by any goroutine and do not wait. What they send is dropped once the channel is closed.
type Worker struct {
	// Slot is the worker's number, from 0. A replacement has the same.
	Slot int

	id       int64 // in the order in which channels were opened
	primary  *Primary
	forkMode bool // see Primary.OpenFork
	taken

	// What follows belongs to the goroutine of Run.
	state     State
	channel   channel
	acks      acks
	process   *process           // of a late join, nil where it is not known
	servers   map[string]*server // that it has asked for, by key
	seq       int64              // of the next message
	bunMarked bool               // its internal messages begin with bunMark

	paused         bool // see Pause
	outOfRotation  bool // it gets no more connections
	replaced       bool // and another worker has, or has reserved, what it had
	draining       bool // it was asked to close its channel
	mayBeSilent    bool // see State.setSilence
	disconnectSent bool // after it had drained
}

// ID identifies the worker in a [Report]. It is greater than 0, and unique among
// the workers of a Primary.
func (w *Worker) ID() int64 { return w.id }

// DisableKeepAlives has the worker's agent, if it has one, close each HTTP connection
// after the next response on it.
func (w *Worker) DisableKeepAlives() {
	w.primary.inbox.post(func() {
		if w.state.Agent {
			w.send([]byte(msgDisableKeepAlives), -1)
		}
	})
}

// Message sends the application text, if that is not empty: its listeners for "message"
// get it as a string.
func (w *Worker) Message(text string) {
	if text == "" {
		return
	}
	w.primary.inbox.post(func() { w.channel.send(appendString(nil, text), -1, maxQueued) })
}

// Finish is DisableKeepAlives, and State.Finished becomes true when no request is in
// progress, or when limit is over.
func (w *Worker) Finish(limit time.Duration) {
	w.primary.inbox.post(func() {
		w.state.Finished = false
		if w.state.Agent {
			w.send(fmt.Appendf(nil, msgFinish, limit.Milliseconds()), -1)
		}
	})
}

// Watch has the agent of a worker that has got signal check whether all its servers
// still listen some time later: then State.Serving becomes true. The time is soon, or
// late if the application's handlers for the signal seem to close servers after
// waiting; 0 is never.
func (w *Worker) Watch(signal string, soon, late time.Duration) {
	w.primary.inbox.post(func() {
		w.state.Serving = false
		if w.state.Agent {
			w.send(fmt.Appendf(nil, msgWatch, signal, soon.Milliseconds(), late.Milliseconds()), -1)
		}
	})
}

// Release closes the channel of a worker whose process has exited or was never
// started. With kept, the sockets of its slot stay open for the next worker there,
// and connections wait in them.
func (w *Worker) Release(kept bool) {
	w.primary.inbox.post(func() { w.primary.removeWorker(w, kept) })
}

// onChannelClosed is called once, when the channel was closed.
func (w *Worker) onChannelClosed(fault error) {
	w.process.close()
	w.process = nil
	w.state.Ended, w.state.Fault = true, fault
	w.publish()
	w.acks.reclaim()
	w.primary.dispatchPending = true // what it could not take
}

// send sends an internal message, with fd unless that is -1.
func (w *Worker) send(frame []byte, fd int) {
	if w.bunMarked && fd < 0 {
		frame = append([]byte{bunMark}, frame...)
	}
	// Answers: an application may ask for thousands of servers in one turn of its event loop.
	w.channel.send(frame, fd, maxQueued+min(len(w.servers), maxServerReplies))
}

// reply sends an answer, with fd unless that is -1.
func (w *Worker) reply(r reply, with family, fd int) {
	r.Seq = w.seq
	w.seq++
	if fd >= 0 {
		w.acks.trackHandle(-1 - r.Ack)
	}
	w.send(r.encode(with, fd >= 0), fd)
}

// publish makes the state of w visible to Reports.
func (w *Worker) publish() { w.primary.reports.publish(w.id, w.state) }
