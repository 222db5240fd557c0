package cluster

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// expect reads a message and compares it, but for its seq.
func (m *fakeWorker) expect(want map[string]any) {
	m.t.Helper()
	got := m.receive()
	delete(got, "seq")
	if !maps.Equal(got, want) {
		m.t.Fatalf("heard %v, want %v", got, want)
	}
}

// waitState waits until the primary reports such a state of m.
func (m *fakeWorker) waitState(what string, is func(State) bool) State {
	m.t.Helper()
	timeout := time.After(testproc.HangLimit)
	for {
		for _, c := range m.w.primary.Reports() {
			if c.ID == m.w.id && is(c.State) {
				return c.State
			}
		}
		select {
		case <-m.w.primary.Reported():
		case <-timeout:
			m.t.Fatalf("never %s", what)
		}
	}
}

const agentHello = `{"cmd":"NODE_NODEINIT","act":"handles","handles":[]}`

var (
	disableKeepAlives = map[string]any{"cmd": "NODE_NODEINIT", "act": "disableKeepAlives"}
	drain             = map[string]any{"cmd": "NODE_NODEINIT", "act": "drain", "last": false, "signal": "SIGTERM"}
	drainLast         = map[string]any{"cmd": "NODE_NODEINIT", "act": "drain", "last": true, "signal": "SIGTERM"}
	disconnect        = map[string]any{"cmd": "NODE_CLUSTER", "act": "disconnect"}
)

// What the agent reports is in State, within bounds.
func TestAgentReports(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	m.send(`{"cmd":"NODE_NODEINIT","act":"handles","handles":["SIGTERM","%s","SIGINT"]}`, strings.Repeat("X", 17))
	if s := m.waitState("an agent", func(s State) bool { return s.Agent }); !slices.Equal(s.Handles, []string{"SIGTERM", "SIGINT"}) || !s.Heartbeat.IsZero() {
		t.Errorf("%+v", s)
	}
	m.send(`{"cmd":"NODE_NODEINIT","act":"handles","handles":[%s"SIGHUP"]}`, strings.Repeat(`"SIGHUP",`, 100))
	m.waitState("64 signals", func(s State) bool { return len(s.Handles) == maxHandles })
	before := time.Now()
	m.send(`{"cmd":"NODE_NODEINIT","act":"heartbeat","utilization":0.25,"p50":20,"p99":3000,"heap":4096}`)
	s := m.waitState("a beat", func(s State) bool { return !s.Heartbeat.IsZero() })
	if s.Loop != (Loop{0.25, 20 * time.Microsecond, 3 * time.Millisecond, 4096}) || s.Heartbeat.Before(before) {
		t.Errorf("%+v", s)
	}
	m.send(`{"cmd":"NODE_NODEINIT","act":"heartbeat","utilization":7,"p50":"x"}`) // not valid
	m.send(`{"cmd":"NODE_NODEINIT","act":"heartbeat","utilization":7,"p50":20}`)
	if s := m.waitState("a beat", func(s State) bool { return s.Loop.Utilisation > 0.25 }); s.Loop.Utilisation != 1 {
		t.Errorf("%+v", s.Loop)
	}
}

// In fork mode the agent reports servers, and the channel is closed when it has drained.
func TestForkMode(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	m := newFakeWorkerOf(t, p.OpenFork)
	m.send(agentHello)
	m.send(`{"cmd":"NODE_NODEINIT","act":"listening","address":"::","port":3000}`)
	if s := m.waitState("a listen", func(s State) bool { return len(s.Listening) > 0 }); s.Listening[0] != "[::]:3000" {
		t.Errorf("%v", s.Listening)
	}
	m.w.DisableKeepAlives()
	m.expect(disableKeepAlives)
	m.w.StopConnections(false)
	m.w.Drain("SIGTERM")
	m.expect(drainLast)
	m.send(`{"cmd":"NODE_NODEINIT","act":"drained"}`)
	m.waitState("drained", func(s State) bool { return s.Ended && s.Leaving && s.Fault == nil })
}

// A worker without an agent gets the protocol's disconnect, once.
func TestDrainWithoutAgent(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	m.w.DisableKeepAlives()
	m.w.Drain("SIGTERM")
	m.w.Drain("SIGTERM")
	m.w.Disconnect()
	m.expect(disconnect)
	m.send(agentHello) // too late
	m.waitState("an agent", func(s State) bool { return s.Agent })
	m.w.Drain("SIGTERM")
	m.w.DisableKeepAlives()
	m.expect(disableKeepAlives)
}

// With rr, connections that come after all workers were asked to drain go to them, and
// later ones are refused. Before that, a worker that reports to have drained is not
// disconnected.
func TestLastConnections(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	first, second := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	_, name, _ := first.query(0)
	second.query(0)
	for _, m := range []*fakeWorker{first, second} {
		m.send(agentHello)
		m.waitState("an agent", func(s State) bool { return s.Agent })
	}
	first.w.StopConnections(false)
	first.w.Drain("SIGTERM")
	first.expect(drain)
	second.w.StopConnections(false)
	second.w.Drain("SIGTERM")
	second.expect(drainLast)
	waiting := dial(t, name)
	first.send(`{"cmd":"NODE_NODEINIT","act":"drained"}`)
	first.serve("as it was on its way") // no disconnect
	if got := read(t, waiting); got != "as it was on its way" {
		t.Errorf("got %q", got)
	}
	refused(t, name)
	for _, m := range []*fakeWorker{first, second} {
		m.send(`{"cmd":"NODE_NODEINIT","act":"drained"}`)
		for { // connections of refused
			message := m.receive()
			if message["act"] != "newconn" {
				if message["act"] != "disconnect" {
					t.Errorf("heard %v", message)
				}
				break
			}
			m.file().Close()
			m.ack(int(message["seq"].(float64)), true)
			m.send(`{"cmd":"NODE_NODEINIT","act":"drained"}`)
		}
		m.send(`{"cmd":"NODE_NODEINIT","act":"drained"}`) // disconnect was sent already
		m.w.DisableKeepAlives()
		m.expect(disableKeepAlives)
	}
}

