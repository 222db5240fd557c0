package cluster

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A rotation is the workers of a server. The one that got a connection last is the
// last.
type rotation []*Worker

// has reports whether a worker of slot is among them.
func (r rotation) has(slot int) bool {
	return slices.ContainsFunc(r, func(w *Worker) bool { return w.Slot == slot })
}

func (r rotation) moveToBack(w *Worker) {
	if i := slices.Index(r, w); i >= 0 {
		copy(r[i:], r[i+1:])
		r[len(r)-1] = w
	}
}

// onEvents is called when a connection has come.
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
	if !s.acceptPending || s.listener.fd < 0 {
		return false
	}
	w := s.nextWorker(now, nil)
	if w == nil {
		return false
	}
	fd, err := s.listener.accept()
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

// connectionGone reports whether err of accept means that a connection has been
// closed before (accept(2), "Error handling"). With any other, such as EMFILE, or
// EPERM of a seccomp profile, the connection is still there and would fail again.
func connectionGone(err error) bool {
	return slices.Contains([]error{
		unix.ECONNABORTED, unix.EPROTO, unix.ENOPROTOOPT, unix.EOPNOTSUPP, unix.ETIMEDOUT,
		unix.ENETDOWN, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENONET,
	}, err)
}

// nextWorker returns the worker that gets the next connection, nil if none can take
// one. It reads deferred acks of workers that seem to be busy.
func (s *server) nextWorker(now time.Time, except []*Worker) *Worker {
	for i := 0; i < len(s.workers); i++ { // reading may change workers
		w := s.workers[i]
		if len(w.acks.pending) > 0 {
			w.acks.readDeferred(s.primary.round)
		}
		if s.canTake(w, now, except) {
			if len(w.acks.pending) == 0 {
				return w // as bestWorker would
			}
			break
		}
	}
	best := s.bestWorker(now, except)
	if (best == nil || len(best.acks.pending) > 1) && s.primary.readDeferredAcks() {
		best = s.bestWorker(now, except)
	}
	if best == nil {
		s.primary.stopDeferringAcks()
	}
	return best
}

// bestWorker returns the first in turn that has no unacknowledged connection, or else
// the first that can take one.
func (s *server) bestWorker(now time.Time, except []*Worker) (best *Worker) {
	for _, w := range s.workers {
		busy := len(w.acks.pending) > 0
		if busy && best != nil || !s.canTake(w, now, except) {
			continue
		}
		if !busy {
			return w
		}
		best = w
	}
	return best
}

func (s *server) canTake(w *Worker, now time.Time, except []*Worker) bool {
	return (!w.outOfRotation || s.closing) && w.acks.hasRoom(now) && !slices.Contains(except, w) && !passedOver(s, w, except)
}

// readDeferredAcks reads the deferred acks of all workers and reports whether there
// were some.
func (p *Primary) readDeferredAcks() bool {
	some := false
	for w := range p.workers {
		some = w.acks.readDeferred(p.round) || some
	}
	return some
}

// stopDeferringAcks has the poller wait for the acks of all workers.
func (p *Primary) stopDeferringAcks() {
	for w := range p.workers {
		w.channel.pause(false)
	}
}

// handOver passes h to w.
func (s *server) handOver(w *Worker, h handover, now time.Time) {
	frame := appendConnection(s.primary.frame[:0], s.key, w.seq, "")
	s.primary.frame = frame
	if !w.channel.sendNow(frame, h.fd) {
		s.undelivered = append(s.undelivered, h)
		return
	}
	h.seq, h.at = w.seq, now
	w.seq++
	w.acks.add(h)
	s.workers.moveToBack(w)
}

// appendConnection appends the frame for a connection to the server with key. more are
// fields for the agent, each after a comma.
func appendConnection(frame []byte, key string, seq int64, more string) []byte {
	frame = append(frame, `{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","act":"newconn","key":"`...)
	frame = append(frame, key...)
	frame = append(frame, `","seq":`...)
	frame = strconv.AppendInt(frame, seq, 10)
	frame = append(frame, more...)
	return append(frame, "}}\n"...)
}

// redeliver has h handed over to another worker. It is closed if all have refused it
// and no other is to come.
func (s *server) redeliver(h handover) {
	allRefused := !slices.ContainsFunc(s.workers, func(w *Worker) bool { return !slices.Contains(h.refusedBy, w) })
	if s.closed || allRefused && len(s.reservedSlots) == 0 {
		closeConnection(h.fd)
		return
	}
	s.undelivered = append(s.undelivered, h)
	s.primary.dispatchPending = true
}
