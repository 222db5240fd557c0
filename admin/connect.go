package admin

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/supervisor"
)

// ConnectTo returns a connection to the server of a worker on port, 0 for its first one.
// It is made by p, where the worker has the ID id, or over the loopback interface for a
// program in fork mode without an agent, and where p is nil. It has O_NONBLOCK, and may
// not be connected yet.
func ConnectTo(p *cluster.Primary, id int64, w *supervisor.WorkerStatus, port int) (fd int, err error) {
	if p != nil {
		if fd, err = p.Connect(id, port); !errors.Is(err, cluster.ErrNoAgent) {
			return fd, err
		}
	}
	address := addressOf(programOf(w), port)
	if !address.IsValid() {
		return -1, errors.New("its port is not known: name it before the path, as in 3000/path")
	}
	return dialTCP(address)
}

// addressOf returns where a process has a TCP server on port, 0 for the one that it has
// made first. Where the kernel does not tell, it is on the loopback interface; the zero
// address is that there is no port either.
func addressOf(pid, port int) (found netip.AddrPort) {
	all, _ := diagSockets()
	claim(all, pid)
	first := uint32(0) // its inode: they are numbered as they are made
	for i := range all {
		s := &all[i]
		address, isTCP := s.reachable()
		if s.owner == pid && isTCP && (port == 0 || int(address.Port()) == port) && (first == 0 || s.inode < first) {
			found, first = address, s.inode
		}
	}
	if port != 0 && first == 0 {
		found = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
	}
	return found
}

// reachable returns the address of a TCP socket, that of the loopback interface where it
// listens on all.
func (s *diagSocket) reachable() (address netip.AddrPort, isTCP bool) {
	colon := strings.LastIndexByte(s.address, ':')
	if s.path || colon < 0 || s.address[0] == '@' {
		return address, false
	}
	host, number := strings.Trim(s.address[:colon], "[]"), s.address[colon+1:]
	switch host {
	case "*", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	ip, err := netip.ParseAddr(host)
	port, _ := strconv.ParseUint(number, 10, 16)
	return netip.AddrPortFrom(ip, uint16(port)), err == nil && port > 0
}

// dialTCP begins to connect.
func dialTCP(address netip.AddrPort) (fd int, err error) {
	domain, peer := unix.AF_INET, unix.Sockaddr(nil)
	if ip := address.Addr(); ip.Is4() {
		peer = &unix.SockaddrInet4{Port: int(address.Port()), Addr: ip.As4()}
	} else {
		domain, peer = unix.AF_INET6, &unix.SockaddrInet6{Port: int(address.Port()), Addr: ip.As16()}
	}
	fd, err = unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%w: socket: %w", cluster.ErrNoConnection, err)
	}
	if err = unix.Connect(fd, peer); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return -1, os.NewSyscallError("connect", err)
	}
	return fd, nil
}
