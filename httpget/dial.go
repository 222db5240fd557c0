package httpget

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// hostsFile has the only names that are resolved: package net, which asks DNS too, would
// be 300 KB of the binary.
const hostsFile = "/etc/hosts"

// dial connects to a TCP port, 80 without one, of host, which is an address or a name in
// [hostsFile]. Reads and writes wait in Go's poller, and the end of ctx ends them until
// the file is closed; stop then frees what that needs.
func dial(ctx context.Context, host, port string) (conn *os.File, stop func() bool, err error) {
	peer, domain, err := resolve(host, port)
	if err != nil {
		return nil, nil, err
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socket", err)
	}
	// Before the poller knows of it: a socket that is not connecting is ready (EPOLLHUP).
	err = unix.Connect(fd, peer)
	conn = os.NewFile(uintptr(fd), "tcp")
	stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	if isConnecting(err) {
		err = waitConnected(conn, peer)
	}
	if err != nil {
		stop()
		return nil, nil, errors.Join(fmt.Errorf("connect to %s port %s: %w", host, port, err), conn.Close())
	}
	return conn, stop, nil
}

// waitConnected waits until conn is connected, or cannot be: connect says so when it is
// called again (kernel: __inet_stream_connect).
func waitConnected(conn *os.File, peer unix.Sockaddr) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = raw.Write(func(fd uintptr) bool {
		result = unix.Connect(int(fd), peer)
		return !isConnecting(result)
	})
	if err != nil {
		return err
	}
	return result
}

func isConnecting(err error) bool {
	return err == unix.EINPROGRESS || err == unix.EALREADY || err == syscall.EINTR
}

// resolve returns the address of a port of host, and its family.
func resolve(host, port string) (peer unix.Sockaddr, domain int, err error) {
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, 0, fmt.Errorf("port %.60q", port)
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		hosts, _ := os.ReadFile(hostsFile)
		if addr = lookup(hosts, host); !addr.IsValid() {
			return nil, 0, fmt.Errorf("%.60q is neither an address nor a name in %s", host, hostsFile)
		}
	}
	if addr = addr.Unmap(); addr.Is4() {
		return &unix.SockaddrInet4{Port: int(number), Addr: addr.As4()}, unix.AF_INET, nil
	}
	if addr.Zone() != "" {
		return nil, 0, fmt.Errorf("address with a zone: %.60q", host)
	}
	return &unix.SockaddrInet6{Port: int(number), Addr: addr.As16()}, unix.AF_INET6, nil
}

// lookup returns the first address of name in hosts (hosts(5)), IPv4 before IPv6; the
// zero one is none.
func lookup(hosts []byte, name string) (first netip.Addr) {
	for line := range bytes.Lines(hosts) {
		text, _, _ := strings.Cut(string(line), "#")
		fields := strings.Fields(text)
		for i := 1; i < len(fields); i++ {
			if !strings.EqualFold(fields[i], name) {
				continue
			}
			if addr, err := netip.ParseAddr(fields[0]); err == nil && (!first.IsValid() || first.Is6() && addr.Is4()) {
				first = addr
			}
		}
	}
	return first
}
