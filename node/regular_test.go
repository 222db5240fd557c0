package node_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/node"
)

// What is no regular file is neither waited for nor read: it is the program's.
func TestIdentifyLeavesStreamsAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"package.json", ".npmrc", "script", "fifo/package.json"} {
		if err := os.MkdirAll(filepath.Dir(path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mkfifo(path(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(path("app"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("app/package.json"), []byte(`{"scripts":{"start":"node server.js"}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	const text = "node server.js\n"
	full, err := os.OpenFile(path("script"), os.O_RDWR, 0) // a FIFO with two ends never blocks an open
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	for _, w := range []*os.File{full, write} {
		if _, err := w.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	descriptor := fmt.Sprintf("/dev/fd/%d", read.Fd())
	for line, join := range map[string]node.Join{
		"sh " + descriptor:        node.JoinLate, // it may run anything
		"bash " + path("script"):  node.JoinLate,
		path("script"):            node.JoinLate,
		"node " + descriptor:      node.JoinNone, // two of it cannot read it
		"node " + path("script"):  node.JoinNone,
		"npm start":               node.JoinLate,
		"npm --prefix fifo start": node.JoinLate,
		"npm --prefix app start":  node.JoinDirect,
		"node --run start":        node.JoinLate,
	} {
		done := make(chan node.Program)
		go func() { done <- node.Identify(strings.Fields(line), []string{"PATH=/usr/bin:/bin"}, dir) }()
		p := within(t, line, done)
		if p.Join != join {
			t.Errorf("%q joins %v, want %v", line, p.Join, join)
		}
	}
	for _, r := range []*os.File{full, read} {
		buf := make([]byte, 100)
		if n, err := r.Read(buf); err != nil || string(buf[:n]) != text {
			t.Errorf("%s has %q left, %v", r.Name(), buf[:n], err)
		}
	}
}

// within returns what comes from done, unless that hangs.
func within[T any](t *testing.T, what string, done <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-done:
	case <-time.After(testproc.HangLimit):
		t.Fatalf("%s hangs", what)
	}
	return v
}

// A directory that no path leads to, for this user or at all, has no name, and
// what is found is found from it.
func TestWorkingDir(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "inner")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(inner)
	if got := exec.WorkingDir(); got != inner {
		t.Errorf("it is %q, want %q", got, inner)
	}
	if p := node.Identify([]string{"node", "server.js"}, nil, inner); p.Dir != "" {
		t.Errorf("the program would change to %q, in which it is", p.Dir)
	}
	if err := os.Rename(inner, inner+"2"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(inner, 0o755); err != nil { // $PWD leads to another one now
		t.Fatal(err)
	}
	if got := exec.WorkingDir(); got != inner+"2" {
		t.Errorf("moved, it is %q, want %q", got, inner+"2")
	}
	if err := os.Remove(inner + "2"); err != nil {
		t.Fatal(err)
	}
	if got := exec.WorkingDir(); got != "" {
		t.Errorf("removed, it is %q", got)
	}
}
