package cluster

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// several returns n workers that have one server, and where it listens.
func several(t *testing.T, p *Primary, n int) (workers []*fakeWorker, name map[string]any) {
	t.Helper()
	for slot := range n {
		m := newFakeWorker(t, p, slot)
		a := m.gets(nil)
		workers, name = append(workers, m), map[string]any{"port": a.Sockname.Port}
	}
	return workers, name
}

// given waits until one of workers has been handed a connection that it has not acknowledged,
// and returns which.
func given(t *testing.T, p *Primary, workers []*fakeWorker) (index int) {
	t.Helper()
	for {
		index = inside(p, func() int {
			return slices.IndexFunc(workers, func(m *fakeWorker) bool { return len(m.w.acks.pending) > 0 })
		})
		if index >= 0 {
			return index
		}
	}
}

// Workers that keep up get connections in turn, in the order in which they came to listen.
func TestConnectionsAreHandedOverInTurn(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	workers, name := several(t, p, 3)
	for i := range 9 {
		c := dial(t, name)
		if got := given(t, p, workers); got != i%3 {
			t.Errorf("connection %d went to worker %d", i, got)
		}
		workers[i%3].serve("x")
		read(t, c)
		workers[i%3].state() // its answer has been read
	}
}

// A worker that is busy with one gets no other as long as another waits for one.
func TestBusyWorkerIsPassedOver(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	workers, name := several(t, p, 3)
	busy := dial(t, name)
	given(t, p, workers)
	for i := range 6 {
		c := dial(t, name)
		if got := given(t, p, workers[1:]); got != i%2 {
			t.Errorf("connection %d went to worker %d", i, 1+got)
		}
		workers[1+i%2].serve("x")
		read(t, c)
		workers[1+i%2].state()
	}
	workers[0].serve("late")
	if got := read(t, busy); got != "late" {
		t.Errorf("got %q", got)
	}
}

// A worker that takes and does not answer gets so many and no more; what comes then waits for
// it if there is no other.
func TestConnectionsThatAreNotAnsweredAreBounded(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	workers, name := several(t, p, 1)
	m := workers[0]
	release := hold(t, p)
	var clients []net.Conn
	for range 3 * maxPending {
		clients = append(clients, dial(t, name))
	}
	release()
	given(t, p, workers)
	if n := inside(p, func() int { return len(m.w.acks.pending) }); n > maxPending {
		t.Errorf("%d are not answered", n)
	}
	for _, c := range clients {
		m.serve("x")
		if got := read(t, c); got != "x" {
			t.Errorf("got %q", got)
		}
	}
}

// A descriptor that a worker had no room for (NACK) is not lost: a connection goes to another
// worker, and a server's socket is refused with EMFILE.
func TestDescriptorThatDidNotArriveIsNotLost(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	workers, name := several(t, p, 2)
	c := dial(t, name)
	_, conn := workers[0].take()
	conn.Close()
	workers[0].send(`{"cmd":"NODE_HANDLE_NACK"}`)
	workers[1].serve("b")
	if got := read(t, c); got != "b" {
		t.Errorf("got %q", got)
	}

	m := newFakeWorker(t, run(t, Shared), 0)
	m.gets(object{"seq": 41})
	m.gets(object{"seq": 42, "index": 1})
	m.send(`{"cmd":"NODE_HANDLE_ACK"}`)
	m.send(`{"cmd":"NODE_HANDLE_NACK"}`)
	if a := m.hearsAnswer(); a.Ack != 42 || a.err() != unix.EMFILE {
		t.Errorf("%+v, want EMFILE for 42", a)
	}
	m.send(`{"cmd":"NODE_HANDLE_NACK"}`) // for none
	m.state()
}

// What all have refused waits where a replacement is to come, and is closed where none is.
func TestRefusedByAllWaitsForAReplacement(t *testing.T) {
	t.Parallel()
	for _, kept := range []bool{true, false} {
		p := run(t, RR)
		workers, name := several(t, p, 2)
		workers[1].w.Release(kept)
		done(p)
		c := dial(t, name)
		seq, conn := workers[0].take()
		conn.Close()
		workers[0].ack(seq, false)
		if kept {
			workers[0].state()
			replacement := newFakeWorker(t, p, 1)
			replacement.gets(nil)
			replacement.serve("replacement")
		}
		got, err := io.ReadAll(c)
		if want := map[bool]string{true: "replacement"}[kept]; string(got) != want || kept && err != nil {
			t.Errorf("kept %v: got %q, %v", kept, got, err)
		}
	}
}

// A connection on its way to a worker that closes its server goes to another, and ends where
// there is none.
func TestConnectionToAServerThatCloses(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 2; n++ {
		p := run(t, RR)
		workers, name := several(t, p, n)
		key := workers[0].servedKey(p)
		c := dial(t, name)
		seq, conn := workers[0].take()
		conn.Close()
		workers[0].send(`{"cmd":"NODE_CLUSTER","act":"close","key":%q,"seq":2}`, key)
		workers[0].ack(seq, false)
		if n == 2 {
			workers[1].serve("other")
		}
		got, err := io.ReadAll(c)
		if want := []string{"", "other"}[n-1]; string(got) != want || n == 2 && err != nil {
			t.Errorf("of %d: got %q, %v", n, got, err)
		}
	}
}

// servedKey returns the key of the server that m has.
func (m *fakeWorker) servedKey(p *Primary) (key string) {
	return inside(p, func() string {
		for key := range m.w.servers {
			return key
		}
		return ""
	})
}

// What waits for a replacement that does not come is closed when the reservation expires.
func TestConnectionOfAnExpiredReservationIsClosed(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	workers, name := several(t, p, 1)
	c := dial(t, name)
	_, conn := workers[0].take()
	conn.Close()
	workers[0].w.Release(true)
	next := newFakeWorker(t, p, 0)
	next.gets(object{"index": 7}) // it listens, but on something else
	expireAll(p)
	if got, _ := io.ReadAll(c); len(got) > 0 {
		t.Errorf("got %q", got)
	}
	refused(t, name)
	if n := inside(p, func() int { return len(p.servers) }); n != 1 {
		t.Errorf("%d servers, want 1", n)
	}
}

// An error of accept is that of one connection if it is gone; else it would come again.
func TestErrorsOfOneConnection(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		unix.ECONNABORTED: true, unix.EPROTO: true, unix.ENETDOWN: true, unix.EHOSTUNREACH: true, unix.ETIMEDOUT: true,
		unix.EMFILE: false, unix.ENFILE: false, unix.ENOMEM: false, unix.ENOBUFS: false, unix.EPERM: false, unix.EAGAIN: false,
		unix.EINVAL: false, unix.EBADF: false, errors.New("another"): false,
	} {
		if got := connectionGone(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}
