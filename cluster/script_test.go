package cluster

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// scriptSocket returns a socket for a script, and the other end.
func scriptSocket(t *testing.T) (fd, other int) {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(ends[0]); unix.Close(ends[1]) })
	return ends[0], ends[1]
}

// A script comes with its order and a socket, of which nothing is kept, and the next one
// when the worker has taken that.
func TestRunScript(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	m := newFakeWorker(t, p, 0)
	fd, _ := scriptSocket(t)
	const source, order = `"'\\n';"`, `{"kind":"cpu"}`
	if err := p.RunScript(m.w.id+1, source, order, fd); err != errGone {
		t.Errorf("no worker: %v", err)
	}
	if err := p.RunScript(m.w.id, source, order, fd); err != errNoAgent {
		t.Errorf("no agent: %v", err)
	}
	m.hasAgent()
	for _, reply := range []string{"NODE_HANDLE_ACK", "NODE_HANDLE_NACK"} { // a NACK has no answer
		if err := p.RunScript(m.w.id, source, order, fd); err != nil {
			t.Fatal(err)
		}
		if err := p.RunScript(m.w.id, source, order, fd); err != errNotReading {
			t.Errorf("before the ack: %v", err)
		}
		got := m.receive()
		m.file().Close()
		if got["act"] != "run" || got["source"] != `'\n';` || got["order"].(map[string]any)["kind"] != "cpu" {
			t.Errorf("got %v", got)
		}
		m.send(`{"cmd":"%s"}`, reply)
		m.state() // the ack has been read
	}
	m.conn.Close()
	m.waitKnown("the end", func(s State) bool { return s.Ended })
	if err := p.RunScript(m.w.id, source, order, fd); err != errGone {
		t.Errorf("closed: %v", err)
	}
}

// Where a worker does not read its channel nothing waits for it.
func TestRunScriptOfAFullChannel(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	m := newFakeWorker(t, p, 0)
	m.hasAgent()
	m.w.Message(strings.Repeat("x", 1<<20-1<<10))
	fd, _ := scriptSocket(t)
	for range 3 {
		if err := p.RunScript(m.w.id, `""`, "{}", fd); !errors.Is(err, errNotReading) {
			t.Fatal(err)
		}
	}
	if n := inside(p, func() int { return len(m.w.channel.queue) + len(m.w.acks.handles) }); n != 1 {
		t.Errorf("%d frames and descriptors wait, want the message", n)
	}
}

// Silence is expected as the agent says, once for each script, and not for ever.
func TestExpectedSilence(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	m := newFakeWorker(t, p, 0)
	m.hasAgent()
	m.send(`{"cmd":"NODE_NODEINIT","act":"silence","expected":true}`)
	if s := m.state(); !s.SilentUntil.IsZero() {
		t.Errorf("silent until %v without a script", s.SilentUntil)
	}
	fd, _ := scriptSocket(t)
	if err := p.RunScript(m.w.id, `""`, "{}", fd); err != nil {
		t.Fatal(err)
	}
	m.receive()
	m.file().Close()
	before := time.Now()
	m.send(`{"cmd":"NODE_NODEINIT","act":"silence","expected":true}`)
	until := m.state().SilentUntil
	if until.Before(before.Add(maxSilence)) || until.After(time.Now().Add(maxSilence)) {
		t.Errorf("silent for %v", until.Sub(before))
	}
	m.send(`{"cmd":"NODE_NODEINIT","act":"silence","expected":true}`)
	if again := m.state().SilentUntil; !again.Equal(until) {
		t.Errorf("silent until %v, and then %v", until, again)
	}
	for range 2 {
		m.send(`{"cmd":"NODE_NODEINIT","act":"silence","expected":false}`)
		over := m.state().SilentUntil
		if !over.Before(until) || over.Before(before) || over.After(time.Now()) {
			t.Errorf("silence is over at %v", over)
		}
		until = over.Add(1) // the second one changes nothing
	}
}
