package cluster

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newAcks returns the acks of a channel, whose frames it does not read.
func newAcks(t testing.TB) (*acks, *channelTest) {
	c := newChannelTest(t)
	a := &acks{channel: &c.channel}
	c.poller.tick = a.onTick
	return a, c
}

func TestAcksTake(t *testing.T) {
	t.Parallel()
	a, _ := newAcks(t)
	for seq := range int64(3) {
		a.add(handover{fd: int(seq) + 100, seq: seq})
	}
	a.trackHandle(-1 - 7)
	if h, ok := a.take(1); !ok || h.fd != 101 {
		t.Errorf("took %+v, %v", h, ok)
	}
	for _, seq := range []int64{1, 3, -1} {
		if h, ok := a.take(seq); ok {
			t.Errorf("took %+v for %d", h, seq)
		}
	}
	var numbers []int64
	for number, ok := a.takeHandle(); ok; number, ok = a.takeHandle() {
		numbers = append(numbers, number)
	}
	if want := []int64{0, 1, 2, -8}; !slices.Equal(numbers, want) {
		t.Errorf("descriptors %v, want %v", numbers, want)
	}
	if len(a.pending) != 2 {
		t.Errorf("%d are pending: the ack of a descriptor is not that of the server", len(a.pending))
	}
}

// Of a worker that acknowledges nothing, only the last descriptors are known.
func TestAcksTrackFewHandles(t *testing.T) {
	t.Parallel()
	a, _ := newAcks(t)
	for i := range int64(10 * maxUnackedHandles) {
		a.trackHandle(i)
	}
	if number, _ := a.takeHandle(); len(a.handles) != maxUnackedHandles-1 || number != 9*maxUnackedHandles {
		t.Errorf("%d are left after %d", len(a.handles), number)
	}
}

func TestAcksHaveRoom(t *testing.T) {
	t.Parallel()
	a, c := newAcks(t)
	now := time.Now()
	for i := range int64(maxPending) {
		if !a.hasRoom(now) {
			t.Fatalf("no room beside %d", i)
		}
		a.add(handover{seq: i, at: now})
	}
	if a.hasRoom(now) {
		t.Errorf("room beside %d", maxPending)
	}
	_, _ = a.take(3)
	if !a.hasRoom(now.Add(maxAckLatency-1)) || a.hasRoom(now.Add(maxAckLatency)) {
		t.Error("room depends on how long the oldest waits")
	}
	for i := range int64(maxPending) {
		_, _ = a.take(i)
	}
	if !a.hasRoom(now.Add(time.Hour)) {
		t.Error("no room though all are acknowledged")
	}
	c.blocked = true
	if a.hasRoom(now) {
		t.Error("room in a channel that has none")
	}
	c.close(nil)
	if a.hasRoom(now) {
		t.Error("room in a closed channel")
	}
}

// While connections are handed over, acks are read once a round or at a tick; after that
// when they come.
func TestAcksAreDeferred(t *testing.T) {
	t.Parallel()
	a, c := newAcks(t)
	c.write("early\n")
	a.onTick()
	if a.readDeferred(1) || len(c.frames) > 0 {
		t.Fatal("read though nothing is deferred")
	}
	a.add(handover{seq: 1})
	if !c.paused || c.poller.tickAt.IsZero() {
		t.Fatal("not deferred, or without a tick")
	}
	if !a.readDeferred(1) || a.readDeferred(1) || !slices.Equal(c.frames, []string{"early"}) {
		t.Errorf("read %q in the first round", c.frames)
	}
	c.write("second\n")
	if a.readDeferred(1) || !a.readDeferred(2) || a.readDeferred(3) {
		t.Errorf("read %q", c.frames)
	}
	a.onTick()
	if !c.paused {
		t.Error("not deferred any more, though a connection was handed over")
	}
	c.write("third\n")
	a.onTick()
	if c.paused || len(c.frames) != 3 {
		t.Errorf("deferred: %v, read %q", c.paused, c.frames)
	}
	a.add(handover{seq: 2})
	c.write("fourth\n")
	c.until(func() bool { return len(c.frames) == 4 && !c.paused }) // by ticks alone
	c.write("fifth\n")
	c.until(func() bool { return len(c.frames) == 5 })
}

// What was not acknowledged goes back to its server: to another worker, or it is closed
// with a server that is.
func TestAcksReclaim(t *testing.T) {
	t.Parallel()
	a, _ := newAcks(t)
	p := new(Primary)
	open := &server{primary: p, workers: rotation{new(Worker)}}
	closed := &server{primary: p, closed: true}
	kept, _ := watchedFD(t)
	t.Cleanup(func() { closeFD(kept) })
	dropped, awaitClosed := watchedFD(t)
	a.add(handover{fd: kept, server: open, seq: 1})
	a.add(handover{fd: dropped, server: closed, seq: 2})
	a.reclaim()
	if len(a.pending)+len(a.handles) > 0 {
		t.Errorf("left: %v, %v", a.pending, a.handles)
	}
	if len(open.undelivered) != 1 || open.undelivered[0].fd != kept || !p.dispatchPending || !isOpen(kept) {
		t.Errorf("undelivered: %+v, dispatch: %v", open.undelivered, p.dispatchPending)
	}
	awaitClosed()
}

