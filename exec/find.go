package exec

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/threads"
)

// An Error is the reason why a command did not start.
type Error struct {
	Name string // the command as given
	Path string // its file, "" if none was found
	Err  error  // the kernel's error
	Hint string // what the user likely meant, to say instead of the usual hint
}

// Error returns one line for users: what is wrong with the command, and a hint.
func (e *Error) Error() string {
	switch {
	case errors.Is(e.Err, unix.ENOENT) && strings.Contains(e.Name, "/") && e.Path == "":
		return fmt.Sprintf("%q: no such file (is it in the image?)", e.Name)
	case errors.Is(e.Err, unix.ENOENT) && e.Path == "":
		return fmt.Sprintf("%q: command not found (%s)", e.Name, cmp.Or(e.Hint, "is it in the image, and its directory in PATH?"))
	case errors.Is(e.Err, unix.ENOENT):
		return fmt.Sprintf("%q: %s", e.Name, missing(e.Path))
	case errors.Is(e.Err, unix.EAGAIN):
		return fmt.Sprintf("start %q: %v", e.Name, threads.ErrLimit)
	case errors.Is(e.Err, unix.EISDIR):
		return fmt.Sprintf("%q: is a directory, not a program", e.Name)
	case errors.Is(e.Err, unix.EACCES):
		return fmt.Sprintf("%q: permission denied (%s)", e.Name, cmp.Or(e.Hint, "is it executable for this user, and not on a noexec mount?"))
	case errors.Is(e.Err, unix.ENOEXEC):
		return fmt.Sprintf("%q: not an executable for this machine (another architecture, damaged, or a script without #! in an image without /bin/sh?)", e.Name)
	default:
		return fmt.Sprintf("start %q: %v", e.Name, e.Err)
	}
}

// Unwrap returns the kernel's error.
func (e *Error) Unwrap() error { return e.Err }

// ExitCode returns the exit status for an error of [Find] or [Command.Start]: 127 if
// the command was not found, 126 if it cannot be executed (POSIX, 2.8.2), 125, as of
// docker run, if the failure is not the command's.
func ExitCode(err error) int {
	errno, _ := errors.AsType[unix.Errno](err)
	switch errno {
	case unix.ENOENT, unix.ENOTDIR:
		return 127
	case unix.EAGAIN, unix.ENOMEM, unix.EMFILE, unix.ENFILE:
		return 125
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return 126
	}
	return 125
}

// Find returns the file of the command name, as execvp(3) does: a name with a slash
// is a path; any other is looked for in the directories of path, a list like PATH,
// in which an empty element is the working directory. If the only file of that name
// may not be executed the error says so.
func Find(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		if err := executable(name); err != nil {
			return "", &Error{Name: name, Err: err}
		}
		return name, nil
	}
	notFound := &Error{Name: name, Err: unix.ENOENT}
	for _, dir := range filepath.SplitList(path) {
		file := cmp.Or(dir, ".") + "/" + name
		err := executable(file)
		if err == nil {
			return file, nil
		}
		if errors.Is(err, unix.EACCES) && unix.Access(file, unix.F_OK) == nil {
			notFound.Err = err
		}
	}
	return "", notFound
}

func executable(file string) error {
	var stat unix.Stat_t
	if err := unix.Stat(file, &stat); err != nil {
		return err
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return unix.EISDIR
	case unix.S_IFREG:
		return unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS)
	default:
		return unix.EACCES
	}
}

// missing says what is missing where an executable exists and starting it gives
// ENOENT.
func missing(file string) string {
	first, _, _ := strings.Cut(string(head(file)), "\n")
	if interpreter, ok := strings.CutPrefix(first, "#!"); ok {
		return fmt.Sprintf("its interpreter %q is not in the image", strings.TrimSpace(interpreter))
	}
	return "its loader is not in the image (built for another C library, glibc or musl?)"
}

// head returns the first bytes of file, as many as the kernel reads to execute it
// (BINPRM_BUF_SIZE, include/uapi/linux/binfmts.h); none if it cannot be read.
func head(file string) []byte { return ReadHead(file, 256) }
