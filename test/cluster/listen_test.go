package cluster

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// What listen of servers.js answers.
type listened struct {
	Address         *address
	Emitted, Thrown *nodeError
}

// An address is what server.address() returns.
type address struct {
	Path    string
	Address string
	Family  string
	Port    int
}

// listens has a worker listen, and returns its address.
func (w *worker) listens(argument map[string]any) address {
	w.t.Helper()
	return w.opens("listen", argument)
}

func (w *worker) opens(command string, argument map[string]any) address {
	w.t.Helper()
	var got listened
	w.do(command, argument, &got)
	if got.Address == nil {
		w.t.Fatalf("worker %d: %s %v: emitted %v, thrown %v", w.Slot, command, argument, got.Emitted, got.Thrown)
	}
	return *got.Address
}

// fails has a worker listen and returns the error that its server emits.
func (w *worker) fails(argument map[string]any) nodeError {
	w.t.Helper()
	var got listened
	w.do("listen", argument, &got)
	if got.Emitted == nil {
		w.t.Fatalf("worker %d: listen %v: address %v, thrown %v, want an error event", w.Slot, argument, got.Address, got.Thrown)
	}
	return *got.Emitted
}

type object = map[string]any

// listenTo is the argument of a listen with args for server.listen.
func listenTo(args ...any) object { return object{"args": args} }

var allBalances = []string{"rr", "shared", "reuseport", "ip-hash"}

// expectServed checks that all workers serve at address.
func expectServed(t *testing.T, p harness.Primary, workers []*worker, network, address string) {
	t.Helper()
	ask := plain(network, address)
	v4 := strings.HasPrefix(address, "127.")
	switch {
	case p.Balance == "ip-hash" && network != "unix" && !v4:
		// There is but one address to come from.
		if _, err := ask(0); err != nil {
			t.Fatal(err)
		}
		return
	case p.Balance == "rr" && !strings.HasPrefix(network, "udp"):
		takesTurns(t, workers, ask)
	}
	eachAnswers(t, workers, ask)
}

// Where an application listens, its clients find it, its workers take part,
// and server.address() says what it says under Node.
func TestListens(t *testing.T) {
	t.Parallel()
	kinds := map[string]struct {
		options object // a port is added
		want    address
		at      []string // where it answers
		not     []string // where it does not
	}{
		"v4":        {object{"host": "127.0.0.1"}, address{Address: "127.0.0.1", Family: "IPv4"}, []string{"127.0.0.1"}, []string{"::1", "127.0.0.2"}},
		"v6":        {object{"host": "::1"}, address{Address: "::1", Family: "IPv6"}, []string{"::1"}, []string{"127.0.0.1"}},
		"any":       {object{}, address{Address: "::", Family: "IPv6"}, []string{"127.0.0.1", "::1"}, nil},
		"any v4":    {object{"host": "0.0.0.0"}, address{Address: "0.0.0.0", Family: "IPv4"}, []string{"127.0.0.1"}, []string{"::1"}},
		"any v6":    {object{"host": "::"}, address{Address: "::", Family: "IPv6"}, []string{"::1", "127.0.0.1"}, nil},
		"v6 only":   {object{"host": "::", "ipv6Only": true}, address{Address: "::", Family: "IPv6"}, []string{"::1"}, []string{"127.0.0.1"}},
		"localhost": {object{"host": "localhost"}, address{}, []string{"localhost"}, nil},
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			harness.UnderEach(t, primaries(allBalances...), func(t *testing.T, p harness.Primary) {
				k := startCluster(t, p, twoPuppets())
				workers, port := k.all(2), harness.ReservePort(t)
				options := object{"port": port}
				maps.Copy(options, kind.options)
				want := kind.want
				want.Port = port
				for _, w := range workers {
					got := w.listens(listenTo(options))
					if name == "localhost" { // either version
						want.Address, want.Family = got.Address, got.Family
					}
					if got != want {
						t.Errorf("worker %d listens on %v, want %v", w.Slot, got, want)
					}
				}
				for _, host := range kind.at {
					expectServed(t, p, workers, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
				}
				for _, host := range kind.not {
					refuses(t, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
				}
				k.stop()
			})
		})
	}
}

