package cluster

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func (m *fakeWorker) queryPath(path string) (key string, errno any) {
	m.t.Helper()
	m.send(`{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":%q,"port":-1,"addressType":-1,"flags":0,"seq":1}`, path)
	r := m.receive()
	key, _ = r["key"].(string)
	return key, r["errno"]
}

func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "socket")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func dialPath(t testing.TB, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Each worker removes the file before it listens. Workers with the socket before get
// connections of the new one too, and those that came to the old one are not lost.
func TestUnixSocketFollowsItsFile(t *testing.T) {
	t.Parallel()
	for _, balance := range []Balance{RR, Shared, ReusePort, IPHash} {
		t.Run(string(balance), func(t *testing.T) {
			t.Parallel()
			p := run(t, balance)
			path := filepath.Join(shortDir(t), "s")
			workers := []*fakeWorker{newFakeWorker(t, p, 0), newFakeWorker(t, p, 1), newFakeWorker(t, p, 2)}
			first, errno := workers[0].queryPath(path)
			if errno != nil {
				t.Fatal(errno)
			}
			again := func(m *fakeWorker) {
				t.Helper()
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				if key, errno := m.queryPath(path); key != first || errno != nil {
					t.Fatalf("a worker got %v, %v, want %v", key, errno, first)
				}
			}
			again(workers[1])
			for _, m := range workers[:2] {
				c := dialPath(t, path)
				m.serve("in turn")
				if got := read(t, c); got != "in turn" {
					t.Errorf("got %q", got)
				}
			}
			var early []net.Conn
			for range 2*maxPending + 5 { // more than they get without acks
				early = append(early, dialPath(t, path))
			}
			again(workers[2])
			for _, m := range workers[:2] { // so that the third gets theirs
				m.conn.Close()
			}
			for range early {
				workers[2].serve("early")
			}
			for _, c := range early {
				if got := read(t, c); got != "early" {
					t.Errorf("got %q", got)
				}
			}
			for _, m := range workers {
				m.w.Release(false)
			}
			newFakeWorker(t, p, 3).query(0) // after they were released
			if _, err := os.Lstat(path); !os.IsNotExist(err) {
				t.Errorf("the file is left: %v", err)
			}
		})
	}
}

// A socket whose file was renamed is served.
func TestRenamedUnixSocketIsServed(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	dir := shortDir(t)
	path, final := filepath.Join(dir, "new"), filepath.Join(dir, "final")
	a, b := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	a.queryPath(path)
	if err := os.Rename(path, final); err != nil {
		t.Fatal(err)
	}
	b.queryPath(path)
	for range 2 {
		c := dialPath(t, final)
		a.serve("x")
		if got := read(t, c); got != "x" {
			t.Errorf("got %q", got)
		}
		d := dialPath(t, path)
		b.serve("y")
		if got := read(t, d); got != "y" {
			t.Errorf("got %q", got)
		}
	}
}

// A file of another process with the same path is not removed.
func TestUnixSocketLeavesForeignFilesAlone(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	path := filepath.Join(shortDir(t), "s")
	a, b := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	a.queryPath(path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	foreign, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	if _, errno := b.queryPath(path); errno != float64(-int(unix.EADDRINUSE)) {
		t.Errorf("a path that is another's: %v, want EADDRINUSE", errno)
	}
	a.w.Release(false)
	b.query(0) // after it was released
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the other's file is gone: %v", err)
	}
}

// A worker that removes its own file and listens again has two servers. So has one whose
// path leads through another directory now.
func TestUnixSocketOfTheSameWorkerAgain(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	dir := filepath.Join(shortDir(t), "d")
	path := filepath.Join(dir, "s")
	a, b := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	first, _ := a.queryPath(path)
	if err := os.Rename(dir, dir+"2"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	second, errno := a.queryPath(path)
	if second == first || errno != nil {
		t.Fatalf("got %v, %v and before %v", second, errno, first)
	}
	if third, errno := b.queryPath(path); third != second || errno != nil {
		t.Errorf("the other worker got %v, %v, want %v", third, errno, second)
	}
	if _, errno := a.queryPath(path); errno != float64(-int(unix.EADDRINUSE)) {
		t.Errorf("a path in use: %v, want EADDRINUSE", errno)
	}
}

// A name that begins with @ is that of a file, one that begins with NUL is abstract.
func TestUnixSocketNames(t *testing.T) {
	t.Parallel()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	p := run(t, RR)
	m := newFakeWorker(t, p, 0)
	path := filepath.Join(wd, fmt.Sprintf("@test-%d.sock", os.Getpid()))
	if _, errno := m.queryPath(path); errno != nil {
		t.Fatal(errno)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSocket {
		os.Remove(path)
		t.Errorf("%v (%v), want a socket", info, err)
	}
	name := fmt.Sprintf("nodeinit-test-%d", os.Getpid())
	m.send(`{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":"\u0000%s","port":-1,"addressType":-1,"flags":0,"seq":1}`, name)
	m.receive()
	c := dialPath(t, "@"+name)
	m.serve("x")
	if got := read(t, c); got != "x" {
		t.Errorf("got %q", got)
	}
}

// A socket with SO_LINGER, passed to the primary or unread in the channel, delays no other
// worker. The gate keeps the primary from closing it before the worker's copy is closed.
func TestPassedSocketThatLingers(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"passed", "left in the channel"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			p := run(t, RR)
			bad, good := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
			gate := make(chan struct{})
			p.inbox.post(func() {
				<-gate
				if way != "passed" {
					bad.w.channel.close(nil)
				}
			})
			fd := lingering(t)
			_, _, err := bad.conn.WriteMsgUnix([]byte("\n"), unix.UnixRights(fd), nil)
			_ = unix.Close(fd)
			close(gate)
			if err != nil {
				t.Fatal(err)
			}
			if key, _, errno := good.query(0); key == "" || errno != nil {
				t.Errorf("the other worker was answered %v, %v", key, errno)
			}
		})
	}
}

// lingering returns a socket whose close takes ten minutes: its peer does not read.
func lingering(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	file, err := c.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, closer := range []io.Closer{c, file, l} {
		closer.Close()
	}
	t.Cleanup(func() { peer.Close() })
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = unix.Write(fd, make([]byte, 1<<16))
	}
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 600}); err != nil {
		t.Fatal(err)
	}
	return fd
}
