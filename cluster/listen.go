package cluster

import (
	"errors"
	"math"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A reusePort is how a socket uses SO_REUSEPORT.
type reusePort int

const (
	exclusive   reusePort = iota
	groupFirst            // others may be added to its group
	groupMember           // it is added to the group of the first
)

// listen returns a socket for q that listens, or is bound in case of UDP, and its file.
// It does without package net, which would make the socket MPTCP, set options on each
// connection, and take O_NONBLOCK away from a file that processes share.
func (q query) listen(g reusePort) (fd int, file *socketFile, err error) {
	switch {
	case q.fd >= 0:
		fd, err = q.dupInherited()
	case q.family == pipe:
		return q.listenUnix()
	case q.family == tcp:
		fd, err = q.listenTCP(g)
	default:
		fd, err = q.bindUDP(g)
	}
	return fd, nil, err
}

// listenTCP binds as Node does: without an address to :: for IPv6 and IPv4, or to 0.0.0.0
// where there is no IPv6 (lib/net.js, setupListenHandle).
func (q query) listenTCP(g reusePort) (int, error) {
	addr, err := q.sockaddr(netip.IPv6Unspecified())
	if err != nil {
		return -1, err
	}
	fd, err := q.tryTCP(addr, g)
	if err != nil && q.address == "" && !errors.Is(err, unix.EADDRINUSE) {
		fd, err = q.tryTCP(&unix.SockaddrInet4{Port: int(q.port)}, g)
	}
	return fd, err
}

func (q query) tryTCP(addr unix.Sockaddr, g reusePort) (int, error) {
	fd, err := q.bindSocket(addr, unix.SOCK_STREAM, true, g)
	if err != nil {
		return -1, err
	}
	if err := unix.Listen(fd, q.backlog); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// bindUDP binds a UDP socket. In a group it must have SO_REUSEPORT when it is bound
// (kernel: reuseport_attach_prog), so the first one of a group binds another socket
// before, to fail if the port is in use.
func (q query) bindUDP(g reusePort) (int, error) {
	anyAddress := netip.IPv4Unspecified()
	if q.family == udp6 {
		anyAddress = netip.IPv6Unspecified()
	}
	reuse := q.flags&flagUDPReuseAddr != 0
	if g == groupFirst {
		addr, err := q.sockaddr(anyAddress)
		if err != nil {
			return -1, err
		}
		// With SO_REUSEPORT once it is bound: a process that is being started has a copy
		// until it execs, and the port would be in use.
		fd, err := q.bindSocket(addr, unix.SOCK_DGRAM, reuse, groupFirst)
		if err != nil {
			return -1, err
		}
		name := nameOf(fd)
		_ = unix.Close(fd)
		if name == nil {
			return -1, unix.EIO
		}
		q.port, g = int64(name.Port), groupMember
	}
	addr, err := q.sockaddr(anyAddress)
	if err != nil {
		return -1, err
	}
	return q.bindSocket(addr, unix.SOCK_DGRAM, reuse, g)
}

// bindSocket returns a socket that is bound to addr. The first of a group sets
// SO_REUSEPORT after it is bound: the kernel would let it join another group with the
// port, such as one of a second nodeinit.
func (q query) bindSocket(addr unix.Sockaddr, kind int, reuseAddr bool, g reusePort) (int, error) {
	domain := unix.AF_INET
	_, is6 := addr.(*unix.SockaddrInet6)
	if is6 {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	option := func(on bool, level, name, value int) {
		if err == nil && on {
			err = unix.SetsockoptInt(fd, level, name, value)
		}
	}
	option(reuseAddr, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	option(is6, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, int(q.flags&flagIPv6Only))
	option(g == groupMember, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if err == nil {
		err = unix.Bind(fd, addr)
	}
	option(g == groupFirst, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// sockaddr returns the address to bind. The worker has resolved host names.
func (q query) sockaddr(otherwise netip.Addr) (unix.Sockaddr, error) {
	addr := otherwise
	if q.address != "" {
		var err error
		if addr, err = netip.ParseAddr(q.address); err != nil {
			return nil, unix.EINVAL
		}
	}
	if q.port < 0 || q.family == udp4 && !addr.Is4() || q.family == udp6 && addr.Is4() {
		return nil, unix.EINVAL
	}
	if addr.Is4() {
		return &unix.SockaddrInet4{Port: int(q.port), Addr: addr.As4()}, nil
	}
	sa := &unix.SockaddrInet6{Port: int(q.port), Addr: addr.As16()}
	if zone := addr.Zone(); zone != "" {
		var err error
		if sa.ZoneId, err = interfaceIndex(zone); err != nil {
			return nil, unix.EINVAL
		}
	}
	return sa, nil
}

// interfaceIndex returns the index of a network interface (netdevice(7)). A socket of any
// family can be asked for it.
func interfaceIndex(name string) (uint32, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request)
	return request.Uint32(), err
}

// dupInherited returns a copy of a socket that was passed to nodeinit; it listens, or is
// a UDP socket. Workers do not get descriptors that nodeinit has opened itself. The
// errors are those of Node's primary.
func (q query) dupInherited() (int, error) {
	flags, err := unix.FcntlInt(uintptr(q.fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC != 0 || q.fd > math.MaxInt32 {
		return -1, unix.EINVAL
	}
	if err := q.checkType(int(q.fd)); err != nil {
		return -1, err
	}
	fd, err := unix.FcntlInt(uintptr(q.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err = unix.SetNonblock(fd, true); err == nil && q.family == tcp {
		err = unix.Listen(fd, q.backlog)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// checkType returns an error if fd is not of the kind that q asks for.
func (q query) checkType(fd int) error {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	var stat unix.Stat_t
	switch {
	case err == nil && q.family == tcp && kind == unix.SOCK_STREAM:
		return nil
	case err == nil && q.family != tcp && kind == unix.SOCK_DGRAM && nameOf(fd) != nil:
		return nil
	case q.family == tcp && unix.Fstat(fd, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFIFO:
		return unix.ENOTSOCK // libuv takes it for a Unix socket, and fails to listen
	}
	return unix.EINVAL
}

// nameOf returns the address of a TCP or UDP socket, nil for others. unix.Getsockname would
// link the decoding of all kinds of addresses that Linux has.
func nameOf(fd int) *sockname { return addressOf(unix.SYS_GETSOCKNAME, fd) }

// peerOf returns the address of the other end of a TCP connection, nil if it has none.
func peerOf(fd int) *sockname { return addressOf(unix.SYS_GETPEERNAME, fd) }

func addressOf(call uintptr, fd int) *sockname {
	var raw unix.RawSockaddrAny
	size := uint32(unsafe.Sizeof(raw))
	_, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return nil
	}
	switch raw.Addr.Family {
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(&raw))
		return &sockname{netip.AddrFrom4(a.Addr).String(), "IPv4", portOf(a.Port)}
	case unix.AF_INET6:
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(&raw))
		return &sockname{netip.AddrFrom16(a.Addr).String(), "IPv6", portOf(a.Port)}
	default:
		return nil
	}
}

// portOf returns a port that is in network byte order.
func portOf(raw uint16) int {
	bytes := (*[2]byte)(unsafe.Pointer(&raw))
	return int(bytes[0])<<8 | int(bytes[1])
}

// accept accepts a connection. Unlike unix.Accept4 it does not get the peer's address, and
// allocates nothing. It does not block: fd must have O_NONBLOCK. So Go's runtime need not
// know of the system call; see poller.waitEvents.
func accept(fd int) (int, error) { return acceptWith(unix.RawSyscall6, fd) }

// acceptInherited is accept for a socket of which other processes can clear O_NONBLOCK.
func acceptInherited(fd int) (int, error) { return acceptWith(unix.Syscall6, fd) }

func acceptWith(call func(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno), fd int) (int, error) {
	for {
		n, _, errno := call(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return -1, errno
		}
	}
}
