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
	// brisk is within what time a worker must have answered to get another
	// connection ahead: one that computes for longer would keep it waiting
	// while others are idle.
	brisk = 5 * time.Millisecond
	// maxTransit bounds the memory of a worker that never acknowledges.
	maxTransit = 64
)

// A handover is a connection on its way to a worker.
type handover struct {
	fd        int
	server    *server
	seq       int64 // of the frame
	at        time.Time
	refusedBy []*Worker
}

// ready is called when a connection has arrived.
func (s *server) ready(uint32) { s.more, s.primary.work = true, true }

// accept hands connections over as long as there are some, and workers that can
// take one. The others wait in the kernel's backlog.
func (s *server) accept() {
	now := time.Now()
	for s.acceptOne(now) {
	}
}

// acceptOne hands at most one connection over. It reports whether to go on.
func (s *server) acceptOne(now time.Time) bool {
	for i, h := range s.homeless {
		if w := s.next(now, h.refusedBy); w != nil {
			s.homeless = slices.Delete(s.homeless, i, i+1)
			s.handOver(w, h, now)
			return true
		}
	}
	if !s.more || s.fd < 0 {
		return false
	}
	w := s.next(now, nil)
	if w == nil {
		return false
	}
	fd, err := s.acceptNext()
	switch {
	case err == nil:
		s.handOver(w, handover{fd: fd, server: s}, now)
	case errors.Is(err, unix.EAGAIN):
		s.more = false
	case !ownTrouble(err):
		s.primary.poll.tickIn(retryDelay)
		return false
	}
	return true
}

// ownTrouble reports whether err was that of one connection, which is not there
// any more (accept(2), "Error handling"). With any other, such as EMFILE, or EPERM
// of a seccomp profile, the connection is still there, and so would be the error.
func ownTrouble(err error) bool {
	return slices.Contains([]error{
		unix.ECONNABORTED, unix.EPROTO, unix.ENOPROTOOPT, unix.EOPNOTSUPP, unix.ETIMEDOUT,
		unix.ENETDOWN, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENONET,
	}, err)
}

// next returns the worker that gets a connection, nil if none can take it: the
// one whose turn it is, or rather one that waits for a connection. Who seems
// busy may have answered by now.
func (s *server) next(now time.Time, except []*Worker) *Worker {
	for i := 0; i < len(s.holders); i++ { // reading may change them
		w := s.holders[i]
		if len(w.pending) > 0 {
			w.readAnswers()
		}
		if s.canTake(w, now) && !slices.Contains(except, w) {
			break
		}
	}
	best := s.best(now, except)
	if (best == nil || len(best.pending) > 1) && s.primary.readAnswers() {
		best = s.best(now, except)
	}
	if best == nil {
		s.primary.awaitAnswers()
	}
	return best
}

// best returns the next worker in turn that waits for a connection, or else the
// next that can take one.
func (s *server) best(now time.Time, except []*Worker) *Worker {
	if idle := s.inTurn(now, except, 1); idle != nil {
		return idle
	}
	return s.inTurn(now, except, maxPending)
}

// inTurn returns the next worker in turn that can take a connection and has
// fewer than so many unanswered.
func (s *server) inTurn(now time.Time, except []*Worker, pending int) *Worker {
	for _, w := range s.holders {
		if len(w.pending) < pending && s.canTake(w, now) && !slices.Contains(except, w) {
			return w
		}
	}
	return nil
}

// hadTurn puts w behind the others.
func (s *server) hadTurn(w *Worker) {
	if i := slices.Index(s.holders, w); i >= 0 {
		copy(s.holders[i:], s.holders[i+1:])
		s.holders[len(s.holders)-1] = w
	}
}

// canTake reports whether w can take a connection.
func (s *server) canTake(w *Worker, now time.Time) bool {
	if w.fd < 0 || w.retired && !s.finishing || w.hungUp || len(w.queue) > 0 {
		return false
	}
	return len(w.pending) == 0 || len(w.pending) < maxPending && now.Sub(w.pending[0].at) < brisk
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
		s.homeless = append(s.homeless, h)
		w.stalled(err)
		return
	}
	h.seq, h.at = w.seq, now
	w.seq++
	w.pending = append(w.pending, h)
	w.sent(h.seq)
	w.hush()
	w.given++
	s.hadTurn(w)
	if n < len(frame) { // the descriptor went with the first byte
		w.send(slices.Clone(frame[n:]), -1)
	}
}

// stalled takes w out of rotation until its channel has room.
func (w *Worker) stalled(err error) {
	w.queue = append(w.queue, outgoing{fd: -1})
	w.writeFailed(err)
	w.waitFor()
}

// answer takes note that w has the connection with number seq, or refused it:
// it closes the server, or has as many connections as it may.
func (w *Worker) answer(seq int64, accepted bool) {
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
		h.server.offer(h)
	}
	w.primary.work = true
}

// offer gives h to another worker, or gives it up when each has refused it.
func (s *server) offer(h handover) {
	nobody := !slices.ContainsFunc(s.holders, func(w *Worker) bool { return !slices.Contains(h.refusedBy, w) })
	if s.gone || nobody && len(s.kept) == 0 {
		closeConnection(h.fd)
		return
	}
	s.homeless = append(s.homeless, h)
	s.primary.work = true
}

// takeBack gives what w has not answered to others: it will not any more.
func (w *Worker) takeBack() {
	pending := w.pending
	w.pending, w.transit = nil, nil
	for _, h := range pending {
		h.server.offer(h)
	}
}

// sent takes note of a frame with a descriptor, which w will acknowledge: the
// number of a hand-over, or less than 0 for an answer to the query -1-number.
func (w *Worker) sent(number int64) {
	if len(w.transit) >= maxTransit {
		w.transit = slices.Delete(w.transit, 0, 1)
	}
	w.transit = append(w.transit, number)
}

// arrived takes note that a descriptor has arrived, or that it was lost because
// w has as many as it may have (MSG_CTRUNC). Node tells in the order of sending.
func (w *Worker) arrived(lost bool) {
	if len(w.transit) == 0 {
		return
	}
	number := w.transit[0]
	w.transit = slices.Delete(w.transit, 0, 1)
	switch {
	case !lost:
	case number >= 0:
		w.answer(number, false)
	default:
		code := errno(unix.EMFILE)
		w.tell(reply{Ack: -1 - number, Errno: &code}, tcp, -1)
	}
}

// retry does again what failed for want of memory or descriptors, and waits for
// answers that nobody needed so far.
func (p *Primary) retry() {
	for w := range p.workers {
		switch {
		case w.hungUp:
			w.drainChannel()
			w.closeChannel(nil)
		case len(w.queue) > 0 && !w.full:
			w.flush()
		}
	}
	for w := range p.workers {
		w.lookAt()
	}
	now := time.Now()
	p.expire(now)
	for _, s := range p.servers {
		s.endArrivals(now)
	}
	p.work = true
}
