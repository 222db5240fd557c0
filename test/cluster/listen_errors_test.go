package cluster

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// listenErrors make the arguments of a listen that fails, and return them with
// its error.
var listenErrors = map[string]func(t *testing.T) ([]any, nodeError){
	"foreign listener": func(t *testing.T) ([]any, nodeError) {
		port := foreignPort(t)
		return []any{port, "127.0.0.1"}, nodeError{Code: "EADDRINUSE", Errno: -98, Address: "127.0.0.1", Port: port,
			Message: fmt.Sprintf("bind EADDRINUSE 127.0.0.1:%d", port)}
	},
	"no such address": func(t *testing.T) ([]any, nodeError) {
		port := harness.ReservePort(t)
		return []any{port, "192.0.2.1"}, nodeError{Code: "EADDRNOTAVAIL", Errno: -99, Address: "192.0.2.1", Port: port,
			Message: fmt.Sprintf("bind EADDRNOTAVAIL 192.0.2.1:%d", port)}
	},
	"left-over socket file": func(t *testing.T) ([]any, nodeError) {
		path := filepath.Join(harness.ShortDir(t), "socket")
		listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		listener.SetUnlinkOnClose(false)
		listener.Close()
		return []any{path}, nodeError{Code: "EADDRINUSE", Errno: -98, Address: path, Port: -1,
			Message: "bind EADDRINUSE " + path}
	},
	"no such directory": func(t *testing.T) ([]any, nodeError) {
		path := filepath.Join(harness.ShortDir(t), "none", "socket")
		return []any{path}, nodeError{Code: "EACCES", Errno: -13, Address: path, Port: -1, Message: "bind EACCES " + path}
	},
	"no such descriptor": func(t *testing.T) ([]any, nodeError) {
		return []any{object{"fd": 999}}, nodeError{Code: "EINVAL", Errno: -22, Message: "bind EINVAL"}
	},
	"descriptor that is no socket": func(t *testing.T) ([]any, nodeError) {
		return []any{object{"fd": 3}}, nodeError{Code: "ENOTSOCK", Errno: -88, Message: "bind ENOTSOCK"}
	},
}

// An error of listen reaches the application as Node reports it, to each
// worker, and the worker goes on: it can listen elsewhere.
func TestReportsListenErrors(t *testing.T) {
	t.Parallel()
	for name, arrange := range listenErrors {
		t.Run(name, func(t *testing.T) {
			harness.UnderEach(t, primaries("rr", "shared", "reuseport"), func(t *testing.T, p harness.Primary) {
				k := startCluster(t, p, twoPuppets())
				workers := k.all(2)
				args, want := arrange(t)
				want.Name, want.Syscall = "Error", "bind"
				if p.IsNode && p.Balance == "shared" && want.Code == "ENOTSOCK" { // its workers find out
					want.Syscall, want.Message = "listen", "listen ENOTSOCK: socket operation on non-socket"
				}
				for _, w := range workers {
					got := w.fails(object{"name": "bad", "args": args})
					if p.IsNode && w.Slot == 1 && want.Code == "ENOTSOCK" {
						continue // Node has closed the descriptor after the first worker's try
					}
					if got != want {
						t.Errorf("worker %d: %+v, want %+v", w.Slot, got, want)
					}
				}
				servesElsewhere(t, p, workers)
				k.stop()
			})
		})
	}
}

// foreignPort returns a port on which the test listens.
func foreignPort(t *testing.T) int {
	t.Helper()
	port := harness.ReservePort(t)
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return port
}

func servesElsewhere(t *testing.T, p harness.Primary, workers []*worker) {
	t.Helper()
	port := harness.ReservePort(t)
	for _, w := range workers {
		w.listens(listenTo(port))
	}
	expectServed(t, p, workers, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
}

// A port that needs a right which nodeinit has not: its namespace of users has
// none over the machine's network.
func TestReportsAPrivilegedPort(t *testing.T) {
	if first, err := strconv.Atoi(harness.ReadFile(t, "/proc/sys/net/ipv4/ip_unprivileged_port_start")[:4]); err != nil || first < 1024 {
		t.Fatalf("no port is privileged here (%d, %v)", first, err)
	}
	harness.UnderEach(t, primaries(allBalances...), func(t *testing.T, p harness.Primary) {
		a := twoPuppets()
		a.change = func(c *testproc.Command) {
			c.Attr.Cloneflags |= unix.CLONE_NEWUSER
			c.Attr.UidMappings = sameID(os.Getuid())
			c.Attr.GidMappings = sameID(os.Getgid())
		}
		k := startCluster(t, p, a)
		workers := k.all(2)
		want := nodeError{Name: "Error", Code: "EACCES", Errno: -13, Syscall: "bind", Address: "127.0.0.1", Port: 81,
			Message: "bind EACCES 127.0.0.1:81"}
		for _, w := range workers {
			if got := w.fails(listenTo(81, "127.0.0.1")); got != want {
				t.Errorf("worker %d: %+v, want %+v", w.Slot, got, want)
			}
		}
		servesElsewhere(t, p, workers)
		k.stop()
	})
}

// A worker that listens twice on a port can catch the error, and serves on.
// With Node's own primary it dies of an assertion since keys have no index, if
// the socket is shared (nodejs/node#65020).
func TestRefusesAPortTwiceInOneWorker(t *testing.T) {
	list := slices.DeleteFunc(primaries(allBalances...), func(p harness.Primary) bool {
		return p.IsNode && p.Balance == "shared" && slices.Contains([]string{"22.23.3", "24.21.0", "26.10.0"}, p.Node)
	})
	harness.UnderEach(t, list, func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		workers, port := k.all(2), harness.ReservePort(t)
		want := nodeError{Name: "Error", Code: "EADDRINUSE", Errno: -98, Syscall: "bind", Address: "127.0.0.1", Port: port,
			Message: fmt.Sprintf("bind EADDRINUSE 127.0.0.1:%d", port)}
		for _, w := range workers {
			w.listens(object{"name": "first", "args": []any{port, "127.0.0.1"}})
			if got := w.fails(object{"name": "second", "args": []any{port, "127.0.0.1"}}); got != want {
				t.Errorf("worker %d: %+v, want %+v", w.Slot, got, want)
			}
		}
		expectServed(t, p, workers, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		k.stop()
	})
}

func sameID(host int) []syscall.SysProcIDMap {
	return []syscall.SysProcIDMap{{ContainerID: 0, HostID: host, Size: 1}}
}
