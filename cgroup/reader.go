package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

const (
	// A cgroup file has a few pages at most.
	maxFile = 64 << 10
	// A mount has about 150 bytes, and a busy node thousands of mounts.
	maxMountinfo = 4 << 20
)

// A reader reads files and collects warnings about those that it cannot read or parse.
// One goroutine may use it.
type reader struct {
	root     fs.FS // rooted at "/"
	warnings []string
	v2       location     // of the unified hierarchy, once it was found
	buffer   bytes.Buffer // for one file after the other: there are some twenty at the start
}

// read returns the contents of the file with that absolute path, if it can be read
// and has at most limit bytes.
func (r *reader) read(file string, limit int64) (string, bool) {
	text, err := r.readAll(file, limit)
	r.check(file, err)
	return text, err == nil
}

// readIfAny is read without a warning where the file does not exist: a cgroup without
// the file has no such limit (the root, or one without that controller).
func (r *reader) readIfAny(file string) (string, bool) {
	text, err := r.readAll(file, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	r.check(file, err)
	return text, err == nil
}

// check adds a warning if err, about that file, is not nil.
func (r *reader) check(file string, err error) {
	if err != nil {
		r.warn(fmt.Errorf("read %s: %w", file, err))
	}
}

// warn adds a warning, once: on v2 both controllers have the same location.
func (r *reader) warn(err error) {
	// A mount point may have line ends in its name, and a warning is one line.
	line := strings.ReplaceAll(strings.ReplaceAll(err.Error(), "\n", `\n`), "\r", `\r`)
	if !slices.Contains(r.warnings, line) {
		r.warnings = append(r.warnings, line)
	}
}

func (r *reader) isDir(file string) bool {
	info, err := fs.Stat(r.root, name(file))
	return err == nil && info.IsDir()
}

func (r *reader) readAll(file string, limit int64) (string, error) {
	f, err := r.root.Open(name(file))
	if err != nil {
		return "", withoutPath(err)
	}
	defer f.Close()
	r.buffer.Reset()
	if _, err := r.buffer.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return "", withoutPath(err)
	}
	if int64(r.buffer.Len()) > limit {
		return "", fmt.Errorf("longer than %d KiB", limit>>10)
	}
	return r.buffer.String(), nil
}

// withoutPath returns the cause alone: callers add the path.
func withoutPath(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}

// name returns the name of an absolute path in an fs.FS rooted at "/".
func name(file string) string {
	if file == "/" {
		return "."
	}
	return strings.TrimPrefix(file, "/")
}
