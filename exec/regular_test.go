package exec_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nodeinit/nodeinit/exec"
)

// A directory that was moved is found by its new path, a removed one has none.
func TestWorkingDir(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "inner")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(inner)
	if got := exec.WorkingDir(); got != inner {
		t.Errorf("the path is %q, want %q", got, inner)
	}
	if err := os.Rename(inner, inner+"2"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(inner, 0o755); err != nil { // $PWD leads to another one now
		t.Fatal(err)
	}
	if got := exec.WorkingDir(); got != inner+"2" {
		t.Errorf("moved, the path is %q, want %q", got, inner+"2")
	}
	if err := os.Remove(inner + "2"); err != nil {
		t.Fatal(err)
	}
	if got := exec.WorkingDir(); got != "" {
		t.Errorf("removed, the path is %q", got)
	}
}