// Connections that come before the socket of rr is closed are served, however long its
// workers are busy.
func TestLastConnectionsOfABusyWorker(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	m := newFakeWorker(t, p, 0)
	_, name, _ := m.query(0)
	m.send(agentHello)
	m.waitState("an agent", func(s State) bool { return s.Agent })
	m.w.Drain("SIGTERM")
	m.expect(drain)
	var waiting []net.Conn
	for range maxPending + 2 { // more than it gets without acks
		waiting = append(waiting, dial(t, name))
	}
	m.w.StopConnections(false)
	refused(t, name)
	for i, c := range waiting {
		m.send(`{"cmd":"NODE_NODEINIT","act":"drained"}`)
		m.serve(strconv.Itoa(i))
		if got := read(t, c); got != strconv.Itoa(i) {
			t.Errorf("connection %d got %q", i, got)
		}
	}
}

// A worker that asks for a server that is being closed gets it, or another one.
func TestQueryForClosingServer(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{false, true} {
		p := run(t, RR)
		leaving, late := newFakeWorker(t, p, 0), newFakeWorker(t, p, 0)
		old, name, _ := leaving.query(0)
		leaving.w.StopConnections(false)
		if closed {
			refused(t, name)
		}
		key, name, errno := late.query(0)
		if errno != nil || closed && key == old {
			t.Fatalf("closed %v: got %q after %q, error %v", closed, key, old, errno)
		}
		c := dial(t, name)
		late.serve("late")
		if got := read(t, c); got != "late" {
			t.Errorf("closed %v: got %q", closed, got)
		}
		leaving.w.Release(false)
		c = dial(t, name)
		late.serve("later")
		if got := read(t, c); got != "later" {
			t.Errorf("closed %v: got %q", closed, got)
		}
	}
}

// What a replaced worker has stays open for its replacement.
func TestReplacedKeepsServers(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	old := newFakeWorker(t, p, 0)
	_, name, _ := old.query(0)
	replacement := newFakeWorker(t, p, 0)
	old.w.StopConnections(true)
	old.send(agentHello)
	old.waitState("an agent", func(s State) bool { return s.Agent })
	old.w.Drain("SIGTERM")
	old.expect(drain)
	c := dial(t, name)
	old.send(`{"cmd":"NODE_NODEINIT","act":"drained"}`)
	old.expect(disconnect)
	old.conn.Close()
	old.w.Release(true)
	replacement.query(0)
	replacement.serve("from the new one")
	if got := read(t, c); got != "from the new one" {
		t.Errorf("got %q", got)
	}
}

// The socket of a slot that ends gets no more connections, and the others get them all,
// also after it was closed.
func TestExcludedFromGroup(t *testing.T) {
	t.Parallel()
	for _, balance := range []Balance{ReusePort, IPHash} {
		t.Run(string(balance), func(t *testing.T) {
			t.Parallel()
			p, n := run(t, balance), 3
			var workers []*fakeWorker
			var listeners []*net.TCPListener
			var name map[string]any
			for slot := range n {
				m := newFakeWorker(t, p, slot)
				_, name, _ = m.query(0)
				file := m.file()
				l, err := net.FileListener(file)
				file.Close()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				workers, listeners = append(workers, m), append(listeners, l.(*net.TCPListener))
			}
			for _, leaving := range []int{1, 2} {
				m := workers[leaving]
				m.send(agentHello)
				m.waitState("an agent", func(s State) bool { return s.Agent })
				m.w.StopConnections(false)
				m.w.Drain("SIGTERM")
				m.expect(drainLast)
				for from := range 64 {
					d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+from))}}
					c, err := d.Dial("tcp", fmt.Sprintf("%s:%v", ownHost, name["port"]))
					if err != nil {
						t.Fatal(err)
					}
					c.Close()
				}
				if err := listeners[leaving].SetDeadline(time.Now()); err != nil {
					t.Fatal(err)
				}
				if c, err := listeners[leaving].Accept(); err == nil {
					t.Errorf("slot %d got a connection from %v", leaving, c.RemoteAddr())
				}
				listeners[leaving].Close()
				m.conn.Close()
				m.w.Release(false)
			}
		})
	}
}

// Finish and Watch ask the agent, and what it reported before counts no more.
func TestFinishAndWatch(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	m.w.Finish(time.Second) // there is no agent
	m.w.Watch("SIGTERM", time.Second, 0)
	done(m.w.primary)
	m.send(agentHello)
	m.waitState("an agent", func(s State) bool { return s.Agent })
	for range 2 {
		m.w.Finish(2 * time.Second)
		m.expect(map[string]any{"cmd": "NODE_NODEINIT", "act": "finish", "limit": 2000.0})
		m.waitKnown("unfinished", func(s State) bool { return !s.Finished })
		m.send(`{"cmd":"NODE_NODEINIT","act":"finished"}`)
		m.waitState("finished", func(s State) bool { return s.Finished })
		m.w.Watch("SIGTERM", time.Second, 3*time.Second)
		m.expect(map[string]any{"cmd": "NODE_NODEINIT", "act": "watch", "signal": "SIGTERM", "soon": 1000.0, "late": 3000.0})
		m.waitKnown("not serving", func(s State) bool { return !s.Serving })
		m.send(`{"cmd":"NODE_NODEINIT","act":"serving"}`)
		m.waitState("serving", func(s State) bool { return s.Serving })
	}
}
