package admin

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A diagSocket is a listening socket of this network namespace, as the kernel tells by
// NETLINK_SOCK_DIAG (sock_diag(7)).
type diagSocket struct {
	inode          uint32
	address        string
	path           bool // the address is one
	queue, backlog int
	owner          int // a process that has it open; 0: none is known
}

// Bounds on what the kernel is asked for: where there is more, some are missing.
const (
	maxDiagSockets = 4096
	maxDiagReads   = 1024
)

// Values of the kernel's that x/sys/unix lacks (linux/inet_diag.h, linux/unix_diag.h,
// net/tcp_states.h).
const (
	listening = 1 << 10 // TCP_LISTEN, which is that of Unix sockets too

	unixShowName, unixShowQueue = 1, 0x10
	unixName, unixQueue         = 0, 4 // attributes

	inetOnlyV6 = 11 // an attribute

	sizeofInetRequest, sizeofInetMessage = 56, 72
	sizeofUnixRequest, sizeofUnixMessage = 24, 16
)

// diagRequest returns a request for the listening sockets of a family: struct nlmsghdr,
// and struct unix_diag_req or inet_diag_req_v2.
func diagRequest(family byte) []byte {
	const header = unix.SizeofNlMsghdr
	size, protocol, show := header+sizeofInetRequest, byte(unix.IPPROTO_TCP), uint32(0)
	if family == unix.AF_UNIX {
		size, protocol, show = header+sizeofUnixRequest, 0, unixShowName|unixShowQueue
	}
	b, order := make([]byte, size), binary.NativeEndian
	order.PutUint32(b, uint32(size))
	order.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	order.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b[header], b[header+1] = family, protocol
	order.PutUint32(b[header+4:], listening)
	order.PutUint32(b[header+12:], show) // of TCP a port and an address, which are not used
	return b
}

// diagSockets returns the listening TCP and Unix sockets of this network namespace;
// false if the kernel does not tell: gVisor, or one without these modules.
func diagSockets() (list []diagSocket, ok bool) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, false
	}
	defer unix.Close(fd)
	for _, family := range [...]byte{unix.AF_INET, unix.AF_INET6, unix.AF_UNIX} {
		var answered bool
		list, answered = askDiag(list, fd, diagRequest(family))
		ok = ok || answered
	}
	return list, ok
}

// askDiag sends a request and adds what is answered to list. The kernel makes the answer
// while it is read, so there is nothing to wait for.
func askDiag(list []diagSocket, fd int, request []byte) (_ []diagSocket, ok bool) {
	if _, err := unix.Write(fd, request); err != nil {
		return list, false
	}
	// The kernel sends no more at once than there was room for when it was read last, or
	// 8 KiB at most (linux/netlink.h, NLMSG_GOODSIZE).
	buffer := make([]byte, 8<<10)
	for range maxDiagReads {
		n, err := unix.Read(fd, buffer)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || n <= 0:
			return list, false
		}
		var end bool
		if list, end, ok = parseDiag(list, buffer[:n]); end {
			return list, ok
		}
	}
	return list, true
}

// parseDiag adds the sockets of messages to list. It reports whether the last message of
// an answer is there, and if so whether that is no error.
func parseDiag(list []diagSocket, messages []byte) (_ []diagSocket, end, ok bool) {
	for len(messages) >= unix.SizeofNlMsghdr {
		size := int(binary.NativeEndian.Uint32(messages))
		if size < unix.SizeofNlMsghdr || size > len(messages) {
			return list, true, false
		}
		switch binary.NativeEndian.Uint16(messages[4:]) {
		case unix.NLMSG_DONE:
			return list, true, true
		case unix.NLMSG_ERROR:
			return list, true, false
		case unix.SOCK_DIAG_BY_FAMILY:
			if s := parseSocket(messages[unix.SizeofNlMsghdr:size]); s.address != "" && len(list) < maxDiagSockets {
				list = append(list, s)
			}
		}
		messages = messages[min(aligned(size), len(messages)):]
	}
	return list, false, false
}

// aligned returns the size with the padding of NLMSG_ALIGN and NLA_ALIGN.
func aligned(size int) int { return (size + 3) &^ 3 }

// attribute returns the value of an attribute at the end of a message; nil: it has none,
// or one of fewer bytes.
func attribute(text []byte, kind uint16, bytes int) []byte {
	const header = 4
	for len(text) >= header {
		size := int(binary.NativeEndian.Uint16(text))
		if size < header || size > len(text) {
			return nil
		}
		if binary.NativeEndian.Uint16(text[2:]) == kind && size-header >= bytes {
			return text[header:size]
		}
		text = text[min(aligned(size), len(text)):]
	}
	return nil
}

// parseSocket parses struct inet_diag_msg or unix_diag_msg with its attributes. One that
// it cannot parse, and one without a name, to which nobody can connect, has no address.
func parseSocket(m []byte) (s diagSocket) {
	switch {
	case len(m) >= sizeofInetMessage && (m[0] == unix.AF_INET || m[0] == unix.AF_INET6):
		s.parseInet(m)
	case len(m) >= sizeofUnixMessage && m[0] == unix.AF_UNIX:
		s.parseUnix(m)
	}
	return s
}

// parseInet takes the length of the accept queue from idiag_rqueue, and the greatest that
// it may have from idiag_wqueue (net/ipv4/tcp_diag.c, tcp_diag_get_info).
func (s *diagSocket) parseInet(m []byte) {
	const port, source, queues, inode = 4, 8, 56, 68
	s.inode = binary.NativeEndian.Uint32(m[inode:])
	s.setQueue(m[queues:])
	number := ":" + strconv.Itoa(int(binary.BigEndian.Uint16(m[port:])))
	if m[0] == unix.AF_INET {
		s.address = netip.AddrFrom4([4]byte(m[source:])).String() + number
		return
	}
	only := attribute(m[sizeofInetMessage:], inetOnlyV6, 1)
	if address := netip.AddrFrom16([16]byte(m[source:])); address != netip.IPv6Unspecified() || only == nil || only[0] != 0 {
		s.address = "[" + address.String() + "]" + number
		return
	}
	s.address = "*" + number // all addresses, as the log has it
}

func (s *diagSocket) parseUnix(m []byte) {
	const inode = 4
	s.inode = binary.NativeEndian.Uint32(m[inode:])
	m = m[sizeofUnixMessage:]
	if queues := attribute(m, unixQueue, 8); queues != nil {
		s.setQueue(queues)
	}
	if name := string(attribute(m, unixName, 1)); strings.HasPrefix(name, "\x00") {
		s.address = strings.ReplaceAll(name, "\x00", "@") // an abstract one, as the log has it
	} else {
		s.address, s.path = strings.TrimRight(name, "\x00"), true
	}
}

func (s *diagSocket) setQueue(b []byte) {
	s.queue, s.backlog = int(binary.NativeEndian.Uint32(b)), int(binary.NativeEndian.Uint32(b[4:]))
}
