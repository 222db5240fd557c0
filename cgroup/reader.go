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
	// The kernel prints a cgroup file into a page or a few.
	maxFile = 64 << 10
	// A mount is about 150 bytes, and a busy node has thousands of them.
	maxMountinfo = 4 << 20
)

// A reader reads files and keeps a warning of each that is no good.
type reader struct {
	root     fs.FS // rooted at "/"
	warnings []string
}

// read returns the contents of the file with that absolute path, if it can be
// read and has at most so many bytes.
func (r *reader) read(file string, most int64) (string, bool) {
	text, err := readAll(r.root, file, most)
	r.check(file, err)
	return text, err == nil
}

// readIfAny is read, but without a warning where the file is not there. A level
// of cgroups that has no such file has no such limit: the root, or one to which
// the controller is not delegated.
func (r *reader) readIfAny(file string) (string, bool) {
	text, err := readAll(r.root, file, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	r.check(file, err)
	return text, err == nil
}

// check warns of an error with that file.
func (r *reader) check(file string, err error) {
	if err != nil {
		r.warn(fmt.Errorf("read %s: %w", file, err))
	}
}

// warn keeps a warning, once: on v2 both controllers are in the same place.
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

func readAll(root fs.FS, file string, most int64) (string, error) {
	f, err := root.Open(name(file))
	if err != nil {
		return "", withoutPath(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return "", withoutPath(err)
	}
	if int64(len(text)) > most {
		return "", fmt.Errorf("longer than %d KiB", most>>10)
	}
	return string(text), nil
}

// withoutPath returns the cause alone: callers name the file themselves.
func withoutPath(err error) error {
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// name returns the name that an fs.FS rooted at "/" has for an absolute path.
func name(file string) string {
	if file == "/" {
		return "."
	}
	return strings.TrimPrefix(file, "/")
}
