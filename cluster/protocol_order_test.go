package cluster

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Whatever a worker says, and in whatever order, the primary goes on to serve it.
func TestPrimarySurvivesWhatNoNodeSays(t *testing.T) {
	t.Parallel()
	online, query := `{"cmd":"NODE_CLUSTER","act":"online","seq":1}`, `{"cmd":"NODE_CLUSTER","act":"queryServer",`
	for what, lines := range map[string][]string{
		"an empty line":             {"", "", "\r"},
		"half an object":            {`{"cmd":"NODE_CLUSTER"`, `{"cmd":"NODE_CLUSTER",`, `{"cmd":"NODE_NODEINIT","act":`},
		"wrong types":               {`{"cmd":"NODE_CLUSTER","act":5}`, `{"cmd":"NODE_CLUSTER","seq":"a"}`, `{"cmd":"NODE_CLUSTER","act":"online","pid":"1"}`},
		"a number too large":        {`{"cmd":"NODE_CLUSTER","act":"online","pid":1e40}`, `{"cmd":"NODE_CLUSTER","ack":1e40,"accepted":true,"seq":1}`},
		"nothing to do":             {`{"cmd":"NODE_CLUSTER"}`, `{"cmd":"NODE_CLUSTER","act":""}`, `{"cmd":"NODE_CLUSTER","act":"newconn"}`, `{"cmd":"NODE_CLUSTER","act":null,"ack":null}`},
		"acknowledged, never sent":  {`{"cmd":"NODE_CLUSTER","ack":0,"accepted":true,"seq":1}`, `{"cmd":"NODE_CLUSTER","ack":-1,"accepted":false}`, `{"cmd":"NODE_HANDLE_ACK"}`, `{"cmd":"NODE_HANDLE_NACK"}`, `{"cmd":"NODE_HANDLE_NACK"}`},
		"closed, never opened":      {`{"cmd":"NODE_CLUSTER","act":"close","key":"1"}`, `{"cmd":"NODE_CLUSTER","act":"close","key":""}`, `{"cmd":"NODE_CLUSTER","act":"close","key":1}`, `{"cmd":"NODE_CLUSTER","act":"close"}`},
		"online again and again":    {online, online, online},
		"listening without asking":  {`{"cmd":"NODE_CLUSTER","act":"listening","address":null,"port":80,"addressType":4}`, `{"cmd":"NODE_CLUSTER","act":"listening"}`},
		"a query of rubbish":        {query + `"address":{},"port":[],"fd":"","flags":{},"backlog":[1],"index":{},"data":7}`},
		"a long message":            {`{"cmd":"NODE_CLUSTER","act":"disconnected","x":"` + strings.Repeat("x", maxFrame) + `"}`},
		"a deep message":            {query + `"data":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`},
		"a cluster in a cluster":    {`{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","act":"disconnected"}}`},
		"sockets of no server":      {`{"cmd":"NODE_SOCKET_GET_COUNT"}`, `{"cmd":"NODE_SOCKET_GET_COUNT","key":`, `{"cmd":"NODE_SOCKET_OTHER","key":1}`},
		"a reply to the primary":    {`{"cmd":"NODE_CLUSTER","ack":1,"errno":0,"key":"1","data":null}`},
		"what only a primary sends": {`{"cmd":"NODE_CLUSTER","act":"disconnect"}`, `{"cmd":"NODE_NODEINIT","act":"drain"}`},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			m := newFakeWorker(t, run(t, RR), 0)
			for _, line := range lines {
				m.send("%s", line)
			}
			m.send("%s", queryFrame(object{"seq": 99}))
			for {
				got := m.receive()
				if got["ack"] == float64(99) {
					if got["key"] == "" {
						t.Errorf("answered %v", got)
					}
					return
				}
			}
		})
	}
}

