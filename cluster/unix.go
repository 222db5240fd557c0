package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A socketFile is the file of a Unix socket. Its descriptor keeps the inode number from
// being reused, and that of its directory is for removing it: by then, the path may lead
// to another file.
type socketFile struct {
	path string
	dir  int // O_PATH, and so is file
	file int
	as   *identity
}

// listenUnix makes a Unix socket as libuv does: the file must not exist, and if its
// directory does not exist, the error is EACCES (uv_pipe_bind).
func (q query) listenUnix() (int, *socketFile, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, nil, err
	}
	if mask := q.as.mask(); mask >= 0 {
		_ = unix.Fchmod(fd, uint32(0o777&^mask)) // and of the file, less nodeinit's own umask (unix_bind)
	}
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: q.path()})
	if errors.Is(err, unix.ENOENT) {
		err = unix.EACCES
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, nil, err
	}
	err = unix.Listen(fd, q.backlog) // early, as until then clients are refused
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

// file returns the file of a socket that was bound, nil where there is none.
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

// chmod gives the file the mode that bind has not: by the umask of the worker, and by
// readableAll and writableAll.
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
	// With the path it would follow a link that has replaced the file.
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

// linked reports whether the file has a name, be it another one.
func (f *socketFile) linked() bool {
	var stat unix.Stat_t
	return f != nil && unix.Fstat(f.file, &stat) == nil && stat.Nlink > 0
}

// remove removes the file, as libuv does at close, with the rights of the worker that it
// was made for. f may be nil, and is not to be used after it.
func (f *socketFile) remove() {
	if f == nil {
		return
	}
	_ = f.as.run(true, f.unlink)
	f.close()
}

// unlink removes the name of the file, unless it is now that of another file.
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

// path returns the shortest name of a Unix socket, as Node's primary does: it may have 107
// bytes.
func (q query) path() string {
	if q.abstract() {
		return "@" + q.address[1:] // which unix.SockaddrUnix writes as NUL
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
