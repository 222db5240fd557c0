package exec

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// OpenRegular opens a regular file for reading. Any other file (a FIFO as of bash
// <(...), a terminal) is an error and is not opened: opening could block, would let
// a writer that waits for a reader go on, and reading would take data from the
// program.
func OpenRegular(path string) (*os.File, error) {
	notRegular := &os.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notRegular
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() { // replaced since
		f.Close()
		return nil, notRegular
	}
	return f, nil
}

// ReadHead returns the first limit bytes of a regular file, or all if it has fewer;
// none if it cannot be read.
func ReadHead(path string, limit int64) []byte {
	f, err := OpenRegular(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, limit))
	return text
}

// WorkingDir returns the path of the working directory, "" if it has none: it was
// removed, or its path is not accessible to this user. A child without a Dir starts
// in it nevertheless.
func WorkingDir() string {
	dir, err := os.Getwd()
	there, _ := os.Stat(dir) // nil, if that fails, is not the same as any file
	if here, _ := os.Stat("."); err != nil || !os.SameFile(here, there) {
		return ""
	}
	return dir
}