// To close a server twice, or one that another worker has, closes nothing of that one's.
func TestCloseIsOfTheWorkersOwnServers(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	a, b := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	first, second := a.gets(nil), a.gets(object{"index": 1})
	if other := b.gets(nil); other.Key != first.Key {
		t.Fatalf("the other worker got %q, want %q", other.Key, first.Key)
	}
	for _, key := range []string{first.Key, first.Key, "none", "", first.Key} {
		a.send(`{"cmd":"NODE_CLUSTER","act":"close","key":%q,"seq":3}`, key)
	}
	b.send(`{"cmd":"NODE_CLUSTER","act":"close","key":%q,"seq":3}`, second.Key) // is a's
	if n, m := a.state().Servers, b.state().Servers; n != 1 || m != 1 {
		t.Errorf("the workers have %d and %d servers, want 1 each", n, m)
	}
	dial(t, map[string]any{"port": second.Sockname.Port})
	c := dial(t, map[string]any{"port": first.Sockname.Port})
	b.serve("b") // a gets none of it any more
	if got := read(t, c); got != "b" {
		t.Errorf("got %q", got)
	}
}

// The first answer to a hand-over counts; one more for it, whatever it says, is of nothing.
func TestSecondAnswerToAHandOverIsIgnored(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	a, b := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	name := map[string]any{"port": a.gets(nil).Sockname.Port}
	c := dial(t, name)
	seq, conn := a.take()
	a.ack(seq, true)
	a.ack(seq, false)
	a.ack(seq, true)
	b.gets(nil)
	a.state() // all is read
	if _, err := conn.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if got := read(t, c); got != "a" {
		t.Errorf("got %q", got)
	}
	b.send(`{"cmd":"NODE_SOCKET_GET_COUNT","key":1}`)
	if got := b.receive(); got["cmd"] != "NODE_SOCKET_COUNT" {
		t.Errorf("the other worker was handed the same: %v", got)
	}
}

// An answer whose fields are in another order than Node's is read too.
func TestAnswerInAnotherOrderIsRead(t *testing.T) {
	t.Parallel()
	for _, form := range []string{
		`{"cmd":"NODE_CLUSTER","seq":7,"accepted":false,"ack":%d}`,
		`{"cmd":"NODE_CLUSTER","ack":%d,"seq":7,"accepted":false}`,
		`{"cmd":"NODE_CLUSTER","ack":%d}`,
	} {
		p := run(t, RR)
		a, b := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
		name := map[string]any{"port": a.gets(nil).Sockname.Port}
		c := dial(t, name)
		seq, conn := a.take()
		conn.Close()
		b.gets(nil)
		a.send(form, seq)
		b.serve("b")
		if got := read(t, c); got != "b" {
			t.Errorf("%s: got %q", form, got)
		}
	}
}

// What says goodbye gets its answer and no more connections; its servers stay its own
// until it closes them.
func TestWorkerThatExitsAfterDisconnectIsAnswered(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	a, b := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	first := a.gets(nil)
	b.gets(nil)
	a.send(`{"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":12}`)
	if got := a.hearsAnswer(); got.Ack != 12 || got.Errno != nil {
		t.Errorf("answered %+v", got)
	}
	if s := a.state(); !s.Leaving || s.Servers != 1 || s.Ended {
		t.Errorf("%+v", s)
	}
	for range 3 {
		c := dial(t, map[string]any{"port": first.Sockname.Port})
		b.serve("b")
		if got := read(t, c); got != "b" {
			t.Errorf("got %q", got)
		}
	}
	if late := a.gets(object{"index": 5}); late.Key == first.Key {
		t.Errorf("a server asked for while it leaves is %q", late.Key)
	}
}

// A worker that says that it has disconnected ends the channel, although another process
// may have it open; what it wrote behind that is dropped.
func TestDisconnectedEndsTheChannel(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	m.send("%s\n%s\n%s", `{"cmd":"NODE_CLUSTER","act":"disconnected"}`, `"ready"`, queryFrame(nil))
	if err := m.ended(); err != nil {
		t.Errorf("it is a fault: %v", err)
	}
	m.waitKnown("no server", func(s State) bool { return !s.Ready && s.Servers == 0 })
}

