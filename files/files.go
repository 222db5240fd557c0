// Package files reads files by plain system calls.
//
// The standard library's os.Open makes up to five system calls besides open(2) and close(2)
// for each file, to have Go's poller wait for it (os.newFile). No regular file can be
// polled, and what this process reads of /proc and /sys at its start never has to be.
package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A File is a file that is open for reading. Reading blocks the calling thread.
type File struct {
	fd   int
	name string
}

// Open opens a file for reading, with flags besides O_RDONLY and O_CLOEXEC.
func Open(name string, flags int) (*File, error) {
	fd, err := retry(func() (int, error) { return unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|flags, 0) })
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &File{fd, name}, nil
}

// Read reads as io.Reader says.
func (f *File) Read(p []byte) (int, error) {
	return f.result(p, func() (int, error) { return unix.Read(f.fd, p) })
}

// ReadAt reads as io.ReaderAt says.
func (f *File) ReadAt(p []byte, offset int64) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		rest, at := p[n:], offset+int64(n)
		more, err = f.result(rest, func() (int, error) { return unix.Pread(f.fd, rest, at) })
		n += more
	}
	return n, err
}

// result is that of call, which reads to p.
func (f *File) result(p []byte, call func() (int, error)) (int, error) {
	n, err := retry(call)
	switch {
	case err != nil:
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: err}
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// Fd returns the descriptor of f, which f owns.
func (f *File) Fd() uintptr { return uintptr(f.fd) }

// IsRegular reports whether f is a regular file.
func (f *File) IsRegular() bool {
	var stat unix.Stat_t
	return unix.Fstat(f.fd, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFREG
}

// Stat describes the file that has the name of f now.
func (f *File) Stat() (fs.FileInfo, error) { return os.Stat(f.name) }

// Close closes f. It must not be used after that.
func (f *File) Close() error { return os.NewSyscallError("close", unix.Close(f.fd)) }

// A Dir is the file system below a directory, as os.DirFS returns it. Names in it are
// valid by fs.ValidPath.
type Dir string

// Open opens a file for reading.
func (d Dir) Open(name string) (fs.File, error) {
	path, err := d.path("open", name)
	if err != nil {
		return nil, err
	}
	f, err := Open(path, 0)
	if err != nil {
		return nil, err // not a nil *File in the interface
	}
	return f, nil
}

// Stat describes a file.
func (d Dir) Stat(name string) (fs.FileInfo, error) {
	path, err := d.path("stat", name)
	if err != nil {
		return nil, err
	}
	return os.Stat(path)
}

func (d Dir) path(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return strings.TrimSuffix(string(d), "/") + "/" + name, nil
}

// Read returns the contents of a file, of which it reads at most limit bytes.
func Read(name string, limit int64) ([]byte, error) {
	f, err := Open(name, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// Write writes data to a file that exists, by one write(2) at its beginning: files of
// /proc take a value so.
func Write(name string, data []byte) error {
	fd, err := retry(func() (int, error) { return unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	n, err := retry(func() (int, error) { return unix.Write(fd, data) })
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return &fs.PathError{Op: "write", Path: name, Err: err}
	}
	return nil
}

// Names returns the names in a directory, in the kernel's order.
func Names(name string) ([]string, error) {
	dir, err := Open(name, unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	var names []string
	buffer := make([]byte, 4<<10)
	for {
		n, err := retry(func() (int, error) { return unix.ReadDirent(dir.fd, buffer) })
		if err != nil {
			return names, &fs.PathError{Op: "getdents64", Path: name, Err: err}
		}
		if n == 0 {
			return names, nil
		}
		_, _, names = unix.ParseDirent(buffer[:n], -1, names)
	}
}

// retry makes a system call again if a signal has interrupted it. File systems such as
// FUSE do that even where the handler has SA_RESTART, as Go's have (os.ignoringEINTR).
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
