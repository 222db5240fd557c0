package cluster

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxPending is how many connections a worker may have that it has not
	// answered. With one, as Node's own primary has it, a worker sleeps and is
	// woken for each; what is there already costs it no sleep.
	maxPending = 8
	// maxAckLatency is within what time a worker must have answered to get another
	// connection ahead: one that computes for longer would keep it waiting
	// while others are idle.
	maxAckLatency = 5 * time.Millisecond
	// maxUnackedHandles bounds the memory of a worker that never acknowledges.
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

// onEvents is called when a connection has arrived.
func (s *server) onEvents(uint32) { s.acceptPending, s.primary.dispatchPending = true, true }

// acceptReady hands connections over as long as there are some, and workers that can
// take one. The others wait in the kernel's backlog.
func (s *server) acceptReady() {
	now := time.Now()
	for s.acceptOne(now) {
	}
}

// acceptOne hands at most one connection over. It reports whether to go on.
func (s *server) acceptOne(now time.Time) bool {
	for i, h := range s.undelivered {
		if w := s.nextWorker(now, h.refusedBy); w != nil {
			s.undelivered = slices.Delete(s.undelivered, i, i+1)
			s.handOver(w, h, now)
			return true
		}
	}
	if !s.acceptPending || s.fd < 0 {
		return false
	}
	w := s.nextWorker(now, nil)
	if w == nil {
		return false
	}
	fd, err := s.acceptNext()
	switch {
	case err == nil:
		s.handOver(w, handover{fd: fd, server: s}, now)
	case errors.Is(err, unix.EAGAIN):
		s.acceptPending = false
	case !connectionGone(err):
		s.primary.poller.tickIn(retryDelay)
		return false
	}
	return true
}

// connectionGone reports whether err was that of one connection, which is not there
// any more (accept(2), "Error handling"). With any other, such as EMFILE, or EPERM
// of a seccomp profile, the connection is still there, and so would be the error.
func connectionGone(err error) bool {
	return slices.Contains([]error{
		unix.ECONNABORTED, unix.EPROTO, unix.ENOPROTOOPT, unix.EOPNOTSUPP, unix.ETIMEDOUT,
		unix.ENETDOWN, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENONET,
	}, err)
}

// nextWorker returns the worker that gets a connection, nil if none can take it: the
// one whose turn it is, or rather one that waits for a connection. Who seems
// busy may have answered by now.
func (s *server) nextWorker(now time.Time, except []*Worker) *Worker {
	for i := 0; i < len(s.workers); i++ { // reading may change them
		w := s.workers[i]
		if len(w.pending) > 0 {
			w.readDeferredAcks()
		}
		if s.canTake(w, now) && !slices.Contains(except, w) {
			break
		}
	}
	best := s.bestWorker(now, except)
	if (best == nil || len(best.pending) > 1) && s.primary.readDeferredAcks() {
		best = s.bestWorker(now, except)
	}
	if best == nil {
		s.primary.stopDeferringAcks()
	}
	return best
}

// bestWorker returns the next worker in turn that waits for a connection, or else the
// next that can take one.
func (s *server) bestWorker(now time.Time, except []*Worker) *Worker {
	if idle := s.nextUpTo(now, except, 1); idle != nil {
		return idle
	}
	return s.nextUpTo(now, except, maxPending)
}

// nextUpTo returns the next worker in turn that can take a connection and has
// fewer than so many unanswered.
func (s *server) nextUpTo(now time.Time, except []*Worker, pending int) *Worker {
	for _, w := range s.workers {
		if len(w.pending) < pending && s.canTake(w, now) && !slices.Contains(except, w) {
			return w
		}
	}
	return nil
}

// moveToBack puts w behind the others.
func (s *server) moveToBack(w *Worker) {
	if i := slices.Index(s.workers, w); i >= 0 {
		copy(s.workers[i:], s.workers[i+1:])
		s.workers[len(s.workers)-1] = w
	}
}

// canTake reports whether w can take a connection.
func (s *server) canTake(w *Worker, now time.Time) bool {
	if w.fd < 0 || w.outOfRotation && !s.closing || w.peerClosed || len(w.queue) > 0 {
		return false
	}
	return len(w.pending) == 0 || len(w.pending) < maxPending && now.Sub(w.pending[0].at) < maxAckLatency
}

