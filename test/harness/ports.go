package harness

import (
	"fmt"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// ReservePort returns a free port below the range of ephemeral ports. No other
// test of the network namespace gets it before this one has ended: an abstract
// Unix socket is its lock.
func ReservePort(t *testing.T) int {
	t.Helper()
	for port := 20000 + os.Getpid()%5000; port < 32000; port++ {
		lock, err := net.Listen("unix", fmt.Sprintf("@nodeinit-test-port-%d", port))
		if err != nil {
			continue
		}
		if !portIsFree(t, port) {
			lock.Close()
			continue
		}
		t.Cleanup(func() { lock.Close() })
		return port
	}
	t.Fatal("no port is free")
	return 0
}

// portIsFree reports whether no socket listens on port. It binds but does not
// listen: a process that is being started may hold a copy of the socket until its
// execve, and a copy of a listener would keep the port taken.
func portIsFree(t *testing.T, port int) bool {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	return unix.Bind(fd, &unix.SockaddrInet6{Port: port}) == nil
}
