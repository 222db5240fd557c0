package cluster

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// unixSocket returns a socket that listens at path.
func unixSocket(t testing.TB, path string) socket {
	t.Helper()
	q := query{family: pipe, address: path, fd: -1, backlog: defaultBacklog}
	fd, file, err := q.listen(exclusive)
	if err != nil {
		t.Fatal(err)
	}
	return socket{fd: fd, file: file}
}

func (l *listener) mustAccept(t testing.TB) {
	t.Helper()
	fd, err := l.accept()
	if err != nil {
		t.Fatal(err)
	}
	closeFD(fd)
}

// What connected to a former socket is accepted first; then the socket is closed, if its
// file has no name.
func TestListenerAcceptsFormerFirst(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	path, moved := filepath.Join(dir, "s"), filepath.Join(dir, "moved")
	l := listener{socket: socket{fd: -1}, poller: newPoller(t)}
	l.replace(unixSocket(t, path))
	removed := l.fd
	dialPath(t, path)
	dialPath(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l.replace(unixSocket(t, path))
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	l.replace(unixSocket(t, path))
	dialPath(t, path)
	l.mustAccept(t)
	l.mustAccept(t)
	if len(l.former) != 2 || l.former[0].fd != removed {
		t.Fatalf("%d former sockets", len(l.former))
	}
	l.mustAccept(t)
	if len(l.former) != 1 {
		t.Errorf("%d former sockets, want that which was renamed", len(l.former))
	}
	dialPath(t, moved)
	l.mustAccept(t)
	if _, err := l.accept(); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("%v, want EAGAIN", err)
	}
	l.close()
	l.close()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the file is left: %v", err)
	}
	if _, err := os.Lstat(moved); err != nil {
		t.Errorf("a file that was renamed is gone: %v", err)
	}
	if l.fd >= 0 || len(l.former) > 0 {
		t.Errorf("sockets are left: %+v", l)
	}
}

func TestListenerKeepsFewFormer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(shortDir(t), "s")
	l := listener{socket: socket{fd: -1}, poller: newPoller(t)}
	for range 3 * maxFormer {
		l.replace(unixSocket(t, path))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if len(l.former) > maxFormer {
			t.Fatalf("%d former sockets", len(l.former))
		}
	}
	l.close()
}

// Another process may clear O_NONBLOCK of an inherited socket. A blocked accept then stops
// nothing else of nodeinit, such as a garbage collection.
func TestInheritedAcceptBlocks(t *testing.T) {
	t.Parallel()
	own, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	file, err := own.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	l := &listener{socket: socket{fd: int(file.Fd())}, inherited: true}
	if err := unix.SetNonblock(l.fd, false); err != nil {
		t.Fatal(err)
	}
	ready, accepted := make(chan struct{}), make(chan error)
	go func() {
		close(ready)
		fd, err := l.accept()
		closeFD(fd)
		accepted <- err
	}()
	<-ready
	runtime.GC()
	c, err := net.Dial("tcp", own.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := <-accepted; err != nil {
		t.Error(err)
	}
}
