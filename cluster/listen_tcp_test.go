package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// opens listens as q says, until the test ends.
func opens(t *testing.T, q query, g reusePort) (fd int, name *sockname) {
	t.Helper()
	fd, err := opensOr(t, q, g)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	if name = nameOf(fd); name == nil {
		t.Fatalf("%+v: it has no name", q)
	}
	return fd, name
}

func opensOr(t *testing.T, q query, g reusePort) (fd int, err error) {
	t.Helper()
	fd, _, err = q.listen(g)
	if err == nil {
		t.Cleanup(func() { closeFD(fd) })
	}
	return fd, err
}

func tcpQuery(address string, port int) query {
	return query{family: tcp, address: address, port: int64(port), fd: -1, backlog: 5}
}

func option(t *testing.T, fd, level, name int) int {
	t.Helper()
	value, err := unix.GetsockoptInt(fd, level, name)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// Without an address a server is for both versions of IP; ipv6Only leaves IPv4 to others.
func TestServerIsOfTheVersionsThatWereAskedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address    string
		flags      int64
		host       string
		four, six  bool
		restIsFree bool // the port is free in the other version
	}{
		{"", 0, "::", true, true, false},
		{"", flagIPv6Only, "::", false, true, true},
		{"::", 0, "::", true, true, false},
		{"::", flagIPv6Only, "::", false, true, true},
		{"0.0.0.0", 0, "0.0.0.0", true, false, true},
		{"0.0.0.0", flagIPv6Only, "0.0.0.0", true, false, true},
		{"127.0.0.1", 0, "127.0.0.1", true, false, true},
		{"::1", 0, "::1", false, true, true},
		{"::ffff:127.0.0.1", 0, "::ffff:127.0.0.1", true, false, true},
	} {
		what := fmt.Sprintf("%q, flags %d", c.address, c.flags)
		q := tcpQuery(c.address, 0)
		q.flags = c.flags
		_, name := opens(t, q, exclusive)
		if name.Address != c.host || name.Port == 0 || (name.Family == "IPv4") != (c.host[0] != ':') {
			t.Errorf("%s: bound to %+v", what, name)
		}
		for host, want := range map[string]bool{"127.0.0.1": c.four, "::1": c.six} {
			conn, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(name.Port)))
			if (err == nil) != want {
				t.Errorf("%s: dial %s: %v", what, host, err)
			}
			if err == nil {
				conn.Close()
			}
		}
		other := tcpQuery("127.0.0.1", name.Port)
		if c.four && !c.six {
			other.address = "::1"
		}
		if _, err := opensOr(t, other, exclusive); (err == nil) != c.restIsFree {
			t.Errorf("%s: %s beside it: %v", what, other.address, err)
		}
	}
}

// What cannot be bound is an error that Node knows, and leaves no descriptor open.
func TestListenErrorsAreThoseOfTheKernel(t *testing.T) {
	t.Parallel()
	_, used := opens(t, tcpQuery("127.0.0.1", 0), exclusive)
	for what, c := range map[string]struct {
		q    query
		want unix.Errno
	}{
		"in use":                        {tcpQuery("127.0.0.1", used.Port), unix.EADDRINUSE},
		"in use, of any":                {tcpQuery("0.0.0.0", used.Port), unix.EADDRINUSE},
		"in use, without an address":    {tcpQuery("", used.Port), unix.EADDRINUSE},
		"not of this machine":           {tcpQuery("192.0.2.1", 0), unix.EADDRNOTAVAIL},
		"not of this machine, IPv6":     {tcpQuery("2001:db8::1", 0), unix.EADDRNOTAVAIL},
		"link-local without a zone":     {tcpQuery("fe80::1", 0), unix.EINVAL},
		"a zone that is not there":      {tcpQuery("fe80::1%nosuchlink", 0), unix.EINVAL},
		"a host name":                   {tcpQuery("localhost", 0), unix.EINVAL},
		"a host and a port":             {tcpQuery("127.0.0.1:80", 0), unix.EINVAL},
		"a number":                      {tcpQuery("2130706433", 0), unix.EINVAL},
		"with a NUL":                    {tcpQuery("127.0.0.1\x00", 0), unix.EINVAL},
		"octal":                         {tcpQuery("127.0.0.01", 0), unix.EINVAL},
		"UDP of the wrong version":      {query{family: udp4, address: "::1", fd: -1}, unix.EINVAL},
		"UDP 6 of the wrong version":    {query{family: udp6, address: "127.0.0.1", fd: -1}, unix.EINVAL},
		"UDP of a port below the first": {query{family: udp4, port: -1, fd: -1}, unix.EINVAL},
		"UDP not of this machine":       {query{family: udp4, address: "192.0.2.1", fd: -1}, unix.EADDRNOTAVAIL},
	} {
		for _, g := range []reusePort{exclusive, groupFirst, groupMember} {
			if _, err := opensOr(t, c.q, g); !errors.Is(err, c.want) {
				t.Errorf("%s (%d): %v, want %v", what, g, err, c.want)
			}
		}
	}
}

