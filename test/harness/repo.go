package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Document returns the text of a file of the repository.
func Document(t *testing.T, name string) string {
	t.Helper()
	return ReadFile(t, "../..", name)
}

// Block returns the first fenced block of that language in a document.
func Block(t *testing.T, name, language string) string {
	t.Helper()
	_, after, found := strings.Cut(Document(t, name), "```"+language+"\n")
	text, _, closed := strings.Cut(after, "```")
	if !found || !closed {
		t.Fatalf("%s has no block of %s", name, language)
	}
	return text
}

// AppDir returns the directory of an application of test/apps/testdata/apps: that
// where test/apps.sh has installed it, if it needs npm packages.
func AppDir(t *testing.T, name string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("../apps/testdata/apps", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "package.json")); err != nil {
		return dir
	}
	if dir, err = Run("bash", "../apps.sh", "--path", name); err != nil {
		t.Fatal(err)
	}
	return dir
}
