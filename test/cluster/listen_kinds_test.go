package cluster

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// binds has a worker bind a UDP socket and returns its address.
func (w *worker) binds(argument map[string]any) address {
	w.t.Helper()
	return w.opens("bind", argument)
}

// UDP sockets are shared; their datagrams reach each worker.
func TestBindsUDP(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind, host string
		settings   object
	}{
		"v4":            {"udp4", "127.0.0.1", nil},
		"v6":            {"udp6", "::1", nil},
		"v4, any":       {"udp4", "", nil},
		"v6, any":       {"udp6", "", nil},
		"reuse address": {"udp4", "127.0.0.1", object{"reuseAddr": true}},
	} {
		t.Run(name, func(t *testing.T) {
			harness.UnderEach(t, primaries(allBalances...), func(t *testing.T, p harness.Primary) {
				k := startCluster(t, p, twoPuppets())
				workers, port := k.all(2), harness.ReservePort(t)
				options := object{"port": port}
				want := address{Address: map[string]string{"udp4": "0.0.0.0", "udp6": "::"}[c.kind],
					Family: map[string]string{"udp4": "IPv4", "udp6": "IPv6"}[c.kind], Port: port}
				if c.host != "" {
					options["address"], want.Address = c.host, c.host
				}
				for _, w := range workers {
					if got := w.binds(object{"type": c.kind, "options": options, "settings": c.settings}); got != want {
						t.Errorf("worker %d is bound to %v, want %v", w.Slot, got, want)
					}
				}
				host := map[string]string{"udp4": "127.0.0.1", "udp6": "::1"}[c.kind]
				expectServed(t, p, workers, "udp", net.JoinHostPort(host, fmt.Sprint(port)))
				k.stop()
			})
		})
	}
}

// With port 0 the workers share a UDP port too, and a port that is taken is an
// error that the application sees.
func TestBindsUDPToAnyPort(t *testing.T) {
	harness.UnderEach(t, primaries(allBalances...), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		workers := k.all(2)
		options := object{"port": 0, "address": "127.0.0.1"}
		got := workers[0].binds(object{"type": "udp4", "options": options})
		if second := workers[1].binds(object{"type": "udp4", "options": options}); second != got || got.Port == 0 {
			t.Errorf("workers are bound to %v and %v", got, second)
		}
		expectServed(t, p, workers, "udp", fmt.Sprintf("127.0.0.1:%d", got.Port))

		foreign, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer foreign.Close()
		taken := foreign.LocalAddr().(*net.UDPAddr).Port
		for _, w := range workers {
			var result listened
			w.do("bind", object{"name": "taken", "type": "udp4", "options": object{"port": taken, "address": "127.0.0.1"}}, &result)
			want := nodeError{Name: "Error", Code: "EADDRINUSE", Errno: -98, Syscall: "bind", Address: "127.0.0.1", Port: taken,
				Message: fmt.Sprintf("bind EADDRINUSE 127.0.0.1:%d", taken)}
			if result.Emitted == nil || *result.Emitted != want {
				t.Errorf("worker %d: %+v, want %+v", w.Slot, result.Emitted, want)
			}
		}
		k.stop()
	})
}

// An exclusive server is one worker's own: another gets EADDRINUSE, and with
// port 0 each has a port of its own.
func TestLeavesExclusiveServersAlone(t *testing.T) {
	harness.UnderEach(t, primaries("rr", "shared"), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		workers, port := k.all(2), harness.ReservePort(t)
		options := object{"port": port, "host": "127.0.0.1", "exclusive": true}
		workers[0].listens(object{"name": "one", "args": []any{options}})
		if err := workers[1].fails(object{"name": "one", "args": []any{options}}); err.Code != "EADDRINUSE" || err.Syscall != "listen" {
			t.Errorf("the second worker's error: %+v, want EADDRINUSE of listen", err)
		}
		for range 3 {
			if slot, err := plain("tcp", fmt.Sprintf("127.0.0.1:%d", port))(0); slot != 0 || err != nil {
				t.Errorf("worker %d answered (%v), want the first", slot, err)
			}
		}
		options["port"] = 0
		first := workers[0].listens(object{"name": "two", "args": []any{options}})
		if second := workers[1].listens(object{"name": "two", "args": []any{options}}); first.Port == second.Port {
			t.Errorf("both workers have port %d", first.Port)
		}
		k.stop()
	})
}

