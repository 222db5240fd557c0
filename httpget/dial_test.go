package httpget

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	const hosts = "# 10.0.0.9 ecs\n\n::1\tlocalhost ip6-localhost # ecs\n127.0.0.1 localhost\nbad ecs\n" +
		"10.0.0.1  other ECS # comment\n10.0.0.2 ecs\n10.0.0.3"
	for name, want := range map[string]string{
		"localhost": "127.0.0.1", "ip6-localhost": "::1", "ecs": "10.0.0.1", "Other": "10.0.0.1",
		"comment": "", "10.0.0.3": "", "10.0.0.1": "", "#": "", "": "",
	} {
		got := lookup([]byte(hosts), name)
		if wanted, _ := netip.ParseAddr(want); got != wanted {
			t.Errorf("%q: %v, want %q", name, got, want)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	for host, port := range map[string]string{
		"127.0.0.1": "65536", "127.0.0.2": "x", "127.0.0.3": "-1", "127.0.0.4": "", "fe80::1%lo": "80", "": "80",
	} {
		if peer, _, err := resolve(host, port); err == nil {
			t.Errorf("%q port %q: %+v, want an error", host, port, peer)
		}
	}
	_, err := Get(t.Context(), "http://no-such-host.invalid/v4")
	if want := `"no-such-host.invalid" is neither an address nor a name in /etc/hosts`; err == nil || err.Error() != want {
		t.Errorf("a name: %v, want %q", err, want)
	}
	_, err = Get(t.Context(), "http://127.0.0.1:1")
	if !errors.Is(err, unix.ECONNREFUSED) || !strings.Contains(err.Error(), "connect to 127.0.0.1 port 1: ") {
		t.Errorf("nobody listens: %v", err)
	}
}

// Every way to write the address of a server leads to it.
func TestGetByAddress(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "[::ffff:127.0.0.1]", "localhost"} {
		server := serveRaw(t, says(ok+"Content-Length: 4\r\n\r\nbody"))
		body, err := Get(t.Context(), strings.Replace(server, "127.0.0.1", host, 1))
		if string(body) != "body" || err != nil {
			t.Errorf("%s: %q, %v", host, body, err)
		}
	}
	peer, domain, err := resolve("fd00:ec2::2", "80")
	six, isSix := peer.(*unix.SockaddrInet6)
	if err != nil || domain != unix.AF_INET6 || !isSix || six.Port != 80 || netip.AddrFrom16(six.Addr) != netip.MustParseAddr("fd00:ec2::2") {
		t.Errorf("IPv6: %+v, family %d, %v", peer, domain, err)
	}
}

// While a server does not take the connection, the end of the context ends the wait: the
// kernel drops what comes to a listener with a full queue.
func TestDialIsCanceled(t *testing.T) {
	t.Parallel()
	fd, port := fullListener(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Get(ctx, "http://127.0.0.1:"+port); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want a deadline that passed", err)
	}
	if _, _, err := unix.Accept(fd); err != nil {
		t.Error(err)
	}
}

// A connection that is made after a while is used, as one is that is made at once.
func TestDialWaits(t *testing.T) {
	t.Parallel()
	fd, port := fullListener(t)
	done := make(chan error, 1)
	go func() {
		_, err := Get(t.Context(), "http://127.0.0.1:"+port)
		done <- err
	}()
	awaitConnecting(t, port)
	for { // the client of fullListener and, once the kernel has tried again, that of get
		conn, _, err := unix.Accept(fd)
		if err != nil {
			t.Fatal(err)
		}
		_, err = unix.Write(conn, []byte("nonsense\r\n"))
		if err = errors.Join(err, unix.Shutdown(conn, unix.SHUT_WR)); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(conn)
		if n, _ := unix.Read(conn, make([]byte, 3)); n == 3 { // GET; the other one says nothing
			break
		}
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), "malformed status line") {
		t.Errorf("error %v, want that of the answer", err)
	}
}

// fullListener returns a listener with a client in its queue, which holds no other.
func fullListener(t *testing.T) (fd int, port string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err == nil {
		err = unix.Listen(fd, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port = strconv.Itoa(name.(*unix.SockaddrInet4).Port)
	client, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return fd, port
}

// awaitConnecting waits until a socket of this machine is connecting to that port.
func awaitConnecting(t *testing.T, port string) {
	t.Helper()
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	const synSent = "02" // TCP_SYN_SENT
	want := fmt.Sprintf(":%04X %s ", number, synSent)
	for {
		text, err := os.ReadFile("/proc/net/tcp")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), want) {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("nobody connects")
		}
		runtime.Gosched()
	}
}