// A process that comes online is another than before: nothing of what that one told is
// true of it, and its servers are to be asked for again.
func TestOnlineBeginsAnew(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	m.gets(nil)
	m.hasAgent()
	m.send(`"ready"`)
	m.send(`"hello"`)
	m.send(`{"cmd":"NODE_CLUSTER","act":"listening","address":null,"port":80,"addressType":4}`)
	s := m.state()
	if !s.Ready || !s.Agent || s.Servers != 1 || !slices.Equal(s.Listening, []string{"*:80"}) || !slices.Equal(s.Senders, []string{OtherSender}) {
		t.Fatalf("%+v", s)
	}
	m.send(`{"cmd":"NODE_CLUSTER","act":"online","seq":1}`)
	s = m.state()
	if !s.Online || s.Ready || s.Agent || s.Servers != 0 || len(s.Listening) > 0 || len(s.Senders) > 0 {
		t.Errorf("%+v", s)
	}
	if a := m.asks(nil); a.err() != 0 {
		t.Errorf("the same server again: %v", a.err())
	}
}

// What a worker passes to its parent is acknowledged one by one, or the worker would
// send nothing more; what did not arrive is told.
func TestPassedDescriptorsAreAcknowledgedOneByOne(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	const line = `{"cmd":"NODE_HANDLE","type":"net.Socket","msg":"x"}` + "\n"
	for _, rights := range [][]int{{0}, {0, 1}} {
		if _, _, err := m.conn.WriteMsgUnix([]byte(line), unix.UnixRights(rights...), nil); err != nil {
			t.Fatal(err)
		}
	}
	m.send("%s", line+line[:len(line)-1])
	for i, want := range []string{"ACK", "ACK", "ACK", "NACK"} {
		if got := m.receive(); got["cmd"] != "NODE_HANDLE_"+want {
			t.Errorf("message %d is %v, want %s", i, got, want)
		}
	}
}

// A server that has passed connections to its parent is told that none is open, under
// whatever key it has.
func TestCountOfPassedConnectionsIsZero(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	for _, key := range []string{`"a"`, `7`, `{"a":[1]}`, `null`, `"` + strings.Repeat("k", maxAddress-2) + `"`} {
		m.send(`{"cmd":"NODE_SOCKET_GET_COUNT","key":%s}`, key)
		if got := m.receive(); got["cmd"] != "NODE_SOCKET_COUNT" || got["count"] != 0.0 || fmt.Sprint(got["key"]) != fmt.Sprint(jsonValue(t, key)) {
			t.Errorf("%s: answered %v", key, got)
		}
		m.send(`{"cmd":"NODE_SOCKET_NOTIFY_CLOSE","key":%s}`, key)
		if got := m.receive(); got["cmd"] != "NODE_SOCKET_ALL_CLOSED" || fmt.Sprint(got["key"]) != fmt.Sprint(jsonValue(t, key)) {
			t.Errorf("%s: answered %v", key, got)
		}
	}
	m.send(`{"cmd":"NODE_SOCKET_GET_COUNT","key":"%s"}`, strings.Repeat("k", maxAddress))
	m.send(`{"cmd":"NODE_SOCKET_GET_COUNT","key":"last"}`)
	if got := m.receive(); got["key"] != "last" {
		t.Errorf("a key of more than %d bytes is answered", maxAddress)
	}
}

// Bun marks its internal messages with a byte, and takes only those for internal that
// are marked.
func TestBunIsAnsweredWithItsMark(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	m.send("\x02%s", `{"cmd":"NODE_CLUSTER","act":"online","seq":1}`)
	m.send("\x02%s", queryFrame(nil))
	m.send("\x02%s", agentHello)
	m.waitKnown("an agent", func(s State) bool { return s.Agent && s.Servers == 1 })
	m.w.DisableKeepAlives()
	var text []byte
	for bytes.Count(text, []byte("\n")) < 2 {
		buffer := make([]byte, 4096)
		n, err := m.conn.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, buffer[:n]...)
	}
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(line, []byte("\x02{")) {
			t.Errorf("without a mark: %q", line)
		}
	}
}
