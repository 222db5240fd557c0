package cluster

import (
	"context"
	"net"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

var (
	udpAny  = object{"addressType": "udp4"}
	udpSix  = object{"addressType": "udp6", "address": "::1"}
	udpMany = object{"addressType": "udp4", "flags": flagUDPReuseAddr}
)

// sendTo sends a datagram from source, any where that is nil.
func sendTo(t *testing.T, source net.IP, to *net.UDPAddr) {
	t.Helper()
	c, err := net.DialUDP("udp", &net.UDPAddr{IP: source}, to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
}

// There is nothing to hand over where there are datagrams: each worker gets the socket, with rr
// and shared the same one.
func TestDatagramsAreShared(t *testing.T) {
	t.Parallel()
	for _, balance := range []Balance{RR, Shared} {
		for _, over := range []object{udpAny, udpSix} {
			p := run(t, balance)
			a, b := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
			first, second := a.gets(over), b.gets(over)
			if first.Key != second.Key || !first.passed || !second.passed || *first.Sockname != *second.Sockname {
				t.Errorf("%s: %+v and %+v", balance, first, second)
			}
			one, other := a.packets(), b.packets()
			to := one.LocalAddr().(*net.UDPAddr)
			if to.Port != first.Sockname.Port || other.LocalAddr().String() != to.String() {
				t.Fatalf("%s: %v and %v, told %+v", balance, to, other.LocalAddr(), first.Sockname)
			}
			sendTo(t, nil, to)
			if _, _, err := one.ReadFrom(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			sendTo(t, nil, to)
			if _, _, err := other.ReadFrom(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// With ip-hash the datagrams of a client reach one slot, and those of many all slots.
func TestDatagramsOfAClientReachOneSlot(t *testing.T) {
	t.Parallel()
	p := run(t, IPHash)
	var sockets []net.PacketConn
	for slot := range 3 {
		m := newFakeWorker(t, p, slot)
		m.gets(udpAny)
		sockets = append(sockets, m.packets())
	}
	to := sockets[0].LocalAddr().(*net.UDPAddr)
	type arrival struct {
		slot int
		from string
	}
	arrivals := make(chan arrival)
	for slot, c := range sockets {
		go func() {
			for {
				_, from, err := c.ReadFrom(make([]byte, 1))
				if err != nil {
					return
				}
				arrivals <- arrival{slot, from.(*net.UDPAddr).IP.String()}
			}
		}()
	}
	slotOf, reached := make(map[string]int), make(map[int]bool)
	for range 2 {
		for i := range 40 {
			source := net.IPv4(127, 0, 2, byte(1+i))
			sendTo(t, source, to)
			select {
			case got := <-arrivals:
				if before, known := slotOf[got.from]; known && before != got.slot {
					t.Fatalf("%s reached %d and %d", got.from, before, got.slot)
				}
				slotOf[got.from], reached[got.slot] = got.slot, true
			case <-time.After(testproc.HangLimit):
				t.Fatal("a datagram has not come")
			}
		}
	}
	if len(slotOf) != 40 || len(reached) != 3 {
		t.Errorf("%d clients reached %d slots", len(slotOf), len(reached))
	}
}

// A worker that binds the same twice gets another socket where the kernel lets it
// (SO_REUSEADDR), so many times and no more; else it is in use, as without a cluster.
func TestDatagramsTwiceInOneWorker(t *testing.T) {
	t.Parallel()
	for _, balance := range []Balance{RR, Shared, ReusePort, IPHash} {
		t.Run(string(balance), func(t *testing.T) {
			t.Parallel()
			p := run(t, balance)
			m, other := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
			port := m.gets(udpMany).Sockname.Port
			again := object{"addressType": "udp4", "flags": flagUDPReuseAddr, "port": port}
			keys := []string{}
			for range maxCopies {
				keys = append(keys, m.gets(again).Key)
			}
			slices.Sort(keys)
			if n := len(slices.Compact(keys)); n != maxCopies {
				t.Errorf("%d servers, want %d", n, maxCopies)
			}
			if a := m.asks(again); a.err() != unix.EADDRINUSE {
				t.Errorf("once more: %+v, want EADDRINUSE", a)
			}
			if a := other.gets(again); a.Key == "" {
				t.Errorf("the other worker: %+v", a)
			}
			single := m.gets(object{"addressType": "udp4", "index": 1}).Sockname.Port
			if a := m.asks(object{"addressType": "udp4", "port": single}); a.err() != unix.EADDRINUSE {
				t.Errorf("without SO_REUSEADDR: %+v, want EADDRINUSE", a)
			}
		})
	}
}

// All slots are bound to the port that the first got, where any was asked for.
func TestDatagramsOfAllSlotsHaveOnePort(t *testing.T) {
	t.Parallel()
	for _, balance := range []Balance{ReusePort, IPHash} {
		p := run(t, balance)
		a, b, same := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1), newFakeWorker(t, p, 1)
		first, second, third := a.gets(udpAny), b.gets(udpAny), same.gets(udpAny)
		if *first.Sockname != *second.Sockname || first.Key != third.Key {
			t.Errorf("%s: %+v, %+v and %+v", balance, first, second, third)
		}
		for _, m := range []*fakeWorker{a, b, same} {
			if got := m.packets().LocalAddr().(*net.UDPAddr).Port; got != first.Sockname.Port {
				t.Errorf("%s: bound to %d, want %d", balance, got, first.Sockname.Port)
			}
		}
		a.w.Release(false)
		b.w.Release(false)
		if again := same.gets(object{"addressType": "udp4", "index": 1}); again.Key == first.Key {
			t.Errorf("%s: the next server is the same", balance)
		}
	}
}

// Workers that start meanwhile are not in the way: a process that is forked has a copy of each
// socket until it execs.
func TestDatagramsAreBoundWhileProcessesStart(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(context.Background())
	var starters sync.WaitGroup
	defer starters.Wait()
	defer stop()
	for range 2 {
		starters.Go(func() {
			for ctx.Err() == nil {
				_ = exec.Command("/proc/self/exe", "testproc", "none").Run()
			}
		})
	}
	for range 500 {
		q := query{family: udp4, address: "127.0.0.1", fd: -1}
		fd, _, err := q.listen(groupFirst)
		if err != nil {
			t.Fatal(err)
		}
		closeFD(fd)
	}
}
