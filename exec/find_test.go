package exec_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
)

// tree makes the directories for the tests of Find: good, good2 (executable files),
// plain (not executable), dir, fifo and empty, each with its own kind of "tool".
func tree(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	for _, dir := range []string{"good", "good2", "plain", "dir/tool", "fifo", "empty"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for file, mode := range map[string]os.FileMode{
		"good/tool": 0o755, "good2/tool": 0o755, "good2/second": 0o755, "plain/tool": 0o644, "here": 0o755,
	} {
		if err := os.WriteFile(filepath.Join(top, file), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(top, "fifo/tool"), 0o755); err != nil {
		t.Fatal(err)
	}
	return top
}

// Changes the working directory, so that it cannot run in parallel.
func TestFind(t *testing.T) {
	top := tree(t)
	t.Chdir(top)
	for _, c := range []struct {
		name, path string
		want       string // the file, or
		errno      unix.Errno
	}{
		{name: "tool", path: "good:good2", want: "good/tool"},
		{name: "tool", path: "good2:good", want: "good2/tool"},
		{name: "second", path: "good:good2", want: "good2/second"},
		{name: "tool", path: top + "/good", want: top + "/good/tool"},
		{name: "here", path: "", errno: unix.ENOENT},
		{name: "here", path: "empty:", want: "./here"},
		{name: "here", path: ":empty", want: "./here"},
		{name: "here", path: "empty::good", want: "./here"},
		{name: "here", path: ".", want: "./here"},
		{name: "tool", path: "empty:nowhere", errno: unix.ENOENT},
		{name: "tool", path: "plain:good", want: "good/tool"},
		{name: "tool", path: "plain:empty", errno: unix.EACCES},
		{name: "tool", path: "plain:dir", errno: unix.EACCES},
		{name: "tool", path: "dir:fifo:good", want: "good/tool"},
		{name: "tool", path: "dir", errno: unix.ENOENT},
		{name: "tool", path: "fifo", errno: unix.EACCES},
		{name: "tool", path: "here:good", want: "good/tool"},
		{name: "", path: "good", errno: unix.ENOENT},
		{name: ".", path: "good", errno: unix.ENOENT},
		{name: "good/tool", path: "good2", want: "good/tool"},
		{name: "./here", path: "", want: "./here"},
		{name: top + "/good/tool", path: "", want: top + "/good/tool"},
		{name: "good2/", path: "good", errno: unix.EISDIR},
		{name: "/", path: "good", errno: unix.EISDIR},
		{name: "./tool", path: "good", errno: unix.ENOENT},
		{name: "plain/tool", path: "good", errno: unix.EACCES},
		{name: "fifo/tool", path: "good", errno: unix.EACCES},
		{name: "here/tool", path: "good", errno: unix.ENOTDIR},
		{name: strings.Repeat("x", 5000), path: "good", errno: unix.ENOENT},
		{name: "./" + strings.Repeat("x", 5000), path: "good", errno: unix.ENAMETOOLONG},
	} {
		got, err := exec.Find(c.name, c.path)
		if c.errno != 0 {
			if e := (*exec.Error)(nil); !errors.As(err, &e) || e.Name != c.name || !errors.Is(err, c.errno) {
				t.Errorf("Find(%.20q, %q) = %q, %v, want %v", c.name, c.path, got, err, c.errno)
			}
			continue
		}
		if got != c.want || err != nil {
			t.Errorf("Find(%.20q, %q) = %q, %v, want %q", c.name, c.path, got, err, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path string
		err  error
		code int
		text string
	}{
		{err: unix.ENOENT, code: 127, text: `"app": command not found (is it in the image`},
		{err: unix.ENOTDIR, code: 127, text: `start "app": not a directory`},
		{path: "testdata/no-interpreter", err: unix.ENOENT, code: 127, text: `"app": its interpreter "/nonexistent/interpreter -x" is not in the image`},
		{path: "testdata/damaged", err: unix.ENOENT, code: 127, text: `"app": its loader is not in the image`},
		{path: "testdata/gone", err: unix.ENOENT, code: 127, text: `"app": its loader is not in the image`},
		{err: unix.EISDIR, code: 126, text: `"app": is a directory, not a program`},
		{err: unix.EACCES, code: 126, text: `"app": permission denied (is it executable`},
		{path: "testdata/damaged", err: unix.ENOEXEC, code: 126, text: `"app": not an executable for this machine`},
		{path: "/app", err: unix.ETXTBSY, code: 126, text: `start "app": text file busy`},
		{path: "/app", err: unix.E2BIG, code: 126, text: `start "app": argument list too long`},
		{path: "/app", err: unix.EAGAIN, code: 125, text: `start "app": the process limit is used up (raise docker run --pids-limit, or ulimit -u)`},
		{path: "/app", err: unix.ENOMEM, code: 125, text: `start "app": cannot allocate memory`},
		{path: "/app", err: unix.EMFILE, code: 125, text: `start "app": too many open files`},
		{path: "/app", err: unix.ENFILE, code: 125, text: `start "app": too many open files`},
	} {
		err := fmt.Errorf("wrapped: %w", &exec.Error{Name: "app", Path: c.path, Err: c.err})
		text := strings.TrimPrefix(err.Error(), "wrapped: ")
		if code := exec.ExitCode(err); code != c.code || !strings.HasPrefix(text, c.text) || strings.Contains(text, "\n") {
			t.Errorf("%v of %q is %d, %q, want %d, %q", c.err, c.path, code, text, c.code, c.text)
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%q does not unwrap to %v", err, c.err)
		}
	}
	if code := exec.ExitCode(os.NewSyscallError("rt_sigaction", unix.EINVAL)); code != 125 {
		t.Errorf("an error of our own exits with %d, want 125", code)
	}
}

func TestErrorHint(t *testing.T) {
	t.Parallel()
	e := &exec.Error{Name: "a.js", Err: unix.ENOENT, Hint: "did you mean node a.js?"}
	if got, want := e.Error(), `"a.js": command not found (did you mean node a.js?)`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
