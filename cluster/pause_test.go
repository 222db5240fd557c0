package cluster

import (
	"net"
	"slices"
	"testing"
)

// A worker that is paused is passed over, gets its turn again when it is not, and those that
// are paused get connections when there is no other.
func TestPausedWorkerIsPassedOver(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	workers, name := several(t, p, 3)
	serve := func(index int) {
		t.Helper()
		c := dial(t, name)
		if got := given(t, p, workers); got != index {
			t.Fatalf("worker %d got the connection, want %d", got, index)
		}
		workers[index].serve("x")
		read(t, c)
		workers[index].state()
	}
	workers[1].w.Pause(true)
	for _, index := range []int{0, 2, 0, 2} {
		serve(index)
	}
	workers[0].w.Pause(true)
	serve(2)
	serve(2)
	workers[2].w.Pause(true) // all are
	for _, index := range []int{1, 0, 2} {
		serve(index)
	}
	workers[1].w.Pause(false)
	serve(1)
	serve(1)
	workers[2].w.Pause(false)
	serve(2)
	serve(1)
	workers[1].w.StopConnections(false)
	serve(2)
	workers[2].w.StopConnections(false) // the last one is paused
	serve(0)
	serve(0)
}

// What waits for a worker that can take no more goes to one that is paused when the former is
// gone, or has refused it.
func TestPausedWorkerGetsWhatNoOtherTakes(t *testing.T) {
	t.Parallel()
	for _, exits := range []bool{true, false} {
		p := run(t, RR)
		workers, name := several(t, p, 2)
		workers[0].w.Pause(true)
		done(p)
		c := dial(t, name)
		seq, conn := workers[1].take()
		conn.Close()
		waiting := []net.Conn{c}
		if exits {
			for range maxPending { // one more than it may have
				waiting = append(waiting, dial(t, name))
			}
			workers[1].conn.Close()
			workers[1].w.Release(true)
		} else {
			workers[1].ack(seq, false)
		}
		for range waiting {
			workers[0].serve("paused")
		}
		for _, c := range waiting {
			if got := read(t, c); got != "paused" {
				t.Errorf("exits %v: got %q", exits, got)
			}
		}
	}
}

// What is paused in a server that it alone has goes on with that.
func TestPausedWorkerServesWhatItAloneHas(t *testing.T) {
	t.Parallel()
	for _, balance := range []Balance{RR, ReusePort} {
		p := run(t, balance)
		workers, _ := several(t, p, 2)
		own := workers[0].gets(object{"index": 7})
		workers[0].w.Pause(true)
		done(p)
		c := dial(t, map[string]any{"port": own.Sockname.Port})
		if balance == RR {
			workers[0].serve("own")
			if got := read(t, c); got != "own" {
				t.Errorf("got %q", got)
			}
			continue
		}
		out := inside(p, func() (slots []int) {
			for _, s := range p.servers {
				for _, socket := range s.group.sockets {
					if socket.paused {
						slots = append(slots, len(s.group.sockets)*10+socket.slot)
					}
				}
			}
			slices.Sort(slots)
			return slots
		})
		if !slices.Equal(out, []int{10, 20}) { // slot 0 in both, but alone in its own
			t.Errorf("paused are %v", out)
		}
	}
}

// A slot whose worker is paused gets no connections until that one is out of rotation, also if
// its replacement is there; then the replacement does.
func TestPausedSlotIsBackWithItsReplacement(t *testing.T) {
	t.Parallel()
	p := run(t, ReusePort)
	workers, _ := several(t, p, 2)
	workers[0].w.Pause(true)
	paused := func(want bool) {
		t.Helper()
		got := inside(p, func() bool {
			for _, s := range p.servers {
				return slices.ContainsFunc(s.group.sockets, func(s groupSocket) bool { return s.slot == 0 && s.paused })
			}
			return false
		})
		if got != want {
			t.Errorf("paused is %v, want %v", got, want)
		}
	}
	paused(true)
	replacement := newFakeWorker(t, p, 0)
	replacement.gets(nil)
	paused(true)
	workers[0].w.StopConnections(true)
	paused(false)
	workers[1].w.Pause(true)
	workers[1].w.Release(true) // what comes waits for the next one
	if out := inside(p, func() bool {
		for _, s := range p.servers {
			return slices.ContainsFunc(s.group.sockets, func(s groupSocket) bool { return s.paused })
		}
		return true
	}); out {
		t.Error("paused without a worker")
	}
}

// With ip-hash the clients of the others stay where they are while one is paused.
func TestPausedGroupKeepsClients(t *testing.T) {
	g := newTestGroup(t, "127.0.0.1", true)
	for slot := range 5 {
		g.open(slot)
	}
	g.leave(1, 9)
	to := net.IPv4(127, 0, 0, 1)
	before := make(map[int]int) // by client, the slot
	for i := range 100 {
		before[i] = g.slotOf[g.reached(client(i), to)]
	}
	g.pause(func(slot int) bool { return slot == 0 || slot == 3 })
	moved := make(map[int]bool)
	for i := range 100 {
		got := g.slotOf[g.reached(client(i), to)]
		switch was := before[i]; {
		case was == 0 || was == 3:
			moved[got] = true
		case got != was:
			t.Errorf("client %d was moved from %d to %d", i, was, got)
		}
	}
	if len(moved) != 2 || !moved[2] || !moved[4] {
		t.Errorf("moved to %v", moved)
	}
	for _, all := range []bool{true, false} { // all are paused, or none is
		g.pause(func(int) bool { return all })
		for i := range 100 {
			if got := g.slotOf[g.reached(client(i), to)]; got != before[i] {
				t.Errorf("all %v: client %d reaches %d, before %d", all, i, got, before[i])
			}
		}
	}
}
