package node

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/exec"
)

// inReadOnlyData is in the read-only data of this test, which is an ELF file.
const inReadOnlyData = "this is in the read-only data of the test"

func TestELF(t *testing.T) {
	t.Parallel()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := exec.OpenRegular(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(readOnlyData(f))
	if err != nil || !strings.Contains(string(data), inReadOnlyData) {
		t.Errorf("%d bytes of read-only data, %v, do not have the string %q", len(data), err, inReadOnlyData)
	}
	if !hasNote(f, "Go\x00\x00") { // cmd/link, elf.go: ELF_NOTE_GO_NAME
		t.Error("no note of Go is found")
	}
	if hasNote(f, seaNote) {
		t.Error("it is taken for a single executable application")
	}
}

func TestNoELF(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "#!/bin/sh\n", "\x7fELF\x02", "\x7fELF\x02" + strings.Repeat("\xff", 59), "\x7fELF\x01" + strings.Repeat("\x00", 200)} {
		f := strings.NewReader(text)
		if data, _ := io.ReadAll(readOnlyData(f)); len(data) > 0 || hasNote(f, seaNote) {
			t.Errorf("%q is taken for an ELF file", text)
		}
	}
}

// The version is found wherever it is, also where two reads or the two searches meet.
func TestFindVersion(t *testing.T) {
	t.Parallel()
	const version, size = "24.21.0\x00", 800 << 10
	for _, at := range []int{0, 1, 16<<10 - 60, 384<<10 - 20, 384<<10 - 9, 384 << 10, 400<<10 - 30, 400<<10 - 17, 400<<10 - 8, 400 << 10, 715352, size} {
		text := strings.Repeat("x", at) + "node.js/v" + version + strings.Repeat("y", size-at)
		got := findVersion(io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))))
		if !strings.HasPrefix(got, version) {
			t.Errorf("at %d: %q", at, got)
		}
	}
	if got := findVersion(io.NewSectionReader(strings.NewReader(strings.Repeat("node.js/", 1<<17)), 0, 1<<20)); got != "" {
		t.Errorf("found %q where there is none", got)
	}
}

func TestNodeVersionOfHeaders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bin", "include", "include/node"} {
		if err := os.Mkdir(dir+"/"+name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("bin/node", "\x7fELF")
	e := environment{vars: []string{"PATH=" + dir + "/bin"}}
	for header, want := range map[string][3]int{
		"": {}, "#define NODE_MAJOR_VERSION": {}, "#define NODE_MAJOR_VERSION x\n#define NODE_MINOR_VERSION 1": {},
		"#ifndef SRC\n#define NODE_MAJOR_VERSION 18\n#define NODE_MINOR_VERSION 17\n#define NODE_PATCH_VERSION 1\n": {18, 17, 1},
	} {
		write("include/node/node_version.h", header)
		if major, minor, ok := e.nodeVersion("node"); ok != (want[2] == 1) || ok && (major != want[0] || minor != want[1]) {
			t.Errorf("%q: %d.%d, %v", header, major, minor, ok)
		}
	}
}