// An address with a zone is bound to the link of that name.
func TestZoneIsThatOfALink(t *testing.T) {
	t.Parallel()
	q := tcpQuery("fe80::7%lo", 7)
	link, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	sa, err := q.sockaddr(netip.IPv6Unspecified())
	six, ok := sa.(*unix.SockaddrInet6)
	if err != nil || !ok || int(six.ZoneId) != link.Index || six.Port != 7 || netip.AddrFrom16(six.Addr).String() != "fe80::7" {
		t.Errorf("%+v, %v", sa, err)
	}
}

// A server can be bound again while connections of its predecessor are closing (SO_REUSEADDR),
// takes nothing of a process that execs (CLOEXEC), and never blocks.
func TestServerSocketHasTheOptionsOfNode(t *testing.T) {
	t.Parallel()
	for _, g := range []reusePort{exclusive, groupFirst, groupMember} {
		fd, _ := opens(t, tcpQuery("127.0.0.1", 0), g)
		if option(t, fd, unix.SOL_SOCKET, unix.SO_REUSEADDR) != 1 || option(t, fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN) != 1 {
			t.Errorf("group %d: it does not listen, or not with SO_REUSEADDR", g)
		}
		if shared := option(t, fd, unix.SOL_SOCKET, unix.SO_REUSEPORT) == 1; shared != (g != exclusive) {
			t.Errorf("group %d: SO_REUSEPORT is %v", g, shared)
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		status, err2 := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if errors.Join(err, err2) != nil || flags&unix.FD_CLOEXEC == 0 || status&unix.O_NONBLOCK == 0 {
			t.Errorf("group %d: flags %x, status %x, %v", g, flags, status, errors.Join(err, err2))
		}
		if _, err := accept(fd); !errors.Is(err, unix.EAGAIN) {
			t.Errorf("group %d: accept: %v, want EAGAIN", g, err)
		}
	}
	if _, err := accept(int(mustOpen(t, os.DevNull).Fd())); !errors.Is(err, unix.ENOTSOCK) {
		t.Errorf("accept of no socket: %v", err)
	}
}

func mustOpen(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// The first of a group does not join one that is there already, a second nodeinit's for
// example; the others join the first.
func TestGroupDoesNotJoinAForeignOne(t *testing.T) {
	t.Parallel()
	for _, family := range []family{tcp, udp4} {
		q := query{family: family, address: "127.0.0.1", fd: -1, backlog: 5}
		fd, name := opens(t, q, groupFirst)
		q.port = int64(name.Port)
		if option(t, fd, unix.SOL_SOCKET, unix.SO_REUSEPORT) != 1 {
			t.Errorf("family %d: the first is not of a group", family)
		}
		for range 2 {
			if _, err := opensOr(t, q, groupMember); err != nil {
				t.Errorf("family %d: another of the group: %v", family, err)
			}
		}
		for _, g := range []reusePort{groupFirst, exclusive} {
			if _, err := opensOr(t, q, g); !errors.Is(err, unix.EADDRINUSE) {
				t.Errorf("family %d: a foreign one (%d): %v, want EADDRINUSE", family, g, err)
			}
		}
	}
}

// The same over the wire: two primaries do not share a port without knowing.
func TestTwoPrimariesDoNotShareAPort(t *testing.T) {
	t.Parallel()
	for _, balance := range []Balance{RR, Shared, ReusePort, IPHash} {
		for _, kind := range []any{4, "udp4"} {
			a, b := newFakeWorker(t, run(t, balance), 0), newFakeWorker(t, run(t, balance), 0)
			first := a.gets(object{"addressType": kind})
			if second := b.asks(object{"addressType": kind, "port": first.Sockname.Port}); second.err() != unix.EADDRINUSE {
				t.Errorf("%s, %v: %+v, want EADDRINUSE", balance, kind, second)
			}
		}
	}
}
