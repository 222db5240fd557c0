package cluster

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// A server that has passed a connection to its parent counts and closes.
func TestPassesConnectionsToTheParent(t *testing.T) {
	harness.UnderEach(t, primaries("rr"), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		w := k.all(2)[0]
		answer := w.begin("passServer", nil)
		passing := w.event()
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%v", passing.Facts["port"]))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var count string
		if err := answer(&count); err != nil || count != "number" {
			t.Errorf("counted a %s (%v)", count, err)
		}
		k.stop()
	})
}

// A UDP socket that was passed in is all workers' to have, and what is none is
// refused as by Node.
func TestBindsADescriptor(t *testing.T) {
	harness.UnderEach(t, primaries("rr", "ip-hash"), func(t *testing.T, p harness.Primary) {
		socket, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		file, err := socket.(*net.UDPConn).File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		a := twoPuppets()
		a.prefix = []string{"/bin/sh", "-c", `exec 3<&0 </dev/null && exec "$@"`, "sh"}
		a.change = func(c *testproc.Command) { c.Stdin = file }
		k := startCluster(t, p, a)
		workers := k.all(2)
		at := socket.LocalAddr().(*net.UDPAddr)
		want := address{Address: "127.0.0.1", Family: "IPv4", Port: at.Port}
		for _, w := range workers {
			if got := w.binds(object{"type": "udp4", "options": object{"fd": 3}}); got != want {
				t.Errorf("worker %d is bound to %v, want %v", w.Slot, got, want)
			}
			var got listened
			w.do("bind", object{"name": "none", "type": "udp4", "options": object{"fd": 77}}, &got)
			if got.Emitted == nil || got.Emitted.Code != "EINVAL" || got.Emitted.Syscall != "open" {
				t.Errorf("worker %d: %+v, want EINVAL of open", w.Slot, got)
			}
		}
		if _, err := plain("udp", at.String())(0); err != nil {
			t.Error(err)
		}
		k.stop()
	})
}

// A socket of one version cannot have an address of the other.
func TestBindsNoAddressOfTheOtherVersion(t *testing.T) {
	harness.UnderEach(t, primaries("rr"), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		w, port := k.all(2)[0], harness.ReservePort(t)
		for kind, host := range map[string]string{"udp4": "::1", "udp6": "127.0.0.1"} {
			var got listened
			w.do("bind", object{"name": kind, "type": kind, "options": object{"port": port, "address": host}}, &got)
			if got.Emitted == nil || got.Emitted.Code != "EINVAL" || got.Emitted.Syscall != "bind" {
				t.Errorf("%s on %s: %+v, want EINVAL of bind", kind, host, got)
			}
		}
		k.stop()
	})
}

// Two UDP sockets of one worker share a port where the application allows it.
// Under Node's own primary, workers since 22.22 fail an assertion there.
func TestBindsTwoSocketsToOnePort(t *testing.T) {
	list := slices.DeleteFunc(primaries("rr", "reuseport"), func(p harness.Primary) bool {
		return p.IsNode && !slices.Contains([]string{"18.20.8", "20.20.2", "22.0.0"}, p.Node)
	})
	harness.UnderEach(t, list, func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		workers, port := k.all(2), harness.ReservePort(t)
		for _, w := range workers {
			for _, name := range []string{"one", "two"} {
				w.binds(object{"name": name, "type": "udp4", "options": object{"port": port, "address": "127.0.0.1"},
					"settings": object{"reuseAddr": true}})
			}
		}
		if _, err := plain("udp", fmt.Sprintf("127.0.0.1:%d", port))(0); err != nil {
			t.Error(err)
		}
		k.stop()
	})
}

// An answer with a socket has errno 0, one without null, as Node writes them.
func TestAnswersAsNodeDoes(t *testing.T) {
	harness.UnderEach(t, primaries("rr", "shared"), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		w, port := k.all(2)[0], harness.ReservePort(t)
		w.do("keepReplies", nil, nil)
		w.listens(listenTo(port, "127.0.0.1"))
		w.binds(object{"name": "udp", "type": "udp4", "options": object{"port": port, "address": "127.0.0.1"}})
		var got json.RawMessage
		w.do("replies", nil, &got)
		want := map[string]string{"rr": "[null,0]", "shared": "[0,0]"}[p.Balance]
		if string(got) != want {
			t.Errorf("errno: %s, want %s", got, want)
		}
		k.stop()
	})
}

// A worker may make as many servers in one turn as there are descriptors; one
// more is an error that it sees and the log explains, and all else goes on.
func TestMakesManyServers(t *testing.T) {
	t.Parallel()
	any := object{"port": 0, "host": "127.0.0.1"}
	t.Run("all", func(t *testing.T) {
		harness.UnderEach(t, onNewest(primaries("rr", "shared")), func(t *testing.T, p harness.Primary) {
			a := twoPuppets()
			a.prefix = []string{"/bin/sh", "-c", `ulimit -n 5000 && exec "$@"`, "sh"}
			k := startCluster(t, p, a)
			for _, w := range k.all(2) {
				var got map[string]int
				w.do("listenMany", object{"count": 1000, "options": any}, &got)
				if got["listening"] != 1000 {
					t.Errorf("worker %d: %v", w.Slot, got)
				}
			}
			k.stop()
		})
	})
	t.Run("too many", func(t *testing.T) {
		harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
			a := twoPuppets()
			a.prefix = []string{"/bin/sh", "-c", `ulimit -n 200 && exec "$@"`, "sh"}
			k := startCluster(t, p, a)
			workers, port := k.all(2), harness.ReservePort(t)
			listenEach(workers, port)
			var got map[string]int
			workers[0].do("listenMany", object{"count": 300, "options": any}, &got)
			if got["listening"] < 100 || got["listening"]+got["EMFILE"] != 300 {
				t.Errorf("%v, want some to listen and EMFILE for the others", got)
			}
			if line := k.untilLogged(1, "server refused"); !strings.Contains(fmt.Sprint(line.Facts["try"]), "ulimit -n") {
				t.Errorf("logged %v", line.Facts)
			}
			expectServed(t, p, workers, "tcp", harness.Local(port))
			k.stop()
		})
	})
}
