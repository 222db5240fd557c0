package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

func TestReservations(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := make(reservations)
	if r.setDeadline(1, now) || r.has(1) {
		t.Error("a deadline without a reservation")
	}
	r.add(1)
	r.add(2)
	r.add(3)
	if !r.setDeadline(1, now.Add(time.Second)) || r.setDeadline(1, now.Add(time.Hour)) || !r.setDeadline(2, now.Add(3*time.Second)) {
		t.Error("a deadline is not set once")
	}
	if slots, next := r.expired(now); len(slots) > 0 || next != time.Second {
		t.Errorf("expired %v, next in %v", slots, next)
	}
	if slots, next := r.expired(now.Add(time.Second)); !slices.Equal(slots, []int{1}) || next != 2*time.Second {
		t.Errorf("expired %v, next in %v", slots, next)
	}
	r.add(1) // the deadline of the reservation before is gone
	r.remove(2)
	if slots, next := r.expired(now.Add(time.Hour)); len(slots) > 0 || next != 0 || r.has(2) || !r.has(1) {
		t.Errorf("expired %v, next in %v, left %v", slots, next, r)
	}
}

// done waits until p has done what was posted before.
func done(p *Primary) {
	all := make(chan struct{})
	p.inbox.post(func() { close(all) })
	<-all
}

// expireAll has all reservations with a deadline expire.
func expireAll(p *Primary) { p.inbox.post(func() { p.expire(time.Now().Add(time.Hour)) }) }

// awaits waits until State.Awaited of m has these names.
func (m *fakeWorker) awaits(names ...map[string]any) {
	m.t.Helper()
	var want []string
	for _, name := range names {
		want = append(want, fmt.Sprintf("%s:%v", ownHost, name["port"]))
	}
	slices.Sort(want)
	m.waitKnown(fmt.Sprintf("awaited %v", want), func(s State) bool { return slices.Equal(s.Awaited, want) })
}

// waitKnown waits until the state of m is such, whether it is reported again or not.
func (m *fakeWorker) waitKnown(what string, is func(State) bool) {
	m.t.Helper()
	states := make(chan State)
	for end := time.Now().Add(testproc.HangLimit); ; {
		m.w.primary.inbox.post(func() { states <- m.w.state.clone() })
		state := <-states
		if is(state) {
			return
		}
		if time.Now().After(end) {
			m.t.Fatalf("never %s, but %+v", what, state)
		}
	}
}

// freePort returns a port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	p := run(t, RR)
	m := newFakeWorker(t, p, 0)
	_, name, _ := m.query(0)
	m.w.Release(false)
	refused(t, name)
	return int(name["port"].(float64))
}

// A replacement is awaited to ask for all that its predecessor has open, and had open when
// it exited, except on port 0.
func TestAwaited(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	old, other := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	one, two, three := freePort(t), freePort(t), freePort(t)
	old.query(0)
	_, first, _ := old.query(one)
	key, second, _ := old.query(two)
	_, third, _ := other.query(three)
	replacement := newFakeWorker(t, p, 0)
	replacement.awaits(first, second)
	other.awaits()
	_, _, _ = old.query(three) // after the replacement was opened
	replacement.awaits(first, second, third)
	replacement.query(one)
	replacement.awaits(second, third)
	old.send(`{"cmd":"NODE_CLUSTER","act":"close","key":%q,"seq":1}`, key) // by the application
	replacement.awaits(third)
	refused(t, second)
	old.w.Release(true)
	replacement.awaits(third)
	replacement.w.Release(true)
	last := newFakeWorker(t, p, 0)
	last.awaits(first, third)
	last.send(`{"cmd":"NODE_CLUSTER","act":"online","seq":1}`)
	last.query(one)
	last.awaits(third)
	expireAll(p)
	last.awaits()
}

// A reserved server stays open though the worker that has it closes it while it drains,
// and though a replacement that has asked for it exits. Then the reservation expires.
func TestReservedStaysOpen(t *testing.T) {
	t.Parallel()
	for _, balance := range []Balance{RR, Shared, ReusePort, IPHash} {
		t.Run(string(balance), func(t *testing.T) {
			t.Parallel()
			p := run(t, balance)
			old, replacement := newFakeWorker(t, p, 0), newFakeWorker(t, p, 0)
			port := freePort(t)
			key, name, _ := old.query(port)
			_, first, _ := replacement.query(freePort(t)) // of two
			old.w.StopConnections(true)
			done(p)
			old.send(`{"cmd":"NODE_CLUSTER","act":"close","key":%q,"seq":1}`, key)
			old.waitKnown("no server", func(s State) bool { return s.Servers == 0 })
			old.closeFiles()
			replacement.awaits(name)
			dial(t, name)
			if again, _, errno := replacement.query(port); again != key || errno != nil {
				t.Errorf("the replacement got %q after %q, error %v", again, key, errno)
			}
			replacement.closeFiles()
			replacement.w.Release(true) // it has crashed before the old one exits
			old.w.Release(true)
			next := newFakeWorker(t, p, 0)
			next.awaits(name, first)
			expireAll(p) // nothing: no worker listens yet
			dial(t, name)
			next.query(freePort(t))
			expireAll(p)
			next.awaits()
			refused(t, name)
		})
	}
}

func (m *fakeWorker) closeFiles() {
	for _, fd := range m.fds {
		unix.Close(fd)
	}
	m.fds = nil
}
