package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxFormer is how many sockets a server may have beside its own.
const maxFormer = 8

// A socketFile is the file of a Unix socket. It is known by its inode, which a
// descriptor keeps from becoming another file's, and by its directory: a path
// may lead elsewhere by the time at which the file is to be removed.
type socketFile struct {
	path string
	dir  int // O_PATH, as file
	file int
	as   *identity
}

// A former is a socket whose file is gone. What connected before waits in it.
type former struct {
	fd    int
	token int32
	file  *socketFile
}

// listenUnix makes a Unix socket as libuv does: the file must not be there, and
// a directory that is not there is EACCES (uv_pipe_bind).
func (q query) listenUnix() (int, *socketFile, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, nil, err
	}
	if mask := q.as.mask(); mask >= 0 {
		_ = unix.Fchmod(fd, uint32(0o777&^mask)) // of the file too, less what our own mask takes (unix_bind)
	}
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: q.path()})
	if errors.Is(err, unix.ENOENT) {
		err = unix.EACCES
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, nil, err
	}
	err = unix.Listen(fd, q.backlog) // at once: until then, clients are refused
	file := q.file()
	if err == nil {
		err = file.chmod(q)
	}
	if err != nil {
		_ = unix.Close(fd)
		file.remove()
		return -1, nil, err
	}
	return fd, file, nil
}

// file opens what was bound. It is nil where there is none.
func (q query) file() *socketFile {
	if q.abstract() {
		return nil
	}
	const flags = unix.O_PATH | unix.O_CLOEXEC
	dir, err := unix.Open(filepath.Dir(q.address), flags|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil
	}
	file, err := unix.Openat(dir, filepath.Base(q.address), flags|unix.O_NOFOLLOW, 0)
	if err != nil {
		_ = unix.Close(dir)
		return nil
	}
	return &socketFile{path: q.address, dir: dir, file: file, as: q.as}
}

// chmod gives the file the mode that bind could not: what the umask of the worker
// leaves, and what readableAll and writableAll ask for.
func (f *socketFile) chmod(q query) error {
	var stat unix.Stat_t
	if f == nil {
		return nil
	}
	if err := unix.Fstat(f.file, &stat); err != nil {
		return err
	}
	mode := stat.Mode & 0o777
	if mask := q.as.mask(); mask >= 0 {
		mode = uint32(0o777 &^ mask)
	}
	if q.readableAll {
		mode |= 0o444
	}
	if q.writableAll {
		mode |= 0o222
	}
	if mode == stat.Mode&0o777 {
		return nil
	}
	// By a path, it would follow a link that somebody has put in its place.
	return unix.Chmod("/proc/self/fd/"+strconv.Itoa(f.file), mode)
}

// inPlace reports whether path leads to the file.
func (f *socketFile) inPlace() bool {
	var stat unix.Stat_t
	return unix.Lstat(f.path, &stat) == nil && f.same(&stat)
}

func (f *socketFile) same(stat *unix.Stat_t) bool {
	var own unix.Stat_t
	return unix.Fstat(f.file, &own) == nil && own.Dev == stat.Dev && own.Ino == stat.Ino
}

// linked reports whether the file has a name, maybe another one.
func (f *socketFile) linked() bool {
	var stat unix.Stat_t
	return f != nil && unix.Fstat(f.file, &stat) == nil && stat.Nlink > 0
}

// unlink removes the file, as libuv does at close, unless its name is another's
// by now.
func (f *socketFile) unlink() {
	var stat unix.Stat_t
	name := filepath.Base(f.path)
	if unix.Fstatat(f.dir, name, &stat, unix.AT_SYMLINK_NOFOLLOW) == nil && f.same(&stat) {
		_ = unix.Unlinkat(f.dir, name, 0)
	}
}

func (f *socketFile) close() {
	if f != nil {
		_, _ = unix.Close(f.dir), unix.Close(f.file)
	}
}

// path returns the shortest name of a Unix socket: there are 107 bytes for it.
// Node's primary does the same.
func (q query) path() string {
	if q.abstract() {
		return "@" + q.address[1:] // what unix.SockaddrUnix takes for NUL
	}
	if wd, err := os.Getwd(); err == nil {
		relative, err := filepath.Rel(wd, q.address)
		if strings.HasPrefix(relative, "@") {
			relative = "./" + relative
		}
		if err == nil && len(relative) < len(q.address) {
			return relative
		}
	}
	return q.address
}

func (q query) abstract() bool { return q.address != "" && q.address[0] == 0 }

// pathGone reports whether the path of a Unix socket does not lead to it any more:
// most applications remove what is there before they listen.
func (s *server) pathGone() bool {
	return s.file != nil && !s.closing && !s.file.inPlace()
}

// rebind gives s, which is lost, a new socket. What has connected to the old one
// is served first: see acceptNext.
func (s *server) rebind(q query) error {
	old := former{s.fd, s.token, s.file}
	if err := s.open(q); err != nil {
		return err
	}
	s.former = append(s.former, old)
	if len(s.former) > maxFormer {
		s.closeFormer(s.former[0])
		s.former = s.former[1:]
	}
	s.query.as = q.as
	s.acceptPending, s.primary.dispatchPending = true, true
	return nil
}

// acceptNext accepts a connection, of the oldest socket that has one. Sockets
// whose file has no name are closed when they have none: a client that has just
// found one looks up the path again then (net/unix/af_unix.c, unix_stream_connect).
func (s *server) acceptNext() (int, error) {
	for i := 0; i < len(s.former); {
		fd, err := accept(s.former[i].fd)
		switch {
		case !errors.Is(err, unix.EAGAIN):
			return fd, err
		case s.former[i].file.linked(): // it was renamed
			i++
		default:
			s.closeFormer(s.former[i])
			s.former = append(s.former[:i], s.former[i+1:]...)
		}
	}
	return accept(s.fd)
}

func (s *server) closeFormer(f former) {
	s.primary.poller.remove(f.fd, f.token)
	_ = unix.Close(f.fd)
	f.file.close()
}