// With port 0, the workers share the port that is chosen; each server of a
// worker has its own.
func TestListensOnAnyPort(t *testing.T) {
	harness.UnderEach(t, primaries(allBalances...), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		workers := k.all(2)
		ports := make(map[string]int)
		for _, w := range workers {
			for _, name := range []string{"one", "two"} {
				port := w.listens(object{"name": name, "args": []any{0, "127.0.0.1"}}).Port
				if ports[name] == 0 {
					ports[name] = port
				}
				if port == 0 || port != ports[name] {
					t.Errorf("server %q of worker %d has port %d, want %d", name, w.Slot, port, ports[name])
				}
			}
		}
		if ports["one"] == ports["two"] {
			t.Errorf("both servers have port %d", ports["one"])
		}
		for _, port := range ports {
			expectServed(t, p, workers, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		}
		k.stop()
	})
}

// The file of a Unix socket has the rights asked for and no others, and is gone
// after the stop.
func TestListensOnAPath(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options object
		others  os.FileMode // what group and others may do, though the mask is 077
	}{
		"plain":    {object{}, 0},
		"readable": {object{"readableAll": true}, 0o044},
		"all":      {object{"readableAll": true, "writableAll": true}, 0o066},
	} {
		t.Run(name, func(t *testing.T) {
			harness.UnderEach(t, primaries(allBalances...), func(t *testing.T, p harness.Primary) {
				a := twoPuppets()
				a.prefix = []string{"/bin/sh", "-c", `umask 077 && exec "$@"`, "sh"}
				k := startCluster(t, p, a)
				workers, path := k.all(2), filepath.Join(harness.ShortDir(t), "socket")
				options := object{"path": path}
				maps.Copy(options, c.options)
				for _, w := range workers {
					if got := w.listens(listenTo(options)); got != (address{Path: path}) {
						t.Errorf("worker %d listens on %v, want %q", w.Slot, got, path)
					}
				}
				others := c.others
				if p.IsNode && p.Balance == "shared" {
					others = 0 // Node forgets the rights there
				}
				if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != others {
					t.Errorf("the socket's file is %v (%v), want mode %v for others", info, err, others)
				}
				expectServed(t, p, workers, "unix", path)
				k.stop()
				if _, err := os.Stat(path); !os.IsNotExist(err) {
					t.Errorf("the socket's file is left (%v)", err)
				}
			})
		})
	}
}

// A worker that has nothing to listen on is no trouble, and one that comes
// later takes part from then on.
func TestListensLate(t *testing.T) {
	harness.UnderEach(t, primaries(allBalances...), func(t *testing.T, p harness.Primary) {
		a := twoPuppets()
		a.workers = 3
		k := startCluster(t, p, a)
		workers, port := k.all(3), harness.ReservePort(t)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		for n := range 2 { // the third never does
			workers[n].listens(listenTo(port))
			expectServed(t, p, workers[:n+1], "tcp", address)
		}
		k.stop()
	})
}

// A port that was closed in one worker is served by the others, refuses once
// all have closed it, and can be listened on again.
func TestClosesAndListensAgain(t *testing.T) {
	harness.UnderEach(t, primaries(allBalances...), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		workers, port := k.all(2), harness.ReservePort(t)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		for round := range 2 {
			for _, w := range workers {
				command := []string{"listen", "relisten"}[round]
				if got := w.opens(command, listenTo(port, "127.0.0.1")); got.Port != port {
					t.Errorf("worker %d listens on %v, want port %d", w.Slot, got, port)
				}
			}
			expectServed(t, p, workers, "tcp", address)
			files := k.openFiles()
			workers[0].do("close", nil, nil)
			if p.Balance == "reuseport" || p.Balance == "ip-hash" {
				k.untilFiles(files - 1) // what is in the queue that is closed is lost
			}
			expectServed(t, p, workers[1:], "tcp", address)
			workers[1].do("close", nil, nil)
			harness.WaitUntil(t, "the port to be closed", func() bool {
				conn, err := net.Dial("tcp", address)
				if err == nil {
					conn.Close()
				}
				return err != nil
			})
			workers[0].expect("closed")
			workers[1].expect("closed")
		}
		k.stop()
	})
}
