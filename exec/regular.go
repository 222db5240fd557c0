package exec

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

var errNotRegular = errors.New("not a regular file")

// OpenRegular opens a file that somebody else named in order to look into it. It
// neither waits nor takes anything from the program: what is no regular file (a
// FIFO, as of bash <(...), the standard input, a terminal) is not even opened,
// which would let those go on who wait for its reader.
func OpenRegular(path string) (*os.File, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return nil, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, &os.PathError{Op: "open", Path: path, Err: errNotRegular}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() { // it was replaced
		f.Close()
		return nil, &os.PathError{Op: "open", Path: path, Err: errNotRegular}
	}
	return f, nil
}

// ReadHead returns up to so many bytes of a regular file, none if it cannot be
// read.
func ReadHead(path string, most int64) []byte {
	f, err := OpenRegular(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, most))
	return text
}

// WorkingDir returns the path of the directory in which this process is, "" if
// it has none (it was removed) or none that leads there for this user: those who
// were started in it can be nevertheless.
func WorkingDir() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	there, err := os.Stat(dir)
	if err != nil {
		return ""
	}
	if here, err := os.Stat("."); err != nil || !os.SameFile(here, there) {
		return ""
	}
	return dir
}
