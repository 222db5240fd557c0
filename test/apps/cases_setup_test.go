package apps

import (
	"bytes"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// What a library sends a primary that Node would have is not lost without a
// word: its lines are written, or the log warns.
func TestCase04Log4js(t *testing.T) {
	onBoth(t, func(t *testing.T, workers int) {
		r := startCase(t, workers, caseCommand(t, asked(workers), "log4js", "node", "server.js"))
		r.serves()
		if _, err := harness.Get(r.url("/")); err != nil {
			t.Fatal(err)
		}
		r.ends(harness.Terminated)
		warned := false
		for _, l := range harness.OwnLines(t, r.Output()) {
			warned = warned || l.Level == "warn"
		}
		if !warned && !strings.Contains(r.Output(), "application is up") {
			t.Error("neither the line of the application nor a warning is there")
		}
	})
}

// NODE_APP_INSTANCE is the user's where he has set it, and breaks no strict
// configuration where he has not.
func TestCase06AppInstance(t *testing.T) {
	onBoth(t, func(t *testing.T, workers int) {
		for name, c := range map[string]struct{ env, db string }{
			"set":    {"NODE_APP_INSTANCE=blue", "blue-tenant"},
			"strict": {"NODE_CONFIG_STRICT_MODE=1", "production"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				command := caseCommand(t, asked(workers), "app-instance", "node", "server.js")
				r := startCase(t, workers, harness.WithEnv(command, "NODE_ENV=production", c.env))
				r.serves()
				for range workers {
					if db, err := harness.Get(r.url("/")); db != c.db || err != nil {
						t.Errorf("the database is %q (%v), want %s", db, err, c.db)
					}
				}
				r.ends(harness.Terminated)
			})
		}
	})
}

// A Node that may bind any port (setcap) still may, as an ordinary user.
func TestCase07Setcap(t *testing.T) {
	dir := openDir(t)
	node := filepath.Join(dir, "node")
	for _, from := range []string{harness.Nodeinit, harness.NodeBinary(t, harness.NewestLine), "testdata/cases/setcap/server.js"} {
		if _, err := harness.Run("install", "--mode=755", from, dir); err != nil {
			t.Fatal(err)
		}
	}
	mayBind(t, node)
	onBoth(t, func(t *testing.T, workers int) {
		c := harness.UnderInit(asked(workers), node, filepath.Join(dir, "server.js"))
		c.Argv[0] = filepath.Join(dir, "nodeinit")
		c = harness.Under(c, append(testproc.Argv("linkup"), testproc.Argv("nobody")...)...)
		c.Attr.Cloneflags = unix.CLONE_NEWNET
		r := startCase(t, workers, c)
		r.serves()
		r.ends(harness.Terminated)
	})
}

// openDir is a directory that everybody may enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir := harness.ShortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// mayBind is setcap cap_net_bind_service=+ep.
func mayBind(t *testing.T, file string) {
	t.Helper()
	var data bytes.Buffer
	// struct vfs_cap_data of linux/capability.h: revision 2 with the effective flag, then two times
	// what is permitted and inheritable.
	for _, word := range []uint32{0x02000001, 1 << unix.CAP_NET_BIND_SERVICE, 0, 0, 0} {
		_ = binary.Write(&data, binary.LittleEndian, word)
	}
	if err := unix.Setxattr(file, "security.capability", data.Bytes(), 0); err != nil {
		t.Fatal(err)
	}
}

// linkUp becomes args in a network with a loopback that works.
func linkUp(args []string) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		harness.Fail(err)
	}
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		harness.Fail(err)
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		harness.Fail(err)
	}
	harness.Become(args)
}

// An application that removes the socket of its last run removes none that is
// in use: each client is served, by the first workers and after a reload.
func TestCase08SocketUnlink(t *testing.T) {
	for name, c := range map[string]struct {
		flags   string
		workers int
	}{
		"one worker":           {"--mode per-core --workers 1", 1},
		"two workers":          {"--workers 2", 2},
		"two workers at once":  {"--mode per-core --workers 2", 2},
		"two, from one socket": {"--workers 2 --balance shared", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			socket := filepath.Join(harness.ShortDir(t), "app.sock")
			command := caseCommand(t, c.flags+" --reload-signal HUP "+harness.LongGrace, "socket-unlink", "node", "server.js")
			r := startCase(t, c.workers, harness.WithEnv(command, "SOCKET="+socket))
			r.serves()
			checkSocket(t, socket, "at the start")
			r.Signal(unix.SIGHUP)
			r.untilWrites(1, `"msg":"reload done"`)
			checkSocket(t, socket, "after a reload")
			r.ends(harness.Terminated)
		})
	}
}

func checkSocket(t *testing.T, path, when string) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	v := harness.NewClient(t, conn)
	v.Request("/", harness.CloseHeader)
	if !v.ExpectBody("served") {
		t.Errorf("%s: an answer is not the last", when)
	}
}
