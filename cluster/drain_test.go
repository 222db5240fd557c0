package cluster

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// When all workers are to stop, nodeinit closes its copy of what they accept from themselves;
// theirs are served until they close them too.
func TestSharedSocketIsTheWorkersToClose(t *testing.T) {
	t.Parallel()
	for _, balance := range []Balance{Shared, ReusePort, IPHash} {
		t.Run(string(balance), func(t *testing.T) {
			t.Parallel()
			p := run(t, balance)
			workers, name := several(t, p, 2)
			for _, m := range workers {
				m.w.StopConnections(false)
			}
			done(p)
			listeners := []*net.TCPListener{workers[0].listener(), workers[1].listener()}
			c := dial(t, name)
			accepted := make(chan net.Conn, 2)
			for _, l := range listeners {
				go func() {
					conn, err := l.Accept()
					if err == nil {
						accepted <- conn
					}
				}()
			}
			conn := <-accepted
			fmt.Fprint(conn, "served")
			conn.Close()
			if got := read(t, c); got != "served" {
				t.Errorf("got %q", got)
			}
			for _, l := range listeners {
				l.Close()
			}
			refused(t, name)
		})
	}
}

// A worker that is still needed is not the last: its socket stays as it is.
func TestServerStaysForThoseWhoStay(t *testing.T) {
	t.Parallel()
	for _, balance := range []Balance{RR, Shared} {
		p := run(t, balance)
		workers, name := several(t, p, 3)
		for _, m := range workers[:2] {
			m.w.StopConnections(false)
			m.w.StopConnections(true) // the first counts
		}
		done(p)
		if closing := inside(p, func() bool { return workers[2].w.lastAcceptor() || workers[0].w.lastAcceptor() }); closing {
			t.Errorf("%s: it is closing", balance)
		}
		if balance == RR {
			c := dial(t, name)
			workers[2].serve("third")
			if got := read(t, c); got != "third" {
				t.Errorf("got %q", got)
			}
		}
		workers[2].w.StopConnections(false)
		if closing := inside(p, workers[0].w.lastAcceptor); !closing {
			t.Errorf("%s: it is not closing", balance)
		}
	}
}

// The file of a pipe that closes is gone at once: a worker that asks for it then gets a new one, and what
// had come to the old one is served.
func TestPipeThatClosesIsMadeAnew(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	path := shortDir(t) + "/s"
	old, late := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	first := old.gets(at(path))
	release := hold(t, p)
	early := dialPath(t, path)
	old.w.StopConnections(false)
	release()
	done(p)
	second := late.gets(at(path))
	if second.Key == first.Key {
		t.Errorf("the new one is the old one, %q", first.Key)
	}
	old.serve("old")
	if got := read(t, early); got != "old" {
		t.Errorf("got %q", got)
	}
	c := dialPath(t, path)
	late.serve("late")
	if got := read(t, c); got != "late" {
		t.Errorf("got %q", got)
	}
}

// A socket that was inherited is not closed for the workers that stop: others may use it.
func TestInheritedSocketIsNotClosedGracefully(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	m := newFakeWorker(t, p, 0)
	m.gets(object{"fd": inheritable(t, unix.AF_INET, unix.SOCK_STREAM, localhost()), "port": nil})
	m.w.StopConnections(false)
	if inside(p, m.w.lastAcceptor) {
		t.Error("it is closing")
	}
}

// The time of a reservation is at least ten seconds, and more where starts take longer.
func TestReservationHasTheTimeOfAStart(t *testing.T) {
	t.Parallel()
	for patience, least := range map[time.Duration]time.Duration{0: minReopenTimeout, time.Second: minReopenTimeout, time.Hour: time.Hour} {
		p, err := New(RR)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.poller.close)
		p.ReopenTimeout = patience
		s := &server{primary: p, reservedSlots: make(reservations)}
		before := time.Now()
		s.limitReservation(3) // that does not exist
		s.reservedSlots.add(4)
		s.limitReservation(4)
		until := s.reservedSlots[4]
		if s.reservedSlots.has(3) || until.Before(before.Add(least)) || until.After(time.Now().Add(least)) {
			t.Errorf("%v: %v", patience, s.reservedSlots)
		}
		s.limitReservation(4)
		if s.reservedSlots[4] != until {
			t.Errorf("%v: its time is given twice", patience)
		}
		if p.poller.tickAt.IsZero() {
			t.Errorf("%v: it is not checked when it is over", patience)
		}
	}
}

// A worker that was never started, or says nothing, is released without a trace.
func TestWorkerThatNeverCame(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	for _, kept := range []bool{true, false} {
		m := newFakeWorker(t, p, 0)
		m.w.Release(kept)
		m.w.Release(kept)
		m.w.Drain("SIGTERM")
		m.w.Disconnect()
		m.w.StopConnections(kept)
		if err := m.ended(); err != nil {
			t.Errorf("kept %v: %v", kept, err)
		}
		if n, err := m.conn.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("kept %v: it hears something", kept)
		}
	}
	if n := inside(p, func() int { return len(p.workers) }); n != 0 {
		t.Errorf("%d workers are left", n)
	}
}

// The end of a primary closes all channels and sockets; a panic in it is an error, not the end
// of the process; and what comes later is of nothing.
func TestEndOfAPrimary(t *testing.T) {
	t.Parallel()
	for _, panics := range []bool{false, true} {
		p, err := New(RR)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		m := newFakeWorker(t, p, 0)
		file := shortDir(t) + "/s"
		name := map[string]any{"port": m.gets(nil).Sockname.Port}
		m.gets(at(file))
		if panics {
			p.inbox.post(func() { panic("of a test") })
		} else {
			cancel()
		}
		err = <-ended
		cancel()
		if (err != nil) != panics || panics && !strings.Contains(err.Error(), "of a test") {
			t.Errorf("panics %v: %v", panics, err)
		}
		if n, err := m.conn.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("panics %v: the channel is open", panics)
		}
		refused(t, name)
		if c, err := net.Dial("unix", file); err == nil {
			c.Close()
			t.Errorf("panics %v: the file is left", panics)
		}
		m.w.Disconnect()
		m.w.Release(true)
	}
}
