package cgroup

import (
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
type reader struct {
	root     fs.FS // rooted at "/"
	warnings []string
}

// read returns the contents of the file with that absolute path, if it can be read
// and has at most limit bytes.
func (r *reader) read(file string, limit int64) (string, bool) {
	text, err := readAll(r.root, file, limit)
	r.check(file, err)
	return text, err == nil
}

// readIfAny is read without a warning where the file does not exist: a cgroup without
// the file has no such limit (the root, or one without that controller).
func (r *reader) readIfAny(file string) (string, bool) {
	text, err := readAll(r.root, file, maxFile)
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
	line := strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(err.Error())
	if !slices.Contains(r.warnings, line) {
		r.warnings = append(r.warnings, line)
	}
}

func (r *reader) isDir(file string) bool {
	info, err := fs.Stat(r.root, name(file))
	return err == nil && info.IsDir()
}

func readAll(root fs.FS, file string, limit int64) (string, error) {
	f, err := root.Open(name(file))
	if err != nil {
		return "", withoutPath(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", withoutPath(err)
	}
	if int64(len(text)) > limit {
		return "", fmt.Errorf("longer than %d KiB", limit>>10)
	}
	return string(text), nil
}

// withoutPath returns the cause alone: callers add the path.
func withoutPath(err error) error {
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
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
