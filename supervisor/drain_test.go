package supervisor

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
)

// calls is a Channel that notes what it is asked for.
type calls []string

func (c *calls) note(format string, args ...any) { *c = append(*c, fmt.Sprintf(format, args...)) }

func (c *calls) Message(text string) {
	if text != "" {
		c.note("Message %s", text)
	}
}

func (c *calls) Drain(signal string)        { c.note("Drain %s", signal) }
func (c *calls) Finish(limit time.Duration) { c.note("Finish %v", limit) }
func (c *calls) Watch(signal string, soon, late time.Duration) {
	c.note("Watch %s %v %v", signal, soon, late)
}
func (c *calls) StopConnections(replaced bool) { c.note("StopConnections %v", replaced) }
func (c *calls) Pause(paused bool)             { c.note("Pause %v", paused) }
func (c *calls) DisableKeepAlives()            { c.note("DisableKeepAlives") }
func (c *calls) Disconnect()                   { c.note("Disconnect") }
func (c *calls) Handovers() int64              { return 0 }
func (c *calls) Release(kept bool)             { c.note("Release %v", kept) }

func (c *calls) check(t *testing.T, want ...string) {
	t.Helper()
	if got := strings.Join(*c, ", "); got != strings.Join(want, ", ") {
		t.Errorf("got %s, want %s", got, strings.Join(want, ", "))
	}
	*c = nil
}

func TestOrder(t *testing.T) {
	t.Parallel()
	agent := cluster.State{Agent: true}
	handler := cluster.State{Agent: true, Handles: []string{"SIGINT", "SIGTERM"}}
	for _, c := range []struct {
		name    string
		set     StopOrder
		state   cluster.State
		perCore bool
		want    StopOrder
	}{
		{"an agent, no handler", AutoOrder, agent, true, DrainFirst},
		{"a handler", AutoOrder, handler, true, FinishFirst},
		{"a handler of another signal", AutoOrder, cluster.State{Agent: true, Handles: []string{"SIGINT"}}, true, DrainFirst},
		{"no agent", AutoOrder, cluster.State{}, true, SignalFirst},
		{"no channel any more", DrainFirst, cluster.State{Agent: true, Ended: true}, true, SignalFirst},
		{"set to signal", SignalFirst, agent, true, SignalFirst},
		{"set to drain", DrainFirst, handler, true, DrainFirst},
		{"set to drain, no agent", DrainFirst, cluster.State{}, true, DrainFirst},
		{"fork mode", AutoOrder, handler, false, FinishFirst},
		{"fork mode without an agent", DrainFirst, cluster.State{}, false, SignalFirst},
	} {
		if got := (StopPolicy{Order: c.set}).orderFor(c.state, unix.SIGTERM, c.perCore); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestDrainDeadline(t *testing.T) {
	t.Parallel()
	for grace, want := range map[time.Duration]time.Duration{0: 0, time.Second: 750 * time.Millisecond, 9 * time.Second: 7 * time.Second} {
		killAt := time.Time{}
		if grace > 0 {
			killAt = epoch.Add(grace)
		}
		got := drainDeadline(killAt, grace)
		if grace == 0 && !got.IsZero() || grace > 0 && got.Sub(epoch) != want {
			t.Errorf("grace %v: %v", grace, got)
		}
	}
}

// drained returns a worker with servers in a slot, and its channel.
func withChannel() (*worker, *fakeProcess, *calls) {
	e, _ := testEnv()
	w, process := addWorker(new(fleet), e)
	channel := new(calls)
	w.Channel, w.reported = channel, cluster.State{Agent: true, Servers: 1}
	return w, process, channel
}

func TestDrain(t *testing.T) {
	t.Parallel()
	w, process, channel := withChannel()
	process.paused = true
	w.drain(term, epoch)
	channel.check(t, "Drain SIGTERM")
	if w.state != workerDraining || !w.deadline.Equal(epoch) || fmt.Sprint(process.got) != "[SIGCONT]" {
		t.Errorf("%v until %v, got %v", w.state, w.deadline, process.got)
	}
	w.reported.Servers = 0
	w.stop(w.stopWith)
	channel.check(t) // it was drained
	if w.state != workerStopping || !w.deadline.IsZero() || fmt.Sprint(process.got) != "[SIGCONT SIGTERM SIGCONT]" {
		t.Errorf("%v until %v, got %v", w.state, w.deadline, process.got)
	}
}

func TestFinish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _, channel := withChannel()
		w.finish(term, in(6*time.Second), 6*time.Second)
		channel.check(t, "Finish 2s")
		if w.state != workerFinishing || time.Until(w.deadline) != 2*time.Second+finishReportTime {
			t.Errorf("%v for %v", w.state, time.Until(w.deadline))
		}
		<-time.After(time.Second)
		w.endFinish()
		channel.check(t, "Watch SIGTERM 2s 3.5s")
		w.drainLate()
		channel.check(t) // it closes servers
		w.reported.Serving = true
		w.drainLate()
		w.drainLate()
		channel.check(t, "StopConnections false", "Drain SIGTERM")
	})
}

