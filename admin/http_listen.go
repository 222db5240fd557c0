package admin

import (
	"errors"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// listenTCP listens at a port of an address; the zero address is all, of IPv4 and IPv6.
// The inode is that of the socket.
func listenTCP(ip netip.Addr, port int) (l *listener, inode uint64, err error) {
	if ip.IsValid() {
		return listenIP(ip.Unmap(), port)
	}
	l, inode, err = listenIP(netip.IPv6Unspecified(), port)
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) { // there is no IPv6
		l, inode, err = listenIP(netip.IPv4Unspecified(), port)
	}
	return l, inode, err
}

func listenIP(ip netip.Addr, port int) (*listener, uint64, error) {
	domain, address := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: port, Addr: ip.As16()})
	if ip.Is4() {
		domain, address = unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: ip.As4()}
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, os.NewSyscallError("socket", err)
	}
	// The address of a nodeinit that has just ended is free at once.
	err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	if err == nil && domain == unix.AF_INET6 { // whatever net.ipv6.bindv6only is
		err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0))
	}
	name := netip.AddrPortFrom(ip, uint16(port)).String()
	if err == nil {
		err = os.NewSyscallError("bind "+name, unix.Bind(fd, address))
	}
	if err == nil {
		err = os.NewSyscallError("listen at "+name, unix.Listen(fd, backlog))
	}
	var info unix.Stat_t
	if err == nil {
		err = os.NewSyscallError("fstat", unix.Fstat(fd, &info))
	}
	if err != nil {
		unix.Close(fd)
		return nil, 0, err
	}
	l, err := newListener(fd, "port "+strconv.Itoa(port))
	return l, info.Ino, err
}
