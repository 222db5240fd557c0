package admin

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// listenTCP listens at a port of an address; the zero address is all, of IPv4 and IPv6. The
// inode is that of the socket.
func listenTCP(ip netip.Addr, port int) (l *listener, inode uint64, err error) {
	if ip.IsValid() {
		return listenIP(ip.Unmap(), port)
	}
	l, inode, err = listenIP(netip.IPv6Unspecified(), port)
	if err == unix.EAFNOSUPPORT || err == unix.EADDRNOTAVAIL { // there is no IPv6
		return listenIP(netip.IPv4Unspecified(), port)
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
		return nil, 0, err
	}
	// The address of a nodeinit that has just ended is free at once. IPv6 takes connections
	// of IPv4 too, whatever net.ipv6.bindv6only is.
	var info unix.Stat_t
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if domain == unix.AF_INET6 {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
	if err = unix.Bind(fd, address); err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err == nil {
		err = unix.Fstat(fd, &info)
	}
	if err != nil {
		unix.Close(fd)
		return nil, 0, err
	}
	l, err := newListener(fd, "HTTP")
	return l, info.Ino, err
}
