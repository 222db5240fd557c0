package cluster

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// tells runs message.js and waits until nodeinit has logged so many lines with msg.
func (s start) tells(t *testing.T, flags, how string, times int, msg string, vars ...string) *testproc.Process {
	t.Helper()
	c := s.node(t, "--grace 10m "+flags, "message.js")
	c.Argv = append(c.Argv, how)
	p := harness.WithEnv(c, vars...).Start(t)
	untilLogged(t, p, times, msg)
	return p
}

// untilLogged waits until nodeinit has logged so many lines with msg.
func untilLogged(t *testing.T, p *testproc.Process, times int, msg string) {
	t.Helper()
	harness.WaitUntil(t, "the log to say "+msg, func() bool {
		lines := harness.OwnLines(t, p.Output())
		lines = slices.DeleteFunc(lines, func(l harness.LogLine) bool { return l.Msg != msg })
		if len(lines) < times && unix.Kill(p.PID, 0) != nil {
			t.Fatalf("ended without saying %q", msg)
		}
		return len(lines) >= times
	})
}

// listening is what nodeinit logs of a program that listens.
func (s start) listening() string {
	if s.mode == "fork" {
		return "program listening"
	}
	return "worker listening"
}

// name is what message.js calls itself.
func (s start) name() string {
	if s.mode == "fork" {
		return "alone"
	}
	return "0"
}

// An application that knows only the message gets it whole, and has the time to exit by
// itself: the signal, which would end it, waits.
func TestStopMessage(t *testing.T) {
	t.Parallel()
	onEach(t, starts(harness.NodeLines, "fork", "per-core"), func(t *testing.T, s start) {
		p := s.tells(t, "", "", 1, s.listening(), "NODEINIT_STOP_MESSAGE=say \"é\"\\\n\x01")
		p.Signal(unix.SIGTERM)
		p.WaitCode(7)
		has := " has 0 undefined"
		if s.mode == "fork" {
			has = " has undefined undefined"
		}
		p.Expect(s.name()+has, s.name()+` "say \"é\"\\\n\u0001"`, s.name()+" exits")
	})
}

// One that handles the signal gets that as well, after the message.
func TestStopMessageBeforeTheSignal(t *testing.T) {
	t.Parallel()
	onEach(t, starts(harness.EdgeLines(), "fork", "per-core"), func(t *testing.T, s start) {
		p := s.tells(t, "--stop-message shutdown --instance-var off", "handles", 1, s.listening())
		p.Signal(unix.SIGTERM)
		p.WaitCode(0)
		p.Expect(s.name()+" has undefined undefined", s.name()+` "shutdown"`, s.name()+" SIGTERM")
	})
}

// In fork mode the channel is there as soon as a program listens for messages, also when
// it opens no server.
func TestStopMessageOfAProgramThatDoesNotListen(t *testing.T) {
	t.Parallel()
	onEach(t, starts(harness.EdgeLines(), "fork", "per-core"), func(t *testing.T, s start) {
		msg := map[string]string{"fork": "program ready", "per-core": "worker ready"}[s.mode]
		p := s.tells(t, "--stop-message shutdown --ready message --instance-var INSTANCE_ID", "idle", 1, msg)
		p.Signal(unix.SIGTERM)
		p.WaitCode(7)
		has := " has undefined 0"
		if s.mode == "fork" {
			has = " has undefined undefined"
		}
		p.Expect(s.name()+has, s.name()+" Control", s.name()+` "shutdown"`, s.name()+" exits")
	})
}

// Each worker gets the message when it is replaced, and the one that replaces it when that
// is to stop; each knows its number by the variable that was asked for.
func TestStopMessageInAReload(t *testing.T) {
	t.Parallel()
	const flags = "--workers 2 --stop-message shutdown --instance-var INSTANCE_ID --reload-signal HUP"
	s := start{harness.NewestLine, "per-core"}
	p := s.tells(t, flags, "", 2, "worker listening", "NODE_APP_INSTANCE=blue")
	var got []string
	next := func(n int) {
		for range n {
			got = append(got, p.Line())
		}
		slices.Sort(got)
	}
	next(2)
	if want := []string{"0 has blue 0", "1 has blue 1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	got = nil
	p.Signal(unix.SIGHUP)
	untilLogged(t, p, 1, "reload done")
	untilLogged(t, p, 2, "worker ended")
	next(6)
	if want := []string{`0 "shutdown"`, "0 exits", "0 has blue 0", `1 "shutdown"`, "1 exits", "1 has blue 1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	got = nil
	p.Signal(unix.SIGTERM)
	p.WaitCode(7)
	next(4)
	if want := []string{`0 "shutdown"`, "0 exits", `1 "shutdown"`, "1 exits"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
