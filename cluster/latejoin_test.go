package cluster

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

const cameOnline = `{"cmd":"NODE_CLUSTER","act":"online","pid":%d,"command":{"path":"/usr/bin/node","argv":["node","a.js"],"dir":"/app","env":{"A":"b"},"files":["1 2"],"script":true},"seq":1}`

// A process that joins late is known by the number that the kernel gives it: what has
// that number gets signals.
func TestLateJoinIsKnownByTheKernelsNumber(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	m.send(cameOnline, 1)
	s := m.waitState("online", func(s State) bool { return s.Online })
	if s.PID != os.Getpid() {
		t.Errorf("process %d, want %d", s.PID, os.Getpid())
	}
	c := s.Command
	if c == nil || c.Path != "/usr/bin/node" || fmt.Sprint(c.Argv) != "[node a.js]" || c.Dir != "/app" || c.Env["A"] != "b" || len(c.Files) != 1 || !c.Script {
		t.Errorf("it was started as %+v", c)
	}
}

// A worker that was started as one reports no process ID, and its end is not watched for.
func TestWorkerOfTheUsualKindHasNoProcess(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	m.send(`{"cmd":"NODE_CLUSTER","act":"online","seq":1}`)
	if s := m.waitState("online", func(s State) bool { return s.Online }); s.PID != 0 || s.Command != nil {
		t.Errorf("%+v", s)
	}
	if !inside(m.w.primary, func() bool { return m.w.process == nil }) {
		t.Error("its process is watched")
	}
}

// When a process that joined late ends, what it had is kept for the next one though the
// channel is open; the next one has it when it asks.
func TestServersOfALateJoinOutliveItsProcess(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	m := newFakeWorker(t, p, 0)
	first := m.voice(testproc.Argv("speaker"))
	first.send(cameOnline, 1)
	s := m.waitState("online", func(s State) bool { return s.Online })
	if s.PID != first.PID {
		t.Errorf("process %d, want %d", s.PID, first.PID)
	}
	port := freePort(t)
	first.send("%s", queryFrame(object{"port": port}))
	before := m.hearsAnswer()
	m.waitKnown("a server", func(s State) bool { return s.Servers == 1 })
	first.ends()
	m.waitKnown("no server", func(s State) bool { return s.Servers == 0 && s.Online && !s.Ended })
	m.awaits(map[string]any{"port": float64(port)})
	c := dial(t, map[string]any{"port": port})

	second := m.voice(testproc.Argv("speaker"))
	second.send(cameOnline, 1)
	m.waitKnown("the second", func(s State) bool { return s.PID == second.PID })
	second.send("%s", queryFrame(object{"port": port}))
	if a := m.hearsAnswer(); a.Key != before.Key || a.err() != 0 {
		t.Errorf("the second process got %+v, the first %+v", a, before)
	}
	m.serve("second")
	if got := read(t, c); got != "second" {
		t.Errorf("got %q", got)
	}
}

// What a process wrote before it ended counts, in whatever order the end and the
// message are seen.
func TestLastWordOfALateJoinCounts(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	m := newFakeWorker(t, p, 0)
	v := m.voice(testproc.Argv("speaker"))
	v.send(cameOnline, 1)
	m.waitKnown("online", func(s State) bool { return s.Online })
	release := hold(t, p)
	v.send(`"ready"`)
	v.ends()
	release()
	m.waitKnown("ready", func(s State) bool { return s.Ready })
}

// Of two programs of one command that run at once, neither can be the worker; one after
// the other can.
func TestTwoLateJoinsAtOnceEndTheChannel(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	first, second := m.voice(testproc.Argv("speaker")), m.voice(testproc.Argv("speaker"))
	first.send(cameOnline, 1)
	m.waitKnown("the first", func(s State) bool { return s.PID == first.PID })
	first.send(cameOnline, 1) // the same again, as with exec
	first.send(`"ready"`)
	m.waitKnown("the first again", func(s State) bool { return s.PID == first.PID && s.Ready })
	second.send(cameOnline, 1)
	if err := m.ended(); !errors.Is(err, errTwoPrograms) {
		t.Errorf("the channel ended because of %v", err)
	}
}

// A second process may join when the first has ended, also where its end was not seen yet.
func TestLateJoinAfterAnEndThatNobodyNoticed(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	m := newFakeWorker(t, p, 0)
	first, second := m.voice(testproc.Argv("speaker")), m.voice(testproc.Argv("speaker"))
	first.send(cameOnline, 1)
	m.waitKnown("the first", func(s State) bool { return s.PID == first.PID })
	release := hold(t, p)
	first.ends()
	second.send(cameOnline, 1)
	release()
	m.waitKnown("the second", func(s State) bool { return s.PID == second.PID && !s.Ended })
}

// Where the process that was asked to leave is replaced by another, that is asked too.
func TestLateJoinIsAskedToLeaveAsItsPredecessor(t *testing.T) {
	t.Parallel()
	m := newFakeWorker(t, run(t, RR), 0)
	m.w.Disconnect()
	m.expect(disconnect)
	m.send(`{"cmd":"NODE_CLUSTER","act":"online","seq":1}`)
	m.expect(disconnect)
}

// A fork has no servers of a primary, and is not asked with its protocol.
func TestForkIsNotAskedToDisconnect(t *testing.T) {
	t.Parallel()
	m := newFakeWorkerOf(t, run(t, RR).OpenFork)
	m.w.Disconnect()
	m.send(`{"cmd":"NODE_CLUSTER","act":"online","seq":1}`)
	m.send(agentHello)
	m.waitState("an agent", func(s State) bool { return s.Agent })
	m.w.DisableKeepAlives()
	m.expect(disableKeepAlives) // the first that it hears
}
