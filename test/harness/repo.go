package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Readme returns the text of README.md.
func Readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ReadmeBlock returns the first fenced block of a language in README.md.
func ReadmeBlock(t *testing.T, language string) string {
	t.Helper()
	_, after, found := strings.Cut(Readme(t), "```"+language+"\n")
	text, _, closed := strings.Cut(after, "```")
	if !found || !closed {
		t.Fatalf("README has no block of %s", language)
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
