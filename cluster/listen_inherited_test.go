package cluster

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// inheritable returns a descriptor as nodeinit's parent would pass it, until the test ends.
func inheritable(t *testing.T, domain, kind int, bind unix.Sockaddr) int {
	t.Helper()
	fd, err := unix.Socket(domain, kind, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeFD(fd) })
	if bind != nil {
		if err := unix.Bind(fd, bind); err != nil {
			t.Fatal(err)
		}
	}
	return fd
}

func localhost() *unix.SockaddrInet4 { return &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}} }

// withoutCloexec returns a copy of f that a child would inherit, until the test ends.
func withoutCloexec(t *testing.T, f *os.File) int {
	t.Helper()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD, 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeFD(fd) })
	return fd
}

// A descriptor that was passed to nodeinit is taken if it is a socket of the kind that is
// asked for. The errors are those of Node's primary, and nodeinit's own descriptors,
// which are closed on exec, are not the workers' to have.
func TestInheritedDescriptorIsOfItsKind(t *testing.T) {
	t.Parallel()
	stream := inheritable(t, unix.AF_INET, unix.SOCK_STREAM, localhost())
	packets := inheritable(t, unix.AF_INET, unix.SOCK_DGRAM, localhost())
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close(); write.Close() })
	connected := inheritable(t, unix.AF_INET, unix.SOCK_STREAM, nil)
	_, name := opens(t, tcpQuery("127.0.0.1", 0), exclusive)
	if err := unix.Connect(connected, &unix.SockaddrInet4{Port: name.Port, Addr: localhost().Addr}); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		family family
		fd     int64
		want   error
	}{
		"a TCP socket":             {tcp, int64(stream), nil},
		"a TCP socket, not bound":  {tcp, int64(inheritable(t, unix.AF_INET, unix.SOCK_STREAM, nil)), nil},
		"a Unix socket, bound":     {tcp, int64(inheritable(t, unix.AF_UNIX, unix.SOCK_STREAM, &unix.SockaddrUnix{Name: shortDir(t) + "/s"})), nil},
		"a TCP socket for UDP":     {udp4, int64(stream), unix.EINVAL},
		"a UDP socket":             {udp4, int64(packets), nil},
		"a UDP socket for TCP":     {tcp, int64(packets), unix.EINVAL},
		"a Unix socket for UDP":    {udp4, int64(inheritable(t, unix.AF_UNIX, unix.SOCK_DGRAM, nil)), unix.EINVAL},
		"a Unix seqpacket socket":  {tcp, int64(inheritable(t, unix.AF_UNIX, unix.SOCK_SEQPACKET, nil)), unix.EINVAL},
		"a connection":             {tcp, int64(connected), unix.EINVAL},
		"a Unix socket, not bound": {tcp, int64(inheritable(t, unix.AF_UNIX, unix.SOCK_STREAM, nil)), unix.EINVAL},
		"a pipe":                   {tcp, int64(withoutCloexec(t, read)), unix.ENOTSOCK},
		"a pipe for UDP":           {udp4, int64(withoutCloexec(t, read)), unix.EINVAL},
		"a file":                   {tcp, int64(withoutCloexec(t, mustOpen(t, "/proc/self/status"))), unix.EINVAL},
		"a directory":              {tcp, int64(withoutCloexec(t, mustOpen(t, "/"))), unix.EINVAL},
		"a device":                 {udp6, int64(withoutCloexec(t, mustOpen(t, os.DevNull))), unix.EINVAL},
		"nodeinit's own":           {tcp, int64(read.Fd()), unix.EINVAL},
		"a number of none":         {tcp, 1 << 20, unix.EINVAL},
		"a number of 32 bits":      {tcp, math.MaxUint32, unix.EINVAL},
		"a number of 33 bits":      {tcp, 1<<32 + int64(stream), unix.EINVAL},
		"a number of 63 bits":      {tcp, math.MaxInt64, unix.EINVAL},
		"a number of 33 bits, UDP": {udp4, 1<<32 + int64(packets), unix.EINVAL},
		"nodeinit's own, for UDP":  {udp4, int64(write.Fd()), unix.EINVAL},
	} {
		q := query{family: c.family, fd: c.fd, backlog: 5}
		fd, err := opensOr(t, q, exclusive)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
		if err != nil {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if int64(fd) == c.fd || err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: the copy is %d of %d, with flags %x, %v", what, fd, c.fd, flags, err)
		}
		if listens := option(t, fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN) == 1; listens != (c.family == tcp) {
			t.Errorf("%s: it listens: %v", what, listens)
		}
	}
}

// A descriptor is one server to all workers, once to each; it stays open when they are
// gone, for it is not nodeinit's alone.
func TestInheritedDescriptorOutlivesItsServer(t *testing.T) {
	t.Parallel()
	for _, balance := range []Balance{RR, Shared, ReusePort, IPHash} {
		t.Run(string(balance), func(t *testing.T) {
			t.Parallel()
			fd := inheritable(t, unix.AF_INET, unix.SOCK_STREAM, localhost())
			p := run(t, balance)
			a, b := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
			asked := object{"fd": fd, "port": nil, "address": nil, "addressType": nil}
			first := a.gets(asked)
			if first.passed != (balance != RR) {
				t.Errorf("a descriptor came along: %v", first.passed)
			}
			if again := a.asks(asked); again.err() != unix.EEXIST {
				t.Errorf("twice: %+v, want EEXIST", again)
			}
			if other := b.gets(asked); other.Key != first.Key {
				t.Errorf("the other worker got %q, want %q", other.Key, first.Key)
			}
			for _, m := range []*fakeWorker{a, b} {
				m.w.StopConnections(false)
				m.w.Release(false)
				m.closeFiles()
			}
			done(p)
			name := nameOf(fd)
			if name == nil {
				t.Fatal("it has no name")
			}
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", name.Port))
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			if n := inside(p, func() int { return len(p.servers) }); n != 0 {
				t.Errorf("%d servers are left", n)
			}
		})
	}
}
