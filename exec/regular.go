package exec

import (
	"errors"
	"io"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/files"
)

// OpenRegular opens a regular file for reading. Any other file (a FIFO as of bash
// <(...), a terminal) is an error and is not opened: opening could block, would let
// a writer that waits for a reader go on, and reading would take data from the
// program.
func OpenRegular(name string) (*files.File, error) {
	notRegular := &os.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notRegular
	}
	f, err := files.Open(name, unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, err
	}
	if !f.IsRegular() { // replaced since
		f.Close()
		return nil, notRegular
	}
	return f, nil
}

// ReadHead returns the first limit bytes of a regular file, or all if it has fewer;
// none if it cannot be read.
func ReadHead(name string, limit int64) []byte {
	f, err := OpenRegular(name)
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
//
// As with os.Getwd that is $PWD where it leads there, which keeps symbolic links.
func WorkingDir() string {
	here, err := os.Stat(".")
	if err != nil {
		return ""
	}
	isHere := func(dir string) bool {
		there, err := os.Stat(dir)
		return err == nil && os.SameFile(here, there)
	}
	if dir := os.Getenv("PWD"); path.IsAbs(dir) && isHere(dir) {
		return dir
	}
	if dir, err := unix.Getwd(); err == nil && isHere(dir) {
		return dir
	}
	return ""
}
