package cluster

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

const otherUser = 65534

// A worker that has given up root gets nothing of a root nodeinit that it could
// not do itself: no low port, no file where it may not write, and none removed.
func TestGivesOtherUsersNoMoreThanTheirs(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root")
	}
	harness.UnderEach(t, onNewest(nodeinits("rr", "shared")), func(t *testing.T, p harness.Primary) {
		a := twoPuppets()
		a.prefix = []string{"/bin/sh", "-c", `ip link set lo up && echo 1024 >/proc/sys/net/ipv4/ip_unprivileged_port_start && exec "$@"`, "sh"}
		a.change = func(c *testproc.Command) { c.Attr.Cloneflags |= unix.CLONE_NEWNET }
		k := startCluster(t, p, a)
		workers, dir := k.all(2), harness.ShortDir(t)
		victim, own := filepath.Join(dir, "victim"), filepath.Join(dir, "own")
		for _, d := range []string{victim, own} {
			if err := os.Mkdir(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(own, otherUser, otherUser); err != nil {
			t.Fatal(err)
		}
		precious := filepath.Join(victim, "precious")
		if err := os.WriteFile(precious, nil, 0o644); err != nil {
			t.Fatal(err)
		}

		root, other := workers[0], workers[1]
		root.listens(object{"name": "low", "args": []any{80, "127.0.0.1"}})
		root.listens(object{"name": "root's", "args": []any{filepath.Join(victim, "socket")}})
		other.do("becomeUser", otherUser, nil)
		query := func(address string, port, kind int) (errno int, key string) {
			t.Helper()
			var got struct {
				Errno int
				Key   string
			}
			other.do("tellPrimary", object{"act": "queryServer", "index": 0, "address": address, "port": port,
				"addressType": kind, "fd": -1, "flags": 0}, &got)
			return got.Errno, got.Key
		}
		for what, c := range map[string]struct {
			address    string
			port, kind int
		}{
			"a low port":           {"127.0.0.1", 81, 4},
			"root's low port":      {"127.0.0.1", 80, 4},
			"a low port, UDP":      {"0.0.0.0", 82, 4},
			"a file in victim":     {filepath.Join(victim, "new"), -1, -1},
			"root's socket":        {filepath.Join(victim, "socket"), -1, -1},
			"a file that is there": {precious, -1, -1},
		} {
			errno, _ := query(c.address, c.port, c.kind)
			if errno != -int(unix.EACCES) && !(c.address == precious && errno == -int(unix.EADDRINUSE)) {
				t.Errorf("%s: errno %d, want EACCES", what, errno)
			}
		}
		if errno, key := query("127.0.0.1", 8080, 4); errno != 0 || key == "" {
			t.Errorf("a port: errno %d", errno)
		}

		// Its own socket is its own, and what its path has come to lead to stays.
		spot := filepath.Join(own, "d")
		if err := os.Mkdir(spot, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(spot, 0o777); err != nil {
			t.Fatal(err)
		}
		errno, key := query(filepath.Join(spot, "precious"), -1, -1)
		info, err := os.Stat(filepath.Join(spot, "precious"))
		if errno != 0 || err != nil || info.Sys().(*syscall.Stat_t).Uid != otherUser {
			t.Fatalf("its own socket: errno %d, %v, %v", errno, info, err)
		}
		if err := os.Rename(spot, spot+"2"); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(victim, spot); err != nil {
			t.Fatal(err)
		}
		other.do("tellPrimary", object{"act": "close", "key": key}, nil)
		if errno, _ := query("127.0.0.1", 8081, 4); errno != 0 { // after it
			t.Errorf("another port: errno %d", errno)
		}
		if _, err := os.Stat(precious); err != nil {
			t.Errorf("root's file: %v", err)
		}
		if _, err := os.Stat(filepath.Join(spot+"2", "precious")); !os.IsNotExist(err) {
			t.Errorf("its own socket's file is left (%v)", err)
		}
		k.stop()
	})
}