// A connection that all have refused is closed, unless a worker is still to come.
func TestRedeliver(t *testing.T) {
	t.Parallel()
	a, b := new(Worker), new(Worker)
	for _, test := range []struct {
		name      string
		refusedBy []*Worker
		reserved  bool
		want      bool
	}{
		{"nobody", nil, false, true},
		{"one of two", []*Worker{a}, false, true},
		{"all", []*Worker{a, b}, false, false},
		{"all so far", []*Worker{a, b}, true, true},
	} {
		s := &server{primary: new(Primary), workers: rotation{a, b}, reservedSlots: make(reservations)}
		if test.reserved {
			s.reservedSlots.add(2)
		}
		fd, awaitClosed := watchedFD(t)
		s.redeliver(handover{fd: fd, server: s, refusedBy: test.refusedBy})
		if got := len(s.undelivered) == 1; got != test.want {
			t.Errorf("refused by %s: offered again: %v", test.name, got)
			continue
		}
		if !test.want {
			awaitClosed()
			continue
		}
		closeFD(fd)
	}
}

// Connections go to an idle worker first, in turn, and to a busy one if it has room.
func TestBestWorker(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := &server{primary: new(Primary)}
	for range 3 {
		w := &Worker{}
		c := newChannelTest(t)
		w.acks.channel = &c.channel
		s.workers = append(s.workers, w)
	}
	a, b, c := s.workers[0], s.workers[1], s.workers[2]
	is := func(what string, except []*Worker, want *Worker) {
		t.Helper()
		if got := s.bestWorker(now, except); got != want {
			t.Errorf("%s: worker %d, want %d", what, slices.Index(s.workers, got), slices.Index(s.workers, want))
		}
	}
	is("all idle", nil, a)
	s.workers.moveToBack(a)
	if want := (rotation{b, c, a}); !slices.Equal(s.workers, want) {
		t.Errorf("order %v, want %v", s.workers, want)
	}
	is("all idle", nil, b)
	is("refused", []*Worker{b}, c)
	b.acks.pending = []handover{{at: now}}
	is("b has one", nil, c)
	c.outOfRotation = true
	is("c out of rotation", nil, a)
	a.acks.pending = []handover{{at: now}}
	is("a and b have one", nil, b)
	b.acks.pending[0].at = now.Add(-time.Second)
	is("b computes", nil, a)
	a.acks.pending[0].at = now.Add(-time.Second)
	is("a and b compute", nil, nil)
	s.closing = true
	is("closing", nil, c)
}

// To hand a connection over and to read its acks allocates nothing.
func TestHandOverAllocatesNothing(t *testing.T) {
	own, end, err := socketpair()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(end)
	p := new(Primary)
	w := &Worker{primary: p}
	w.channel = channel{poller: newPoller(t), closer: newCloser(), io: newMessageIO(), fd: own, onFrame: w.onFrame, onClosed: w.onChannelClosed}
	w.acks.channel = &w.channel
	if err := w.channel.start(); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(own)
	s := &server{primary: p, key: "1", workers: rotation{w}}
	fd, _ := watchedFD(t)
	defer unix.Close(fd)
	buffer := make([]byte, 1024)
	allocs := testing.AllocsPerRun(100, func() {
		passed, _, errno := unix.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if errno != 0 {
			t.Fatal(errno)
		}
		now := time.Now()
		s.handOver(s.nextWorker(now, nil), handover{fd: int(passed), server: s}, now)
		if _, err := unix.Read(end, buffer); err != nil {
			t.Fatal(err)
		}
		ack := append(buffer[:0], `{"cmd":"NODE_HANDLE_ACK"}`+"\n"+`{"cmd":"NODE_CLUSTER","ack":`...)
		ack = strconv.AppendInt(ack, w.seq-1, 10)
		ack = append(ack, `,"accepted":true,"seq":1}`+"\n"...)
		if _, err := unix.Write(end, ack); err != nil {
			t.Fatal(err)
		}
		p.round++
		w.acks.readDeferred(p.round)
		if len(w.acks.pending)+len(w.acks.handles) > 0 {
			t.Fatal("not acknowledged")
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// A descriptor that a worker could not receive is that of a connection, which goes to
// another worker, or of a reply, which becomes an error.
func TestLostDescriptors(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	full, other := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	_, name, _ := full.query(0)
	c := dial(t, name)
	_, conn := full.take()
	conn.Close()
	other.query(0)
	full.send(`{"cmd":"NODE_HANDLE_NACK"}`)
	other.serve("from the other")
	if got := read(t, c); got != "from the other" {
		t.Errorf("got %q", got)
	}

	m := newFakeWorker(t, run(t, Shared), 0)
	m.query(0)
	m.send(`{"cmd":"NODE_HANDLE_NACK"}`)
	if r := m.receive(); r["ack"] != float64(1) || r["errno"] != float64(-int(unix.EMFILE)) {
		t.Errorf("got %v, want EMFILE for query 1", r)
	}
}

func TestConnectionGone(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{unix.ECONNABORTED: true, unix.EPROTO: true, unix.EMFILE: false, unix.ENFILE: false, unix.EPERM: false, unix.ENOMEM: false} {
		if got := connectionGone(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}
