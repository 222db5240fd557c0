package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func at(path string) object { return object{"address": path, "port": -1, "addressType": -1} }

// umask returns that of this process, which all its fake workers have.
func umask(t *testing.T) os.FileMode {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	mask := field(status, "Umask", 8)
	if err != nil || mask < 0 {
		t.Fatalf("umask %d, %v", mask, err)
	}
	return os.FileMode(mask)
}

// The file of a socket has what the umask of its worker leaves, and what was asked for.
func TestSocketFileHasTheModeThatWasAskedFor(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	m := newFakeWorker(t, p, 0)
	for i, c := range []struct {
		readable, writable any
		more               os.FileMode
	}{
		{false, false, 0}, {true, false, 0o444}, {false, true, 0o222}, {true, true, 0o666}, {"true", 1, 0},
	} {
		path := filepath.Join(shortDir(t), fmt.Sprint(i))
		m.gets(object{"address": path, "port": -1, "readableAll": c.readable, "writableAll": c.writable})
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if want := 0o777&^umask(t) | c.more; info.Mode() != os.ModeSocket|want {
			t.Errorf("readable %v, writable %v: %v, want %v", c.readable, c.writable, info.Mode(), want)
		}
	}
}

// What is in the way of a socket file is left there, whatever it is, and the error is Node's.
func TestWhatIsInTheWayOfASocketFileStays(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	m := newFakeWorker(t, p, 0)
	dir := shortDir(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path("stale")})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	living, err := net.Listen("unix", path("living"))
	if err != nil {
		t.Fatal(err)
	}
	defer living.Close()
	err = errors.Join(os.WriteFile(path("file"), []byte("x"), 0o600), os.Mkdir(path("dir"), 0o700),
		os.Symlink("nowhere", path("dangling")), os.Symlink("file", path("link")), os.Symlink("stale", path("stale link")))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"stale", "living", "file", "dir", "dangling", "link", "stale link"} {
		before, err := os.Lstat(path(name))
		if err != nil {
			t.Fatal(err)
		}
		if a := m.asks(at(path(name))); a.err() != unix.EADDRINUSE {
			t.Errorf("%s: %+v, want EADDRINUSE", name, a)
		}
		after, err := os.Lstat(path(name))
		if err != nil || !os.SameFile(before, after) || before.Mode() != after.Mode() {
			t.Errorf("%s is another: %v, %v", name, after, err)
		}
	}
	for name, want := range map[string]unix.Errno{
		"none/s": unix.EACCES, // as libuv has it
		"file/s": unix.ENOTDIR,
	} {
		if a := m.asks(at(filepath.Join(dir, name))); a.err() != want {
			t.Errorf("%s: %+v, want %v", name, a, want)
		}
	}
}