// With reusePort (Node 22.12) each worker has a socket of its own. Older lines
// do not know the option: their servers are shared.
func TestLeavesReusePortAlone(t *testing.T) {
	harness.UnderEach(t, primaries("rr", "shared"), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		workers, port := k.all(2), harness.ReservePort(t)
		for _, w := range workers {
			w.listens(listenTo(object{"port": port, "host": "127.0.0.1", "reusePort": true}))
		}
		eachAnswers(t, workers, plain("tcp", fmt.Sprintf("127.0.0.1:%d", port)))
		k.stop()
	})
}

// An abstract socket has a name and no file. Node's own primary does not know
// them before 22; nodeinit does, whatever the workers are.
func TestListensOnAnAbstractSocket(t *testing.T) {
	list := slices.DeleteFunc(primaries(allBalances...), func(p harness.Primary) bool {
		return p.IsNode && (p.Node == "18.20.8" || p.Node == "20.20.2")
	})
	harness.UnderEach(t, list, func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		workers := k.all(2)
		name := harness.UniqueName(t)
		for _, w := range workers {
			w.listens(listenTo("\x00" + name))
		}
		expectServed(t, p, workers, "unix", "@"+name)
		k.stop()
	})
}

// A socket that was passed in (socket activation) is served by all workers.
func TestListensOnADescriptor(t *testing.T) {
	harness.UnderEach(t, primaries(allBalances...), func(t *testing.T, p harness.Primary) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		file, err := listener.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		a := twoPuppets()
		a.prefix = []string{"/bin/sh", "-c", `exec 3<&0 </dev/null && exec "$@"`, "sh"}
		a.change = func(c *testproc.Command) { c.Stdin = file }
		k := startCluster(t, p, a)
		workers := k.all(2)
		for _, w := range workers {
			w.listens(listenTo(object{"fd": 3}))
		}
		expectServed(t, p, workers, "tcp", listener.Addr().String())
		k.stop()
	})
}

// A server that has as many connections as it wants leaves the others to its
// peers; if all have, the connection is closed.
func TestRespectsMaxConnections(t *testing.T) {
	harness.UnderEach(t, primaries("rr"), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		workers, port := k.all(2), harness.ReservePort(t)
		limits := []int{1, 3}
		for _, w := range workers {
			w.listens(object{"args": []any{port}, "settings": object{"maxConnections": limits[w.Slot]}})
		}
		got := make([]int, 2)
		for range 4 {
			conn, slot, err := greeted("tcp", fmt.Sprintf("127.0.0.1:%d", port), 0)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			got[slot]++
		}
		if got[0] != 1 || got[1] != 3 {
			t.Errorf("the workers have %v connections, want %v", got, limits)
		}
	})
}

// Connections that stay are spread evenly.
func TestSpreadsLongLivedConnections(t *testing.T) {
	harness.UnderEach(t, primaries("rr"), func(t *testing.T, p harness.Primary) {
		a := twoPuppets()
		a.workers = 8
		k := startCluster(t, p, a)
		workers, port := k.all(8), harness.ReservePort(t)
		for _, w := range workers {
			w.listens(listenTo(port))
		}
		got := make(map[int]int)
		for range 64 {
			conn, slot, err := greeted("tcp", fmt.Sprintf("127.0.0.1:%d", port), 0)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			got[slot]++
		}
		want := map[int]int{0: 8, 1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 7: 8}
		if !maps.Equal(got, want) {
			t.Errorf("connections by worker: %v", got)
		}
	})
}

// With ip-hash, a client's address decides.
func TestKeepsClientsWithTheirWorker(t *testing.T) {
	harness.UnderEach(t, primaries("ip-hash"), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		workers, port := k.all(2), harness.ReservePort(t)
		for _, w := range workers {
			w.listens(listenTo(port))
		}
		ask := plain("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		home := make(map[int]int)
		for range 3 {
			for number := range asks {
				slot, err := ask(number)
				if err != nil {
					t.Fatal(err)
				}
				if before, known := home[number]; known && slot != before {
					t.Errorf("client %d went to worker %d, then to %d", number, before, slot)
				}
				home[number] = slot
			}
		}
		clients := make(map[int]int)
		for _, slot := range home {
			clients[slot]++
		}
		if clients[0] < asks/8 || clients[1] < asks/8 {
			t.Errorf("clients by worker: %v", clients)
		}
	})
}
