package node_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/node"
)

// Identify neither waits for a FIFO or pipe nor reads it: that is for the program.
func TestIdentifyLeavesStreamsAlone(t *testing.T) {
	t.Parallel()
	dir := fifos(t)
	path := func(name string) string { return filepath.Join(dir, name) }
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
		"node " + descriptor:      node.JoinNone, // two workers cannot both read it
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

// fifos returns a directory of FIFOs, and a package in app.
func fifos(t *testing.T) string {
	t.Helper()
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
	return dir
}

// within returns the value that done delivers; it ends the test if that hangs.
func within[T any](t *testing.T, what string, done <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-done:
	case <-time.After(testproc.HangLimit):
		t.Fatalf("%s hangs", what)
	}
	return v
}

// A program that runs in the working directory of this process inherits that.
func TestIdentifyInTheWorkingDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if p := node.Identify([]string{"node", "server.js"}, nil, dir); p.Dir != "" {
		t.Errorf("the program would change to %q, in which it is", p.Dir)
	}
}
