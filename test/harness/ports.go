package harness

import (
	"fmt"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// ReservePort returns one outside the range that the kernel gives away, and of
// this test as long as it runs: the name of a socket is its lock.
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

// portIsFree reports whether nobody listens on port. It binds but does not
// listen: a process that is being started right now may hold a copy of what is
// closed here, for as long as it has not come to execve, and that would be in
// the way if it were a listener.
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
