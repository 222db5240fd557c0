package cluster

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// retryDelay is when to try again what failed for want of memory or descriptors.
const retryDelay = 50 * time.Millisecond

// What a worker may leave unread before it is given up, beside the answers for
// servers that it has: an application may make thousands in one turn.
const (
	maxServerReplies = 4096
	maxQueued        = 1024
	maxQueuedBytes   = 1 << 20
)

// An outgoing frame waits until the worker reads.
type outgoing struct {
	data []byte
	fd   int // a copy to send along and close, -1 for none
}

// onEvents reads what the worker has written, and writes what it has not read.
func (w *Worker) onEvents(events uint32) {
	if events&unix.EPOLLOUT != 0 {
		w.flush()
		w.primary.dispatchPending = true
	}
	if events&^unix.EPOLLOUT != 0 {
		w.receive()
	}
}

// receive reads the channel once and reports whether something was there.
func (w *Worker) receive() bool {
	if w.fd < 0 {
		return false
	}
	p := w.primary
	n, oobn, errno := p.receiveMessage(w.fd)
	switch {
	case errno == unix.EAGAIN, errno == unix.EINTR, errno == unix.ENOBUFS, errno == unix.ENOMEM:
		return false
	case errno != 0 || n == 0: // ECONNRESET: it ended with something unread
		w.closeChannel(nil)
		return false
	}
	if w.readControl(p.oob[:oobn]); w.fd < 0 {
		return false
	}
	w.splitter.split(p.read[:n], w.frames)
	return true
}

// readControl takes note of what came beside the text: first who has sent it
// (scm_recv, include/net/scm.h), then descriptors.
func (w *Worker) readControl(oob []byte) {
	w.sender = unknownSender
	size := unix.CmsgSpace(unix.SizeofUcred)
	if len(oob) >= size {
		header := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
		if header.Level == unix.SOL_SOCKET && header.Type == unix.SCM_CREDENTIALS {
			w.sender = *(*unix.Ucred)(unsafe.Pointer(&oob[unix.CmsgLen(0)]))
			oob = oob[size:]
		}
	}
	if len(oob) > 0 {
		w.passedFDs += w.primary.closePassedFDs(oob)
		if w.primary.closer.overloaded() {
			w.closeChannel(errors.New("it passes more descriptors than can be closed"))
		}
	}
}

// receiveMessage is recvmsg(2) into p.read and p.oob. Unlike unix.Recvmsg it
// allocates nothing.
func (p *Primary) receiveMessage(fd int) (n, oobn int, errno unix.Errno) {
	p.iov.Base = &p.read[0]
	p.iov.SetLen(len(p.read))
	p.msg = unix.Msghdr{Iov: &p.iov, Control: &p.oob[0]}
	p.msg.SetIovlen(1)
	p.msg.SetControllen(len(p.oob))
	length, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&p.msg)), unix.MSG_CMSG_CLOEXEC)
	return int(length), int(p.msg.Controllen), errno
}

// closePassedFDs closes the descriptors in control messages and returns how many
// there were. A primary has no use for any: those that an application sends to
// its parent are for a parent that is not there.
func (p *Primary) closePassedFDs(oob []byte) int {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	count := 0
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		p.closer.close(fds...)
		count += len(fds)
	}
	return count
}

// send sends a frame, now or once the worker has read what came before. It
// closes fd, unless that is -1, when it has gone along.
func (w *Worker) send(data []byte, fd int) {
	if w.fd < 0 || w.peerClosed {
		closeFD(fd)
		return
	}
	w.queue = append(w.queue, outgoing{data, fd})
	w.queued += len(data)
	if len(w.queue) == 1 {
		w.flush()
	}
	servers := min(len(w.servers), maxServerReplies)
	if len(w.queue) > maxQueued+servers || w.queued > maxQueuedBytes+1024*servers {
		w.closeChannel(fmt.Errorf("it asks and does not read: %d answers wait", len(w.queue)))
	}
}

// flush writes what waits, as far as there is room.
func (w *Worker) flush() {
	w.sendBlocked = false
	for len(w.queue) > 0 {
		next := &w.queue[0]
		if len(next.data) == 0 { // stands for a hand-over that found no room
			w.queue = w.queue[1:]
			continue
		}
		n, err := w.write(next.data, next.fd)
		if err != nil {
			w.writeFailed(err)
			break
		}
		w.queued -= n
		closeFD(next.fd)
		next.fd, next.data = -1, next.data[n:]
		if len(next.data) > 0 {
			continue
		}
		if w.queue = w.queue[1:]; len(w.queue) == 0 {
			w.queue = nil
		}
	}
	w.updateInterest()
}

// write writes the beginning of data, with fd along unless that is -1. It is
// unix.SendmsgN without a system call more (SO_TYPE) and without allocating.
func (w *Worker) write(data []byte, fd int) (int, error) {
	p := w.primary
	p.iov.Base = &data[0]
	p.iov.SetLen(len(data))
	p.msg = unix.Msghdr{Iov: &p.iov}
	p.msg.SetIovlen(1)
	if fd >= 0 {
		*(*int32)(unsafe.Pointer(&p.rights[unix.CmsgLen(0)])) = int32(fd)
		p.msg.Control = &p.rights[0]
		p.msg.SetControllen(len(p.rights))
	}
	n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(w.fd), uintptr(unsafe.Pointer(&p.msg)), unix.MSG_NOSIGNAL)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func (w *Worker) writeFailed(err error) {
	switch {
	case errors.Is(err, unix.EAGAIN): // EPOLLOUT will tell
		w.sendBlocked = true
	case errors.Is(err, unix.EINTR), errors.Is(err, unix.ETOOMANYREFS), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
		w.primary.poller.tickIn(retryDelay)
	default: // EPIPE: not now, in the middle of something it may have written
		w.peerClosed = true
		w.primary.poller.tickIn(0)
	}
}

// readRemaining reads what a worker wrote before it ended: an answer that stays
// unread would give its connection to somebody else. A descendant that holds
// the other end and writes on is not listened to for ever.
func (w *Worker) readRemaining() {
	for range 64 {
		if !w.receive() {
			return
		}
	}
}

func closeFD(fd int) {
	if fd >= 0 {
		_ = unix.Close(fd)
	}
}
