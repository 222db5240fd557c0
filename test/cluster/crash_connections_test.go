package cluster

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// dialAll makes connections from different addresses, without a word.
func dialAll(t *testing.T, network, address string) []net.Conn {
	t.Helper()
	var conns []net.Conn
	for i := range asks {
		conn, err := dialer(network, address, i).Dial(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(testproc.HangLimit)); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	return conns
}

// A connection made between a crash and its replacement is served, whichever
// workers are left meanwhile.
func TestServesWhatArrivesAfterACrash(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		network         string
		workers, killed int
	}{{"tcp", 1, 1}, {"tcp", 2, 1}, {"tcp", 2, 2}, {"unix", 1, 1}, {"unix", 2, 2}} {
		t.Run(fmt.Sprintf("%s %d of %d", c.network, c.killed, c.workers), func(t *testing.T) {
			harness.UnderEach(t, onNewest(nodeinits(allBalances...)), func(t *testing.T, p harness.Primary) {
				a := twoPuppets()
				a.workers, a.flags = c.workers, "--max-crashes 9 --ready none"
				k := startCluster(t, p, a)
				port := harness.ReservePort(t)
				args, address := []any{port, "127.0.0.1"}, fmt.Sprintf("127.0.0.1:%d", port)
				if c.network == "unix" {
					address = harness.ShortDir(t) + "/socket"
					args = []any{address}
				}
				workers := k.all(c.workers)
				for _, w := range workers {
					w.listens(listenTo(args...))
				}
				for _, w := range workers[:c.killed] {
					w.kill()
				}
				conns := dialAll(t, c.network, address)
				for range c.killed {
					k.next().listens(listenTo(args...))
				}
				for _, conn := range conns {
					if _, err := readSlot(conn); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

// A worker that is killed loses the connections that its application had, and
// no others: not those on their way to it.
func TestLosesOnlyWhatACrashedWorkerHeld(t *testing.T) {
	harness.UnderEach(t, onEdges(nodeinits(allBalances...)), func(t *testing.T, p harness.Primary) {
		a := twoPuppets()
		a.flags = "--max-crashes 9 --ready none"
		k := startCluster(t, p, a)
		workers, port := k.all(2), harness.ReservePort(t)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		for _, w := range workers {
			w.listens(listenTo(port))
		}
		release := workers[0].block()
		greetings := greetingsOf(dialAll(t, "tcp", address))
		held := make([][]net.Conn, 2)
		for range cap(greetings) {
			g := <-greetings // the first can only be worker 1's
			if g.err != nil {
				t.Fatal(g.err)
			}
			held[g.slot] = append(held[g.slot], g.conn)
			if len(held[0])+len(held[1]) == 1 {
				release()
			}
		}
		workers[1].block()
		onTheirWay := dialAll(t, "tcp", address)
		workers[1].kill()
		k.next().listens(listenTo(port))
		for _, conn := range onTheirWay {
			if _, err := readSlot(conn); err != nil {
				t.Errorf("a connection that was on its way is lost: %v", err)
			}
		}
		for _, conn := range held[1] {
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("a connection of the killed worker: %v", err)
			}
		}
		for _, conn := range held[0] {
			if err := echoes(conn); err != nil {
				t.Errorf("a connection of the other worker: %v", err)
			}
		}
	})
}

// A greeting tells which worker has a connection.
type greeting struct {
	conn net.Conn
	slot int
	err  error
}

// greetingsOf returns the greetings on conns as they come.
func greetingsOf(conns []net.Conn) <-chan greeting {
	greetings := make(chan greeting, len(conns))
	for _, conn := range conns {
		go func() {
			slot, err := readSlot(conn)
			greetings <- greeting{conn, slot, err}
		}()
	}
	return greetings
}

// echoes checks that a greeted connection is still served.
func echoes(conn net.Conn) error {
	word := []byte("still there?")
	if _, err := conn.Write(word); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, word)
	return err
}
