package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// A fakeWorker is a worker's end of a channel. The test is the worker, and may send what
// Node would not.
type fakeWorker struct {
	t      testing.TB
	w      *Worker
	conn   *net.UnixConn
	unread []byte // read, but not returned by receive
	fds    []int  // that came with it
}

func run(t testing.TB, balance Balance) *Primary {
	t.Helper()
	p, err := New(balance)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return p
}

func newFakeWorker(t testing.TB, p *Primary, slot int) *fakeWorker {
	t.Helper()
	return newFakeWorkerOf(t, func() (*Worker, int, error) { return p.Open(slot) })
}

func newFakeWorkerOf(t testing.TB, open func() (*Worker, int, error)) *fakeWorker {
	t.Helper()
	w, fd, err := open()
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "channel")
	conn, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	_ = conn.SetDeadline(time.Now().Add(testproc.HangLimit))
	t.Cleanup(func() { conn.Close() })
	m := &fakeWorker{t: t, w: w, conn: conn.(*net.UnixConn)}
	t.Cleanup(func() {
		for _, fd := range m.fds {
			unix.Close(fd)
		}
	})
	return m
}

func (m *fakeWorker) send(format string, args ...any) {
	m.t.Helper()
	if _, err := fmt.Fprintf(m.conn, format+"\n", args...); err != nil {
		m.t.Fatal(err)
	}
}

// receive returns the next message; in a frame with a descriptor, that is the inner one.
func (m *fakeWorker) receive() map[string]any {
	m.t.Helper()
	for {
		if line, rest, ok := bytes.Cut(m.unread, []byte("\n")); ok {
			m.unread = rest
			var got map[string]any
			if err := json.Unmarshal(line, &got); err != nil {
				m.t.Fatalf("%v: %q", err, line)
			}
			if inner, ok := got["msg"].(map[string]any); ok {
				got = inner
			}
			return got
		}
		var text, oob [4096]byte
		n, oobn, _, _, err := m.conn.ReadMsgUnix(text[:], oob[:])
		if err != nil {
			m.t.Fatal(err)
		}
		m.unread = append(m.unread, text[:n]...)
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			m.t.Fatal(err)
		}
		for i := range messages {
			fds, err := unix.ParseUnixRights(&messages[i])
			if err != nil {
				m.t.Fatal(err)
			}
			m.fds = append(m.fds, fds...)
		}
	}
}

// file returns the next descriptor that came with a message.
func (m *fakeWorker) file() *os.File {
	m.t.Helper()
	if len(m.fds) == 0 {
		m.t.Fatal("no descriptor has come")
	}
	f := os.NewFile(uintptr(m.fds[0]), "passed")
	m.fds = m.fds[1:]
	return f
}

func (m *fakeWorker) query(port int) (key string, sockname map[string]any, errno any) {
	m.t.Helper()
	m.send(`{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":"%s","port":%d,"addressType":4,"flags":0,"seq":1}`, ownHost, port)
	r := m.receive()
	key, _ = r["key"].(string)
	sockname, _ = r["sockname"].(map[string]any)
	if r["errno"] == float64(0) { // with a descriptor
		return key, sockname, nil
	}
	return key, sockname, r["errno"]
}

func TestAnswersInsideOutsideOrder(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	a, b := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	key, name, errno := a.query(0)
	if errno != nil || key == "" || name["family"] != "IPv4" {
		t.Fatalf("answered %v %v %v", key, name, errno)
	}
	if again, _, errno := a.query(int(name["port"].(float64))); errno != float64(-int(unix.EADDRINUSE)) {
		t.Errorf("the same server twice: %v %v, want EADDRINUSE", again, errno)
	}
	other, otherName, _ := b.query(0)
	if other != key || otherName["port"] != name["port"] {
		t.Errorf("the second worker got %v %v, want %v %v", other, otherName, key, name)
	}
	a.send(`{"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":9}`)
	if r := a.receive(); r["ack"] != float64(9) {
		t.Errorf("answered %v", r)
	}
}

// FuzzChannel has a worker send anything, in pieces and with descriptors, while another
// one is served.
func FuzzChannel(f *testing.F) {
	query := `{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":"127.0.0.1","port":0,"addressType":4,"fd":3,"flags":0,"seq":1}` + "\n"
	f.Add([]byte(query+query), []byte{10, 200}, uint8(1))
	f.Add([]byte(strings.ReplaceAll(query, `"port":0`, `"port":-1`)), []byte{}, uint8(0))
	f.Add([]byte(strings.ReplaceAll(query, `4,`, `"udp4",`)), []byte{}, uint8(0))
	f.Add([]byte(`{"cmd":"NODE_CLUSTER","ack":0,"accepted":false,"seq":1}`+"\n\x02"+`{"cmd":"NODE_CLUSTER","act":"online"}`+"\n"), []byte{1, 2, 3}, uint8(9))
	f.Add([]byte(`{"cmd":"NODE_HANDLE","type":"net.Socket","msg":1}`+"\n"+`{"cmd":"NODE_HANDLE_NACK"}`+"\n"), []byte{}, uint8(253))
	f.Add([]byte(`{"cmd":"NODE_CLUSTER","act":"close","key":"1"}`+"\n"+`{"cmd":"NODE_CLUSTER","act":"listening","port":1e9,"address":{}}`+"\n"), []byte{}, uint8(2))
	f.Add([]byte(`{"cmd":"NODE_CLUSTER","act":`+strings.Repeat("[", 20000)+"\n"), []byte{}, uint8(2))
	f.Fuzz(func(t *testing.T, data, cuts []byte, fds uint8) {
		before := openFDs(t)
		ctx, cancel := context.WithCancel(context.Background())
		p, err := New(RR)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		bad, good := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
		rights := make([]int, min(int(fds), maxPassedFDs))
		for i := range rights {
			rights[i] = 2
		}
		for i, piece := range pieces(data, cuts) {
			if i == 4 {
				rights = nil // many take the kernel long
			}
			_, _, _ = bad.conn.WriteMsgUnix(piece, unix.UnixRights(rights...), nil)
		}
		if key, _, errno := good.query(0); key == "" || errno != nil {
			t.Errorf("the other worker was answered %v, %v", key, errno)
		}
		bad.conn.Close()
		good.conn.Close()
		bad.w.Release(false)
		good.w.Release(false)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if after := openFDs(t); after != before {
			t.Errorf("%d descriptors were open, now %d", before, after)
		}
	})
}

func openFDs(t testing.TB) int {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}
