package cluster

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxPassedFDs is how many descriptors may come with one read (SCM_MAX_FD,
// include/net/scm.h).
const maxPassedFDs = 253

// messageIO has the buffers for sendmsg(2) and recvmsg(2). All channels of one
// goroutine share them, and nothing is allocated for a call.
type messageIO struct {
	data   []byte // what was received
	oob    []byte // and its control messages
	rights []byte // a control message with one descriptor, for send

	header unix.Msghdr
	iov    unix.Iovec
}

func newMessageIO() *messageIO {
	return &messageIO{
		data:   make([]byte, readSize),
		oob:    make([]byte, unix.CmsgSpace(unix.SizeofUcred)+unix.CmsgSpace(4*maxPassedFDs)),
		rights: unix.UnixRights(0),
	}
}

// receive reads into data and oob. It does not block: fd must have O_NONBLOCK.
func (m *messageIO) receive(fd int) (n, oobn int, errno unix.Errno) {
	m.iov.Base = &m.data[0]
	m.iov.SetLen(len(m.data))
	m.header = unix.Msghdr{Iov: &m.iov, Control: &m.oob[0]}
	m.header.SetIovlen(1)
	m.header.SetControllen(len(m.oob))
	length, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.header)), unix.MSG_CMSG_CLOEXEC)
	return int(length), int(m.header.Controllen), errno
}

// Send writes the beginning of data to a Unix socket, with the descriptor passed.
func Send(fd int, data []byte, passed int) (int, error) {
	m := messageIO{rights: unix.UnixRights(0)}
	return m.send(fd, data, passed)
}

// Receive reads once from a Unix socket that has O_NONBLOCK, and returns how much data, 0 at
// the end of the stream, and the first descriptor that was passed with it, -1 if there was
// none. The kernel drops the others.
func Receive(fd int, data []byte) (n, passed int, err error) {
	// With room for one descriptor and no padding: two would fit with it.
	m := messageIO{data: data, oob: make([]byte, unix.CmsgLen(4))}
	n, oobn, errno := m.receive(fd)
	if errno != 0 {
		return 0, -1, errno
	}
	header := (*unix.Cmsghdr)(unsafe.Pointer(&m.oob[0]))
	if oobn < len(m.oob) || header.Level != unix.SOL_SOCKET || header.Type != unix.SCM_RIGHTS {
		return n, -1, nil
	}
	return n, int(*(*int32)(unsafe.Pointer(&m.oob[unix.CmsgLen(0)]))), nil
}

// send writes the beginning of data, with passed along unless that is -1. Unlike
// unix.SendmsgN it does not ask for SO_TYPE first.
func (m *messageIO) send(fd int, data []byte, passed int) (int, error) {
	m.iov.Base = &data[0]
	m.iov.SetLen(len(data))
	m.header = unix.Msghdr{Iov: &m.iov}
	m.header.SetIovlen(1)
	if passed >= 0 {
		*(*int32)(unsafe.Pointer(&m.rights[unix.CmsgLen(0)])) = int32(passed)
		m.header.Control = &m.rights[0]
		m.header.SetControllen(len(m.rights))
	}
	n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.header)), unix.MSG_NOSIGNAL)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// splitControl returns the sender that oob names, and the control messages after
// it: the kernel puts credentials first (scm_recv, include/net/scm.h).
func splitControl(oob []byte) (sender unix.Ucred, rest []byte) {
	size := unix.CmsgSpace(unix.SizeofUcred)
	if len(oob) < size {
		return unknownSender, oob
	}
	header := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
	if header.Level != unix.SOL_SOCKET || header.Type != unix.SCM_CREDENTIALS {
		return unknownSender, oob
	}
	return *(*unix.Ucred)(unsafe.Pointer(&oob[unix.CmsgLen(0)])), oob[size:]
}

// passedFDs returns the descriptors in control messages.
func passedFDs(oob []byte) (fds []int) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range messages {
		if passed, err := unix.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, passed...)
		}
	}
	return fds
}
