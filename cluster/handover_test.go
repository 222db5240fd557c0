package cluster

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// dial connects to the address of a server.
func dial(t *testing.T, name map[string]any) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("%s:%v", ownHost, name["port"]))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(testproc.HangLimit))
	t.Cleanup(func() { c.Close() })
	return c
}

// take receives a connection and its number.
func (m *fakeWorker) take() (seq int, conn net.Conn) {
	m.t.Helper()
	message := m.receive()
	if message["act"] != "newconn" {
		m.t.Fatalf("heard %v, want a connection", message)
	}
	file := m.file()
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { conn.Close() })
	return int(message["seq"].(float64)), conn
}

// serve takes a connection, accepts it and writes answer to it.
func (m *fakeWorker) serve(answer string) {
	m.t.Helper()
	seq, conn := m.take()
	m.ack(seq, true)
	if _, err := io.WriteString(conn, answer); err != nil {
		m.t.Fatal(err)
	}
	conn.Close()
}

func (m *fakeWorker) ack(seq int, accepted bool) {
	m.t.Helper()
	m.send(`{"cmd":"NODE_HANDLE_ACK"}`)
	m.send(`{"cmd":"NODE_CLUSTER","ack":%d,"accepted":%v,"seq":7}`, seq, accepted)
}

func read(t *testing.T, c net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A connection that a worker has not acknowledged when it exits goes to another one. One
// that it has acknowledged is closed with it.
func TestUnansweredGoesToAnother(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	exits, other := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	_, name, _ := exits.query(0)
	first, second := dial(t, name), dial(t, name)
	seq, conn := exits.take()
	conn.Close()
	exits.send(`{"cmd":"NODE_HANDLE_ACK"}`)
	exits.send(`{"cmd":"NODE_CLUSTER","ack":%d,"accepted":true,"seq":7}`, seq)
	_, conn = exits.take() // it has got two at once, or this one after the ack
	conn.Close()
	other.query(0)
	exits.conn.Close()
	other.serve("from the other")
	if got := read(t, second); got != "from the other" {
		t.Errorf("the second connection got %q", got)
	}
	if got := read(t, first); got != "" {
		t.Errorf("the first connection got %q", got)
	}
}

// Between a worker and its replacement, connections wait.
func TestConnectionsWaitForTheReplacement(t *testing.T) {
	t.Parallel()
	for _, balance := range []Balance{RR, Shared, ReusePort, IPHash} {
		t.Run(string(balance), func(t *testing.T) {
			t.Parallel()
			p := run(t, balance)
			old := newFakeWorker(t, p, 0)
			_, name, _ := old.query(0)
			old.conn.Close()
			old.w.Release(true)
			c := dial(t, name)
			replacement := newFakeWorker(t, p, 0)
			if key, again, errno := replacement.query(0); errno != nil || fmt.Sprint(again) != fmt.Sprint(name) {
				t.Fatalf("the replacement got %q, %v, %v, want %v", key, again, errno, name)
			}
			if balance == RR {
				replacement.serve("hello")
				if got := read(t, c); got != "hello" {
					t.Errorf("got %q", got)
				}
			}
			replacement.conn.Close()
			replacement.w.Release(false)
			if balance == RR {
				refused(t, name)
			}
		})
	}
}

// refused waits until connections are refused.
func refused(t *testing.T, name map[string]any) {
	t.Helper()
	address := fmt.Sprintf("%s:%v", ownHost, name["port"])
	for end := time.Now().Add(testproc.HangLimit); time.Now().Before(end); {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		c.Close()
	}
	t.Errorf("%s still listens", address)
}

// A refused connection goes to another worker. It is closed when all have refused it.
func TestRefusedGoesToAnother(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	a, b := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	_, name, _ := a.query(0)
	b.query(0)
	c := dial(t, name)
	seq, conn := a.take()
	conn.Close()
	a.ack(seq, false)
	b.serve("from b")
	if got := read(t, c); got != "from b" {
		t.Errorf("got %q", got)
	}
	c = dial(t, name)
	for _, m := range []*fakeWorker{a, b} { // in turn
		seq, conn := m.take()
		conn.Close()
		m.ack(seq, false)
	}
	if b, err := io.ReadAll(c); len(b) != 0 {
		t.Errorf("got %q, %v", b, err)
	}
}

// A worker that does not read its connections gets few, and another one the rest. If it
// sends queries and reads no replies, its channel is closed.
func TestWorkerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	stuck, good := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	_, name, _ := good.query(0)
	stuck.query(0)
	var all []net.Conn
	for range 40 {
		all = append(all, dial(t, name))
	}
	served := 0
	for served < 40-maxPending { // stuck has at most maxPending
		good.serve("x")
		served++
	}
	for i := range 1 << 20 {
		if _, err := fmt.Fprintf(stuck.conn, `{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":"no address","port":1,"addressType":4,"seq":%d}`+"\n", i); err != nil {
			break // its channel was closed
		}
	}
	for range 40 - served {
		good.serve("x")
	}
	stuck.conn.Close() // with what it has not read
	for _, c := range all {
		if got := read(t, c); got != "x" {
			t.Fatalf("a connection got %q", got)
		}
	}
	for fault := error(nil); fault == nil; {
		select {
		case <-p.Reported():
		case <-time.After(testproc.HangLimit):
			t.Fatal("no fault is reported")
		}
		for _, c := range p.Reports() {
			if c.ID == stuck.w.id && c.State.Ended {
				fault = c.State.Fault
			}
			if c.ID == good.w.id && c.State.Ended {
				t.Fatal("the channel of the other worker is closed")
			}
		}
	}
}

// newGroup opens a server for each slot, and sends the slot of each connection that a
// listener accepts.
func newGroup(t *testing.T, p *Primary, slots int) (port string, reached <-chan int) {
	t.Helper()
	accepted := make(chan int)
	for slot := range slots {
		m := newFakeWorker(t, p, slot)
		m.send(`{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":null,"port":0,"addressType":6,"flags":0,"seq":1}`)
		m.receive()
		file := m.file()
		l, err := net.FileListener(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
				accepted <- slot
			}
		}()
	}
	return port, accepted
}

// ip-hash: each client address always reaches the same worker, and different
// ones reach all of them.
func TestIPHash(t *testing.T) {
	t.Parallel()
	const n = 4
	port, reached := newGroup(t, run(t, IPHash), n)
	ask := func(from net.IP) int {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
		to := "127.0.0.1"
		if from.To4() == nil {
			to = "::1"
		}
		c, err := d.Dial("tcp", net.JoinHostPort(to, port))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return <-reached
	}
	var seen [n]int
	for i := range 64 {
		from := net.IPv4(127, 0, byte(i/8), byte(1+i%8))
		slot := ask(from)
		seen[slot]++
		for range 3 {
			if again := ask(from); again != slot {
				t.Fatalf("%v reached %d and then %d", from, slot, again)
			}
		}
	}
	if slices.Min(seen[:]) < 4 { // of 64 over 4: a fair hash gives that with p > 0.999
		t.Errorf("64 addresses reached the workers %v times", seen)
	}
	if six := ask(net.IPv6loopback); ask(net.IPv6loopback) != six {
		t.Error("::1 reached two workers")
	}
}