// A path has room for 107 bytes, and for as many as 107 from the working directory.
func TestSocketPathIsTheShortestThereIs(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	m := newFakeWorker(t, run(t, RR), 0)
	for length, want := range map[int]unix.Errno{107: 0, 108: unix.EINVAL, 200: unix.EINVAL} {
		path := filepath.Join(dir, strings.Repeat("x", length-len(dir)-1))
		if a := m.asks(at(path)); a.err() != want {
			t.Errorf("%d bytes: %+v, want %v", length, a, want)
		}
		if _, err := os.Lstat(path); (err == nil) != (want == 0) {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		wd + "/a/b":        "a/b",
		wd + "/@x":         "./@x",
		wd + "/@dir/x":     "./@dir/x",
		wd + "x":           "../" + filepath.Base(wd) + "x",
		"relative":         "relative",
		"../relative":      "../relative",
		"/s":               "/s",
		"\x00abstract":     "@abstract",
		"\x00" + wd + "/a": "@" + wd + "/a",
		wd:                 ".",
	} {
		if got := (query{address: address}).path(); got != want {
			t.Errorf("%q is bound as %q, want %q", address, got, want)
		}
	}
}

// An abstract name belongs to the one that has it, and is free when that is gone.
func TestAbstractNameIsFreeWhenItsServerIsGone(t *testing.T) {
	t.Parallel()
	p, other := run(t, RR), run(t, RR)
	name := fmt.Sprintf("\x00nodeinit-test-abstract-%d", os.Getpid())
	a, b := newFakeWorker(t, p, 0), newFakeWorker(t, other, 0)
	key := a.gets(at(name)).Key
	if again := b.asks(at(name)); again.err() != unix.EADDRINUSE {
		t.Errorf("of another primary: %+v, want EADDRINUSE", again)
	}
	a.send(`{"cmd":"NODE_CLUSTER","act":"close","key":%q,"seq":2}`, key)
	a.state()
	again := b.asks(at(name))
	for again.err() == unix.EADDRINUSE { // a process that another test starts has it until it execs
		again = b.asks(at(name))
	}
	if again.err() != 0 {
		t.Errorf("when it is free: %v", again.err())
	}
	c := dialPath(t, "@"+name[1:])
	b.serve("b")
	if got := read(t, c); got != "b" {
		t.Errorf("got %q", got)
	}
}

// The file of a server that closes is removed where it is by then, and nothing else that has
// come to have its name.
func TestSocketFileIsRemovedWhereItIs(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		change func(dir, path string) error
		left   string // what is still there, by its path in dir
		gone   string
	}{
		"as it was":               {func(string, string) error { return nil }, "", "d/s"},
		"directory renamed":       {func(dir, _ string) error { return os.Rename(dir+"/d", dir+"/e") }, "", "e/s"},
		"directory gone":          {func(dir, _ string) error { return os.RemoveAll(dir + "/d") }, "", "d"},
		"renamed":                 {func(dir, path string) error { return os.Rename(path, dir+"/d/t") }, "d/t", "d/s"},
		"replaced by a file":      {func(_, path string) error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)) }, "d/s", ""},
		"replaced by a link":      {func(_, path string) error { return errors.Join(os.Remove(path), os.Symlink("victim", path)) }, "d/s", ""},
		"replaced by a directory": {func(_, path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, "d/s", ""},
		"directory become a link": {func(dir, _ string) error {
			return errors.Join(os.Rename(dir+"/d", dir+"/e"), os.Symlink("v", dir+"/d"))
		}, "v/s", "e/s"},
		"directory become another": {func(dir, _ string) error {
			return errors.Join(os.Rename(dir+"/d", dir+"/e"), os.Rename(dir+"/v", dir+"/d"))
		}, "d/s", "e/s"},
		"linked under another name": {func(dir, path string) error { return os.Link(path, dir+"/l") }, "l", "d/s"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := shortDir(t)
			err := errors.Join(os.Mkdir(dir+"/d", 0o700), os.Mkdir(dir+"/v", 0o700), os.WriteFile(dir+"/v/s", nil, 0o600))
			if err != nil {
				t.Fatal(err)
			}
			p := run(t, RR)
			m := newFakeWorker(t, p, 0)
			m.gets(at(dir + "/d/s"))
			if err := c.change(dir, dir+"/d/s"); err != nil {
				t.Fatal(err)
			}
			m.w.Release(false)
			done(p)
			if _, err := os.Lstat(filepath.Join(dir, c.left)); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(filepath.Join(dir, c.gone)); c.gone != "" && !os.IsNotExist(err) {
				t.Errorf("%s is left: %v", c.gone, err)
			}
		})
	}
}

// Of the sockets that a path has had, so many are served and no more: an application that
// renames one for each start would else fill nodeinit.
func TestOldestOfManyFormerSocketsIsClosed(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	dir := shortDir(t)
	path := filepath.Join(dir, "s")
	workers := make([]*fakeWorker, maxFormer+3)
	for slot := range workers {
		workers[slot] = newFakeWorker(t, p, slot)
		workers[slot].gets(at(path))
		if err := os.Rename(path, fmt.Sprintf("%s/%d", dir, slot)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range workers {
		closed := i < len(workers)-1-maxFormer
		c, err := net.Dial("unix", fmt.Sprintf("%s/%d", dir, i))
		for closed && err == nil { // a process that another test starts has it until it execs
			c.Close()
			c, err = net.Dial("unix", fmt.Sprintf("%s/%d", dir, i))
		}
		if (err != nil) != closed {
			t.Errorf("socket %d of %d: %v", i, len(workers), err)
		}
		if err == nil {
			c.Close()
		}
	}
}
