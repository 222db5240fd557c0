package cluster

import (
	"encoding/json"
	"maps"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// Helpers that talk to a primary through the channel of a worker only.

// An object has the fields of a message, beside or instead of the usual ones.
type object map[string]any

// An answer is what a primary replies to queryServer.
type answer struct {
	Act      string          `json:"act"`
	Ack      int64           `json:"ack"`
	Errno    *int            `json:"errno"`
	Key      string          `json:"key"`
	Data     json.RawMessage `json:"data"`
	Sockname *sockname       `json:"sockname"`
	passed   bool            // a descriptor came along
}

// err is the error of an answer, 0 where the server is there.
func (a answer) err() unix.Errno {
	if a.Errno == nil {
		return 0
	}
	return unix.Errno(-*a.Errno)
}

// ownHost is the address of servers. 127.0.0.1 would be that of others too: what connects
// to a port that is not in use any more would reach a server here that has just got it, and
// be taken for the connection of the test.
var ownHost = loopback(99)

// queryFrame returns a queryServer message: without fields, for any TCP port of ownHost.
func queryFrame(over object) string {
	message := object{
		"act": "queryServer", "index": 0, "data": nil, "address": ownHost,
		"port": 0, "addressType": 4, "flags": 0, "seq": 1,
	}
	maps.Copy(message, over)
	text, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	return `{"cmd":"NODE_CLUSTER",` + string(text[1:]) // as Node does: cmd is the first
}

// asks sends a queryServer message and returns the answer.
func (m *fakeWorker) asks(over object) answer {
	m.t.Helper()
	m.send("%s", queryFrame(over))
	return m.hearsAnswer()
}

// hearsAnswer returns the next message as the answer to a query.
func (m *fakeWorker) hearsAnswer() (a answer) {
	m.t.Helper()
	before := len(m.fds)
	text, err := json.Marshal(m.receive())
	if err != nil {
		m.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &a); err != nil {
		m.t.Fatalf("%v: %s", err, text)
	}
	if a.Act != "" {
		m.t.Fatalf("heard %s, want an answer", text)
	}
	a.passed = len(m.fds) > before
	return a
}

// gets is asks where an error ends the test.
func (m *fakeWorker) gets(over object) answer {
	m.t.Helper()
	a := m.asks(over)
	if a.err() != 0 || a.Key == "" {
		m.t.Fatalf("%s: %v, want a server", queryFrame(over), a.err())
	}
	return a
}

// listener returns the TCP socket that came with an answer.
func (m *fakeWorker) listener() *net.TCPListener {
	m.t.Helper()
	file := m.file()
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// packets returns the UDP socket that came with an answer.
func (m *fakeWorker) packets() net.PacketConn {
	m.t.Helper()
	file := m.file()
	defer file.Close()
	c, err := net.FilePacketConn(file)
	if err != nil {
		m.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(testproc.HangLimit))
	m.t.Cleanup(func() { c.Close() })
	return c
}

// hasAgent says that there is an agent, and returns when that is known.
func (m *fakeWorker) hasAgent() {
	m.t.Helper()
	m.send(agentHello)
	m.waitKnown("an agent", func(s State) bool { return s.Agent })
}

// ended waits for the end of the channel and returns why nodeinit closed it.
func (m *fakeWorker) ended() error {
	m.t.Helper()
	var fault error
	m.waitKnown("the end", func(s State) bool { fault = s.Fault; return s.Ended })
	return fault
}

// state returns what is known of m's worker when all it has said has been read.
func (m *fakeWorker) state() State {
	m.t.Helper()
	m.send(`{"cmd":"NODE_SOCKET_GET_COUNT","key":"state"}`)
	for m.receive()["cmd"] != "NODE_SOCKET_COUNT" {
	}
	return inside(m.w.primary, func() State { return m.w.state.clone() })
}

// inside returns what f returns in the goroutine of Run.
func inside[T any](p *Primary, f func() T) T {
	result := make(chan T, 1)
	p.inbox.post(func() { result <- f() })
	return <-result
}

// hold has p do nothing until release is called, or the test ends.
func hold(t testing.TB, p *Primary) (release func()) {
	held, gate := make(chan struct{}), make(chan struct{})
	p.inbox.post(func() { close(held); <-gate })
	<-held
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	return release
}

// needsRoot fails a test whose processes are to be of several users.
func needsRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("needs root: it starts processes of other users")
	}
}

func jsonValue(t testing.TB, text string) (value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}
