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
}

// Bounds on what the kernel is asked for: a process that listens on more is not shown
// in full.
const (
	maxDiagSockets = 4096
	maxDiagReads   = 1024
)

// A diagQuery asks for the listening sockets of a family.
type diagQuery struct {
	request []byte // without the header
	parse   func(message []byte) (diagSocket, bool)
}

// Values of the kernel's that x/sys/unix lacks (linux/unix_diag.h, linux/inet_diag.h,
// net/tcp_states.h).
const (
	listening = 1 << 10 // TCP_LISTEN, which is that of Unix sockets too

	unixShowName, unixShowQueue = 1, 0x10
	unixName, unixQueue         = 0, 4

	inetOnlyV6 = 11

	sizeofInetRequest, sizeofInetMessage = 56, 72
	sizeofUnixRequest, sizeofUnixMessage = 24, 16
)

func inetQuery(family byte) diagQuery {
	request := make([]byte, sizeofInetRequest) // struct inet_diag_req_v2
	request[0], request[1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(request[4:], listening)
	return diagQuery{request, parseInet}
}

func unixQuery() diagQuery {
	request := make([]byte, sizeofUnixRequest) // struct unix_diag_req
	request[0] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(request[4:], listening)
	binary.NativeEndian.PutUint32(request[12:], unixShowName|unixShowQueue)
	return diagQuery{request, parseUnix}
}

// diagSockets returns the listening TCP and Unix sockets of this network namespace;
// false if the kernel does not tell: gVisor, or one without these modules.
func diagSockets() (list []diagSocket, ok bool) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, false
	}
	defer unix.Close(fd)
	// The kernel sends no more at once than there was room for when it was read last, or
	// 8 KiB at most (linux/netlink.h, NLMSG_GOODSIZE).
	buffer := make([]byte, 8<<10)
	for _, q := range []diagQuery{inetQuery(unix.AF_INET), inetQuery(unix.AF_INET6), unixQuery()} {
		more, answered := q.ask(fd, buffer)
		list, ok = append(list, more...), ok || answered
	}
	return list, ok
}

// ask sends q and reads the answer. The kernel makes it while it is read, so that there
// is nothing to wait for.
func (q diagQuery) ask(fd int, buffer []byte) (list []diagSocket, ok bool) {
	header := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(q.request))
	binary.NativeEndian.PutUint32(header, uint32(len(header)+len(q.request)))
	binary.NativeEndian.PutUint16(header[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(header[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	if err := unix.Sendto(fd, append(header, q.request...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, false
	}
	for range maxDiagReads {
		n, err := unix.Read(fd, buffer)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || n <= 0:
			return list, false
		}
		var end bool
		if list, end, ok = q.parseAll(list, buffer[:n]); end {
			return list, ok
		}
	}
	return list, true
}

// parseAll adds the sockets of messages to list. It reports whether the last message of
// an answer is there, and if so whether it is no error.
func (q diagQuery) parseAll(list []diagSocket, messages []byte) (_ []diagSocket, end, ok bool) {
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
			if s, ok := q.parse(messages[unix.SizeofNlMsghdr:size]); ok && len(list) < maxDiagSockets {
				list = append(list, s)
			}
		}
		messages = messages[min(aligned(size), len(messages)):]
	}
	return list, false, false
}

// aligned returns the size with the padding of NLMSG_ALIGN and NLA_ALIGN.
func aligned(size int) int { return (size + 3) &^ 3 }

// attributes calls each with those at the end of a message.
func attributes(text []byte, each func(kind uint16, value []byte)) {
	const header = 4
	for len(text) >= header {
		size := int(binary.NativeEndian.Uint16(text))
		if size < header || size > len(text) {
			return
		}
		each(binary.NativeEndian.Uint16(text[2:]), text[header:size])
		text = text[min(aligned(size), len(text)):]
	}
}

// parseInet parses struct inet_diag_msg and its attributes. Of a listening socket,
// idiag_rqueue is the length of the accept queue and idiag_wqueue the greatest that it
// may have (net/ipv4/tcp_diag.c, tcp_diag_get_info).
func parseInet(m []byte) (s diagSocket, ok bool) {
	const port, source, queue, backlog, inode = 4, 8, 56, 60, 68
	if len(m) < sizeofInetMessage {
		return s, false
	}
	var address netip.Addr
	switch m[0] {
	case unix.AF_INET:
		address = netip.AddrFrom4([4]byte(m[source:]))
	case unix.AF_INET6:
		address = netip.AddrFrom16([16]byte(m[source:]))
	default:
		return s, false
	}
	onlyV6 := true
	attributes(m[sizeofInetMessage:], func(kind uint16, value []byte) {
		if kind == inetOnlyV6 && len(value) > 0 {
			onlyV6 = value[0] != 0
		}
	})
	s = diagSocket{
		inode: binary.NativeEndian.Uint32(m[inode:]),
		queue: int(binary.NativeEndian.Uint32(m[queue:])), backlog: int(binary.NativeEndian.Uint32(m[backlog:])),
	}
	number := ":" + strconv.Itoa(int(binary.BigEndian.Uint16(m[port:])))
	switch {
	case address.Is6() && address.IsUnspecified() && !onlyV6:
		s.address = "*" + number // all addresses, as the log has it
	case address.Is6():
		s.address = "[" + address.String() + "]" + number
	default:
		s.address = address.String() + number
	}
	return s, true
}

// parseUnix parses struct unix_diag_msg and its attributes.
func parseUnix(m []byte) (s diagSocket, ok bool) {
	const inode = 4
	if len(m) < sizeofUnixMessage || m[0] != unix.AF_UNIX {
		return s, false
	}
	s.inode = binary.NativeEndian.Uint32(m[inode:])
	attributes(m[sizeofUnixMessage:], func(kind uint16, value []byte) {
		switch {
		case kind == unixName:
			s.address, s.path = unixAddress(string(value))
		case kind == unixQueue && len(value) >= 8:
			s.queue = int(binary.NativeEndian.Uint32(value))
			s.backlog = int(binary.NativeEndian.Uint32(value[4:]))
		}
	})
	return s, s.address != "" // one without a name cannot be connected to
}

// unixAddress returns the address of a Unix socket as the log has it: @ for each NUL of
// an abstract name. It reports whether it is the path of a file.
func unixAddress(name string) (address string, path bool) {
	if strings.HasPrefix(name, "\x00") {
		return strings.ReplaceAll(name, "\x00", "@"), false
	}
	return strings.TrimRight(name, "\x00"), true
}