func TestDisconnectIfIdle(t *testing.T) {
	t.Parallel()
	w, _, channel := withChannel()
	w.stop(term)
	channel.check(t)
	w.reported.Servers = 0
	w.disconnectIfIdle()
	w.disconnectIfIdle()
	channel.check(t, "Disconnect")
	w, _, channel = withChannel()
	w.env.PerCore, w.reported.Servers = false, 0
	w.stop(term)
	channel.check(t)
}

func TestRetire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _, channel := withChannel()
		w.env.Stop = StopPolicy{Grace: 8 * time.Second}
		w.reported.Handles = []string{"SIGTERM"} // but others serve on
		w.slot.outgoing, w.slot.current = w, new(worker)
		w.retire(ForReload)
		channel.check(t, "StopConnections true", "Drain SIGTERM")
		if !w.leaving || time.Until(w.killAt) != 8*time.Second || time.Until(w.deadline) != 6*time.Second {
			t.Errorf("leaving %v, killed in %v, %v for %v", w.leaving, time.Until(w.killAt), w.state, time.Until(w.deadline))
		}
		w.retire(ForReload)
		channel.check(t) // once is enough

		w, process, channel := withChannel()
		w.env.Stop = StopPolicy{Order: SignalFirst}
		w.retire(ForScale)
		channel.check(t, "StopConnections false", "DisableKeepAlives")
		if w.state != workerStopping || !w.deadline.IsZero() || fmt.Sprint(process.got) != "[SIGTERM]" {
			t.Errorf("%v until %v, got %v", w.state, w.deadline, process.got)
		}
	})
}

// The message comes first, once for each stop. An application that has an agent and no
// handler gets the signal only at the deadline, however early its channel ends.
func TestMessageBeforeTheStop(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		policy   StopPolicy
		reported cluster.State
		calls    []string // after the message
		waits    bool     // for the deadline though the channel has ended
	}{
		{"no handler", StopPolicy{Grace: 8 * time.Second}, cluster.State{Agent: true}, []string{"StopConnections false", "Drain "}, true},
		{"no grace", StopPolicy{}, cluster.State{Agent: true}, []string{"StopConnections false", "Drain SIGTERM"}, false},
		{"set to drain", StopPolicy{Grace: 8 * time.Second, Order: DrainFirst}, cluster.State{Agent: true, Handles: []string{"SIGTERM"}}, []string{"StopConnections false", "Drain SIGTERM"}, false},
		{"set to drain, no agent", StopPolicy{Grace: 8 * time.Second, Order: DrainFirst}, cluster.State{}, []string{"StopConnections false", "Drain SIGTERM"}, false},
		{"a handler", StopPolicy{Grace: 9 * time.Second}, cluster.State{Agent: true, Handles: []string{"SIGTERM"}}, []string{"Finish 3s"}, false},
		{"no agent", StopPolicy{Grace: 8 * time.Second}, cluster.State{}, []string{"DisableKeepAlives"}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			c.policy.Message = "bye"
			d, w, _, _ := newShutdown(c.policy)
			channel := new(calls)
			d.env.PerCore, w.Channel, w.ID, w.reported = true, channel, 1, c.reported
			w.reported.Servers = 1
			d.stop(term)
			channel.check(t, append([]string{"Message bye"}, c.calls...)...)
			d.stop(term)
			channel.check(t) // a second signal brings no second message

			_, w, _, _ = newShutdown(c.policy)
			w.env.PerCore, w.Channel, w.reported = true, channel, c.reported
			w.reported.Servers = 1
			w.retire(ForReload)
			if len(*channel) < 2 || (*channel)[0] != "Message bye" {
				t.Errorf("%s: retired by %q", c.name, *channel)
			}
			if waits := w.state == workerDraining && c.policy.awaitsExit(w.reported, unix.SIGTERM, w.deadline); waits != c.waits {
				t.Errorf("%s: waits %v", c.name, waits)
			}
		})
	}
}

func TestKill(t *testing.T) {
	t.Parallel()
	w, process, _ := withChannel()
	asked := 0
	w.OnStop = func() { asked++ }
	w.kill(NotReady)
	w.kill(Hang)
	w.forward(term)
	w.markStopping()
	if w.killed != NotReady || asked != 1 || fmt.Sprint(process.got) != "[SIGKILL]" || w.state != workerKilled {
		t.Errorf("killed %q, asked %d, got %v, %v", w.killed, asked, process.got, w.state)
	}
	w, process, _ = withChannel()
	process.ended = true
	if w.kill(Hang); w.killed != "" {
		t.Errorf("killed %q, but it has ended by itself", w.killed)
	}
}

// A worker without a channel gets signals, and nothing is sent elsewhere.
func TestNoChannel(t *testing.T) {
	t.Parallel()
	w, process, _ := withChannel()
	w.Channel = nil
	w.retire(ForAge)
	w.stop(term)
	w.endFinish()
	w.drained, w.reported.Serving = false, true
	w.drainLate()
	w.disconnectIfIdle()
	w.release(true)
	if len(process.got) == 0 {
		t.Error("it got no signal")
	}
}
