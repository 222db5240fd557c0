package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

const otherUser = 65534

// twoUsers are a worker that is root and one that has become another user, with
// the directories of each.
type twoUsers struct {
	*cluster
	root, other  *worker
	rootDir, own string
	rootFile     string // in rootDir
}

// startTwoUsers starts both, in a network namespace where ports below 1024 are
// root's.
func startTwoUsers(t *testing.T, p harness.Primary) twoUsers {
	t.Helper()
	a := twoPuppets()
	a.prefix = []string{"/bin/sh", "-c", `ip link set lo up && echo 1024 >/proc/sys/net/ipv4/ip_unprivileged_port_start && exec "$@"`, "sh"}
	a.change = func(c *testproc.Command) { c.Attr.Cloneflags |= unix.CLONE_NEWNET }
	k := startCluster(t, p, a)
	workers, dir := k.all(2), harness.ShortDir(t)
	u := twoUsers{
		cluster: k, root: workers[0], other: workers[1],
		rootDir: filepath.Join(dir, "victim"), own: filepath.Join(dir, "own"),
	}
	for _, d := range []string{u.rootDir, u.own} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	u.rootFile = filepath.Join(u.rootDir, "precious")
	if err := errors.Join(
		os.Chmod(dir, 0o755),
		os.Chown(u.own, otherUser, otherUser),
		os.WriteFile(u.rootFile, nil, 0o644),
	); err != nil {
		t.Fatal(err)
	}
	u.root.listens(object{"name": "low", "args": []any{80, "127.0.0.1"}})
	u.root.listens(object{"name": "root's", "args": []any{filepath.Join(u.rootDir, "socket")}})
	u.other.do("becomeUser", otherUser, nil)
	return u
}

// query has the other user's worker ask nodeinit for a server.
func (u twoUsers) query(address string, port, kind int) (errno int, key string) {
	u.t.Helper()
	var got struct {
		Errno int
		Key   string
	}
	u.other.do("tellPrimary", object{"act": "queryServer", "index": 0, "address": address, "port": port,
		"addressType": kind, "fd": -1, "flags": 0}, &got)
	return got.Errno, got.Key
}

// A worker that has given up root gets nothing of a root nodeinit that it could
// not do itself: no low port, no file where it may not write, and none removed.
func TestGivesOtherUsersNoMoreThanTheirs(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root")
	}
	harness.UnderEach(t, onNewest(nodeinits("rr", "shared")), func(t *testing.T, p harness.Primary) {
		u := startTwoUsers(t, p)
		u.checkRefused(t)
		if errno, key := u.query("127.0.0.1", 8080, 4); errno != 0 || key == "" {
			t.Errorf("a port: errno %d", errno)
		}
		u.checkOwnSocket(t)
		u.stop()
	})
}

// checkRefused checks that the other user is refused what is root's.
func (u twoUsers) checkRefused(t *testing.T) {
	t.Helper()
	for what, c := range map[string]struct {
		address    string
		port, kind int
	}{
		"a low port":           {"127.0.0.1", 81, 4},
		"root's low port":      {"127.0.0.1", 80, 4},
		"a low port, UDP":      {"0.0.0.0", 82, 4},
		"a file in root's":     {filepath.Join(u.rootDir, "new"), -1, -1},
		"root's socket":        {filepath.Join(u.rootDir, "socket"), -1, -1},
		"a file that is there": {u.rootFile, -1, -1},
	} {
		errno, _ := u.query(c.address, c.port, c.kind)
		if errno != -int(unix.EACCES) && !(c.address == u.rootFile && errno == -int(unix.EADDRINUSE)) {
			t.Errorf("%s: errno %d, want EACCES", what, errno)
		}
	}
}

// checkOwnSocket checks that the other user's socket is theirs, and that closing it
// removes nothing else, whatever its path has come to lead to.
func (u twoUsers) checkOwnSocket(t *testing.T) {
	t.Helper()
	spot := filepath.Join(u.own, "d")
	if err := errors.Join(os.Mkdir(spot, 0o777), os.Chmod(spot, 0o777)); err != nil {
		t.Fatal(err)
	}
	errno, key := u.query(filepath.Join(spot, "precious"), -1, -1)
	info, err := os.Stat(filepath.Join(spot, "precious"))
	if errno != 0 || err != nil || info.Sys().(*syscall.Stat_t).Uid != otherUser {
		t.Fatalf("its own socket: errno %d, %v, %v", errno, info, err)
	}
	if err := errors.Join(os.Rename(spot, spot+"2"), os.Symlink(u.rootDir, spot)); err != nil {
		t.Fatal(err)
	}
	u.other.do("tellPrimary", object{"act": "close", "key": key}, nil)
	if errno, _ := u.query("127.0.0.1", 8081, 4); errno != 0 { // after it
		t.Errorf("another port: errno %d", errno)
	}
	if _, err := os.Stat(u.rootFile); err != nil {
		t.Errorf("root's file: %v", err)
	}
	if _, err := os.Stat(filepath.Join(spot+"2", "precious")); !os.IsNotExist(err) {
		t.Errorf("its own socket's file is left (%v)", err)
	}
}
