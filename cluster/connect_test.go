package cluster

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// connect is Connect, with the end as a connection.
func connect(m *fakeWorker, port int) (net.Conn, error) {
	m.t.Helper()
	fd, err := m.w.primary.Connect(m.w.id, port)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "own")
	defer file.Close()
	c, err := net.FileConn(file)
	if err != nil {
		m.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(testproc.HangLimit))
	m.t.Cleanup(func() { c.Close() })
	return c, nil
}

// connects is connect where an error ends the test.
func connects(m *fakeWorker, port int) net.Conn {
	m.t.Helper()
	c, err := connect(m, port)
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// refuses expects connect to fail.
func refuses(m *fakeWorker, port int, why string) {
	m.t.Helper()
	if _, err := connect(m, port); err == nil || !strings.Contains(err.Error(), why) {
		m.t.Errorf("port %d: %v, want %q", port, err, why)
	}
}

// port returns the port of the server that an answer names.
func (a answer) port() int { return a.Sockname.Port }

// One of nodeinit's own connections comes to one worker and no other, by its first server
// or the one on a port, also when it is out of rotation. It is between two ends on the
// loopback interface, and comes before an order that follows.
func TestConnect(t *testing.T) {
	t.Parallel()
	for _, balance := range []Balance{RR, Shared, ReusePort, IPHash} {
		t.Run(string(balance), func(t *testing.T) {
			t.Parallel()
			p := run(t, balance)
			other, m := newFakeWorker(t, p, 1), newFakeWorker(t, p, 0)
			first, second := other.gets(nil), other.gets(object{"index": 1})
			m.gets(object{"index": 1})
			m.gets(nil)
			for range m.fds { // those of Shared and the others that are no RR
				m.send(`{"cmd":"NODE_HANDLE_ACK"}`)
			}
			m.closeFiles()
			m.hasAgent()
			m.w.StopConnections(false)
			for port, want := range map[int]answer{0: first, first.port(): first, second.port(): second} {
				client := connects(m, port)
				m.w.DisableKeepAlives()
				message := m.receive()
				if message["act"] != "newconn" || message["key"] != want.Key || message["own"] != true {
					t.Fatalf("port %d: heard %v, want key %s", port, message, want.Key)
				}
				m.expect(disableKeepAlives)
				file := m.file()
				flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFL, 0)
				if err != nil || flags&unix.O_NONBLOCK == 0 {
					t.Errorf("flags %#x, %v: Node would block", flags, err)
				}
				server, err := net.FileConn(file)
				if err != nil {
					t.Fatal(err)
				}
				file.Close()
				m.ack(int(message["seq"].(float64)), true)
				if server.RemoteAddr().String() != client.LocalAddr().String() || !strings.HasPrefix(client.LocalAddr().String(), "127.0.0.1:") {
					t.Errorf("from %v, and its peer is %v", client.LocalAddr(), server.RemoteAddr())
				}
				if _, err := io.WriteString(server, "hello"); err != nil {
					t.Error(err)
				}
				server.Close()
				if got := read(t, client); got != "hello" {
					t.Errorf("got %q", got)
				}
			}
			refuses(m, 1, "no server on port 1")
		})
	}
}

// A worker that takes nothing gets two, and no more than its channel has room for. What it
// refuses, or has not taken when it exits, nobody gets.
func TestConnectIsBounded(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	m, other := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	m.gets(nil)
	other.gets(nil)
	first, second := connects(m, 0), connects(m, 0)
	refuses(m, 0, "not taken the last connections")
	seq, conn := m.take()
	conn.Close()
	m.ack(seq, false)
	if got := read(t, first); got != "" {
		t.Errorf("refused: %q", got)
	}
	m.state()
	third := connects(m, 0)
	refuses(m, 0, "not taken the last connections")
	m.conn.Close()
	m.closeFiles()
	for _, c := range []net.Conn{second, third} {
		if got, err := io.ReadAll(c); len(got) > 0 {
			t.Errorf("it has exited: %q, %v", got, err)
		}
	}
	m.w.Release(false)
	refuses(m, 0, "exited")
	if got := len(other.gets(object{"index": 1}).Key); got == 0 {
		t.Error("no answer")
	}
	if len(other.fds) != 0 {
		t.Error("the other worker has got a connection")
	}
}

// There are words for what cannot be asked.
func TestConnectSaysWhy(t *testing.T) {
	t.Parallel()
	p := run(t, Shared)
	m := newFakeWorker(t, p, 0)
	refuses(m, 0, "no TCP server")
	a := m.gets(object{"data": object{"ticketKeys": "00"}})
	refuses(m, a.port(), "speaks TLS")
	udp := newFakeWorker(t, p, 1)
	udp.gets(object{"addressType": "udp4"})
	refuses(udp, 0, "no TCP server")
	if _, err := p.Connect(99, 0); !errors.Is(err, errGone) {
		t.Errorf("a worker that never was: %v", err)
	}
}

// In fork mode, and when a worker that drains has closed its socket, the agent gets the
// connection and finds the server.
func TestConnectByTheAgent(t *testing.T) {
	t.Parallel()
	p := run(t, Shared)
	fork := newFakeWorkerOf(t, p.OpenFork)
	if _, err := connect(fork, 0); !errors.Is(err, ErrNoAgent) {
		t.Errorf("no agent: %v", err)
	}
	fork.hasAgent()
	refuses(fork, 0, "no TCP server")
	fork.send(`{"cmd":"NODE_NODEINIT","act":"listening","address":"/tmp/a:80","port":-1}`)
	fork.send(`{"cmd":"NODE_NODEINIT","act":"listening","address":"::","port":3000}`)
	fork.state()
	refuses(fork, 80, "no server on port 80")
	for _, port := range []int{0, 3000} {
		connects(fork, port)
		fork.expect(object{"cmd": "NODE_NODEINIT", "act": "connection", "port": float64(port)})
		fork.file().Close()
		fork.send(`{"cmd":"NODE_HANDLE_ACK"}`)
	}
	drains := newFakeWorker(t, p, 0)
	a := drains.gets(nil)
	drains.file().Close()
	drains.hasAgent()
	drains.w.Drain("")
	if message := drains.receive(); message["act"] != "drain" {
		t.Fatalf("heard %v", message)
	}
	drains.send(`{"cmd":"NODE_CLUSTER","act":"close","key":"%s","seq":1}`, a.Key)
	drains.state()
	connects(drains, a.port())
	drains.expect(object{"cmd": "NODE_NODEINIT", "act": "connection", "port": float64(a.port())})
}

// A connection of another process is not taken for the own one.
func TestAcceptFrom(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialed := func() net.Conn {
		c, err := net.Dial("tcp4", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	stranger, own := dialed(), dialed()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	address := own.LocalAddr().(*net.TCPAddr)
	server, err := acceptFrom(file, &sockname{"127.0.0.1", "IPv4", address.Port})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(server)
	if peer := peerOf(server); peer == nil || peer.Port != address.Port {
		t.Errorf("peer %+v, want %v", peer, address)
	}
	_ = stranger.SetDeadline(time.Now().Add(testproc.HangLimit))
	if n, err := stranger.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("the connection of the stranger goes on")
	}
}
