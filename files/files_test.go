package files_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/files"
)

// write makes a file with that text, and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFile(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 5000)
	f, err := files.Open(write(t, text), unix.O_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	if !f.IsRegular() {
		t.Error("not a regular file")
	}
	if err := iotest.TestReader(f, []byte(text)); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(io.NewSectionReader(f, 49_990, 100)); string(got) != "0123456789" || err != nil {
		t.Errorf("the end is %q, %v", got, err)
	}
	info, err := f.Stat()
	if err != nil || info.Size() != int64(len(text)) {
		t.Errorf("%v, %v", info, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, unix.EBADF) {
		t.Errorf("closed: %v", err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	path := write(t, "text")
	for limit, want := range map[int64]string{0: "", 3: "tex", 4: "text", 5: "text"} {
		if got, err := files.Read(path, limit); string(got) != want || err != nil {
			t.Errorf("%d bytes: %q, %v", limit, got, err)
		}
	}
	// The kernel gives this one in several parts, of whole lines.
	want, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := files.Read("/proc/self/mountinfo", 4<<20); !bytes.Equal(got, want) || err != nil {
		t.Errorf("%d bytes, %v; os.ReadFile has %d", len(got), err, len(want))
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	path := write(t, "text")
	if err := files.Write(path, []byte("m")); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "mext" {
		t.Errorf("it has %q", got)
	}
	if err := files.Write(path+"2", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if err := files.Write("/dev/full", []byte("1")); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("a full device: %v", err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var want []string
	for i := range 500 { // more than one call returns
		want = append(want, strings.Repeat("x", 10+i%100)+string(rune('a'+i%26))+string(rune('0'+i/100)))
		if err := os.WriteFile(filepath.Join(dir, want[i]), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := files.Names(dir)
	slices.Sort(got)
	slices.Sort(want)
	if want = slices.Compact(want); !slices.Equal(got, want) || err != nil {
		t.Errorf("%d names, %v; want %d", len(got), err, len(want))
	}
	if _, err := files.Names("/proc/self/comm"); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("a file: %v", err)
	}
}

// Errors are those of os.DirFS: callers look for the cause.
func TestDirIsLikeDirFS(t *testing.T) {
	t.Parallel()
	base := filepath.Dir(write(t, "text"))
	dir, want := files.Dir(base), os.DirFS(base)
	for _, name := range []string{"file", "missing", "file/below", ".", "", "/file", "../file"} {
		text, err := fs.ReadFile(dir, name)
		wantText, wantErr := fs.ReadFile(want, name)
		if !bytes.Equal(text, wantText) || !sameCause(err, wantErr) {
			t.Errorf("read %q: %q, %v; want %q, %v", name, text, err, wantText, wantErr)
		}
		info, err := fs.Stat(dir, name)
		wantInfo, wantErr := fs.Stat(want, name)
		if !sameCause(err, wantErr) || err == nil && !os.SameFile(info, wantInfo) {
			t.Errorf("stat %q: %v, %v; want %v, %v", name, info, err, wantInfo, wantErr)
		}
	}
}

func sameCause(a, b error) bool {
	cause := func(err error) error {
		if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
			return pathError.Err
		}
		return err
	}
	return errors.Is(cause(a), cause(b)) || errors.Is(a, fs.ErrInvalid) && b != nil
}

// The descriptors are not for children, and are closed.
func TestDescriptors(t *testing.T) {
	path := write(t, "text")
	f, err := files.Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	own, err := files.Names("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range own {
		if target, _ := os.Readlink("/proc/self/fd/" + name); target != path {
			continue
		}
		found++
		fd, err := strconv.Atoi(name)
		if err != nil {
			t.Fatal(err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); flags != unix.FD_CLOEXEC || err != nil {
			t.Errorf("descriptor %d: flags %d, %v", fd, flags, err)
		}
	}
	if found != 1 {
		t.Errorf("%d descriptors of the file", found)
	}
	f.Close()
	again, err := files.Names("/proc/self/fd")
	if err != nil || len(again) != len(own)-1 {
		t.Errorf("%v after Close, %v before, %v", again, own, err)
	}
}
