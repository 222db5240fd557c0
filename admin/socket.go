package admin

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Auto and Off are values of --control besides a path.
const (
	Auto = "auto"
	Off  = "off"
)

// backlog is how many clients may wait to be accepted.
const backlog = 128

// ownNames returns the beginning of all names of control sockets in this PID namespace.
// The number of the namespace keeps containers apart that share a network namespace.
func ownNames() (prefix string, err error) {
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		return "", errors.New("/proc is not that of this PID namespace")
	}
	var info unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &info); err != nil {
		return "", os.NewSyscallError("stat /proc/self/ns/pid", err)
	}
	return "@nodeinit/" + strconv.FormatUint(info.Ino, 10) + "/", nil
}

// A listener is a socket that listens. Waiting for a client occupies no thread: it is in
// Go's poller.
type listener struct {
	file *os.File
	conn syscall.RawConn
	path string      // of a file to remove, "" if there is none
	made unix.Stat_t // that file
}

// listen listens at the abstract name of this process, or at a path.
func listen(control string) (*listener, error) {
	prefix, err := ownNames() // clients are looked up in /proc in any case
	if err != nil {
		return nil, err
	}
	if control != Auto {
		return listenAt(control)
	}
	name := prefix + strconv.Itoa(os.Getpid())
	l, err := bind(name)
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("%s has taken %s", occupant(name), name)
	}
	return l, err
}

// listenAt listens at a path. A socket that this user has left behind there, at which
// nothing listens, is replaced; anything else is not.
func listenAt(path string) (*listener, error) {
	l, err := bind(path)
	if errors.Is(err, unix.EADDRINUSE) {
		if err := removeStale(path); err != nil {
			return nil, err
		}
		l, err = bind(path)
	}
	if err != nil {
		return nil, err
	}
	if err := unix.Lstat(path, &l.made); err == nil {
		l.path = path
	}
	return l, nil
}

// bind returns a socket that listens at an address. Nobody but this user can connect to a
// file at any moment: unix_bind takes its mode from that of the socket (net/unix/af_unix.c).
func bind(address string) (*listener, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	err = os.NewSyscallError("fchmod", unix.Fchmod(fd, 0o600))
	if err == nil {
		err = os.NewSyscallError("bind "+address, unix.Bind(fd, &unix.SockaddrUnix{Name: address}))
	}
	if err == nil {
		err = os.NewSyscallError("listen", unix.Listen(fd, backlog))
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return newListener(fd, "control socket")
}

// newListener returns a listener that has fd.
func newListener(fd int, name string) (*listener, error) {
	l := &listener{file: os.NewFile(uintptr(fd), name)}
	var err error
	if l.conn, err = l.file.SyscallConn(); err != nil {
		l.file.Close()
		return nil, err
	}
	return l, nil
}

// occupant tells which process listens at a name.
func occupant(name string) string {
	fd, err := connect(name)
	if err != nil {
		return "another process"
	}
	defer unix.Close(fd)
	switch peer, err := peerOf(fd); {
	case err != nil:
		return "another process"
	case peer.Pid == 0:
		return "a process of another PID namespace"
	default:
		return fmt.Sprintf("process %d of user %d", peer.Pid, peer.Uid)
	}
}

// removeStale removes a socket of this user at which nothing listens.
func removeStale(path string) error {
	var info unix.Stat_t
	if err := unix.Lstat(path, &info); err != nil {
		return os.NewSyscallError("lstat "+path, err)
	}
	switch {
	case info.Mode&unix.S_IFMT != unix.S_IFSOCK:
		return fmt.Errorf("%s is there already, and no socket", path)
	case int(info.Uid) != unix.Geteuid():
		return fmt.Errorf("%s is there already, and belongs to user %d", path, info.Uid)
	}
	fd, err := connect(path)
	if !errors.Is(err, unix.ECONNREFUSED) {
		if err == nil {
			unix.Close(fd)
		}
		return fmt.Errorf("another process listens at %s", path)
	}
	return os.NewSyscallError("unlink "+path, unix.Unlink(path))
}

// connect returns a socket that is connected to an address. It does not wait where more
// clients than may wait there: that is EAGAIN.
func connect(address string) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: address}); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("connect "+address, err)
	}
	return fd, nil
}

// accept waits for the next client. [os.ErrClosed] is that close was called; after other
// errors it can be called again. Calls is locked during the system call.
func (l *listener) accept(calls *sync.Mutex) (fd int, err error) {
	closed := l.conn.Read(func(socket uintptr) bool {
		calls.Lock()
		defer calls.Unlock()
		fd, _, err = unix.Accept4(int(socket), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		return !errors.Is(err, unix.EAGAIN)
	})
	if closed != nil {
		return -1, os.ErrClosed
	}
	return fd, err
}

// close ends accept, and removes the file if that is still the one that was made.
func (l *listener) close() {
	_ = l.file.Close()
	var now unix.Stat_t
	if l.path != "" && unix.Lstat(l.path, &now) == nil && now.Dev == l.made.Dev && now.Ino == l.made.Ino {
		_ = unix.Unlink(l.path)
	}
}