// handOver passes h to w.
func (s *server) handOver(w *Worker, h handover, now time.Time) {
	frame := append(s.primary.frame[:0], `{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","act":"newconn","key":"`...)
	frame = append(frame, s.key...)
	frame = append(frame, `","seq":`...)
	frame = strconv.AppendInt(frame, w.seq, 10)
	frame = append(frame, "}}\n"...)
	s.primary.frame = frame
	n, err := w.write(frame, h.fd)
	if err != nil {
		s.undelivered = append(s.undelivered, h)
		w.sendStalled(err)
		return
	}
	h.seq, h.at = w.seq, now
	w.seq++
	w.pending = append(w.pending, h)
	w.trackHandle(h.seq)
	w.deferAcks()
	w.handedOver++
	s.moveToBack(w)
	if n < len(frame) { // the descriptor went with the first byte
		w.send(slices.Clone(frame[n:]), -1)
	}
}

// sendStalled takes w out of rotation until its channel has room.
func (w *Worker) sendStalled(err error) {
	w.queue = append(w.queue, outgoing{fd: -1})
	w.writeFailed(err)
	w.updateInterest()
}

// onAck takes note that w has the connection with number seq, or refused it:
// it closes the server, or has as many connections as it may.
func (w *Worker) onAck(seq int64, accepted bool) {
	i := slices.IndexFunc(w.pending, func(h handover) bool { return h.seq == seq })
	if i < 0 {
		return // never handed over, or taken back
	}
	h := w.pending[i]
	w.pending = slices.Delete(w.pending, i, i+1)
	if accepted {
		closeConnection(h.fd)
	} else {
		h.refusedBy = append(h.refusedBy, w)
		h.server.redeliver(h)
	}
	w.primary.dispatchPending = true
}

// redeliver gives h to another worker, or gives it up when each has refused it.
func (s *server) redeliver(h handover) {
	nobody := !slices.ContainsFunc(s.workers, func(w *Worker) bool { return !slices.Contains(h.refusedBy, w) })
	if s.gone || nobody && len(s.reservedSlots) == 0 {
		closeConnection(h.fd)
		return
	}
	s.undelivered = append(s.undelivered, h)
	s.primary.dispatchPending = true
}

// reclaim gives what w has not answered to others: it will not any more.
func (w *Worker) reclaim() {
	pending := w.pending
	w.pending, w.unackedHandles = nil, nil
	for _, h := range pending {
		h.server.redeliver(h)
	}
}

// trackHandle takes note of a frame with a descriptor, which w will acknowledge: the
// number of a hand-over, or less than 0 for an answer to the query -1-number.
func (w *Worker) trackHandle(number int64) {
	if len(w.unackedHandles) >= maxUnackedHandles {
		w.unackedHandles = slices.Delete(w.unackedHandles, 0, 1)
	}
	w.unackedHandles = append(w.unackedHandles, number)
}

// onHandleAck takes note that a descriptor has onHandleAck, or that it was lost because
// w has as many as it may have (MSG_CTRUNC). Node tells in the order of sending.
func (w *Worker) onHandleAck(lost bool) {
	if len(w.unackedHandles) == 0 {
		return
	}
	number := w.unackedHandles[0]
	w.unackedHandles = slices.Delete(w.unackedHandles, 0, 1)
	switch {
	case !lost:
	case number >= 0:
		w.onAck(number, false)
	default:
		code := errno(unix.EMFILE)
		w.reply(reply{Ack: -1 - number, Errno: &code}, tcp, -1)
	}
}

// onTick does again what failed for want of memory or descriptors, and waits for
// answers that nobody needed so far.
func (p *Primary) onTick() {
	for w := range p.workers {
		switch {
		case w.peerClosed:
			w.readRemaining()
			w.closeChannel(nil)
		case len(w.queue) > 0 && !w.sendBlocked:
			w.flush()
		}
	}
	for w := range p.workers {
		w.checkDeferredAcks()
	}
	now := time.Now()
	p.expire(now)
	for _, s := range p.servers {
		s.continueClosing(now)
	}
	p.dispatchPending = true
}
