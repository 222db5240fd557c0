package repo

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/nodeinit/nodeinit/"

// mayImport is the house: each package, and those of ours that it may import.
// reaper and the leaves import nothing of ours.
var mayImport = map[string][]string{
	"cmd/nodeinit":      {"config", "plan", "node", "supervisor", "exec", "signals", "reaper", "cgroup", "cluster", "logs", "threads"},
	"supervisor":        {"exec", "signals", "reaper", "cgroup", "cluster", "logs"},
	"config":            {"signals"},
	"plan":              {"config", "node", "cgroup", "logs"},
	"node":              {"exec"},
	"exec":              {"reaper", "threads"},
	"signals":           {"reaper"},
	"reaper":            {},
	"cgroup":            {},
	"cluster":           {},
	"logs":              {},
	"threads":           {},
	"internal/testproc": {},
	"test":              {"internal/testproc"},
	"test/deploy":       {},
	"bench":             {"internal/testproc"},
}

// TestImportOrder keeps imports running one way. Tests of a package may use
// testproc besides.
func TestImportOrder(t *testing.T) {
	t.Parallel()
	files := 0
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		files++
		pkg, err := filepath.Rel("../..", filepath.Dir(path))
		if err != nil {
			return err
		}
		allowed, known := mayImport[pkg]
		if !known {
			t.Errorf("%s: package %q has no place in the house", path, pkg)
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module)
			inTest := strings.HasSuffix(path, "_test.go") && (imported == pkg || imported == "internal/testproc")
			if ours && !inTest && !slices.Contains(allowed, imported) {
				t.Errorf("%s: %s must not import %s", path, pkg, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("looked at %d files only", files)
	}
}
