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

// mayImport are the packages of the repository, and which of them each may import.
var mayImport = map[string][]string{
	"cmd/nodeinit": {
		"admin", "config", "plan", "node", "supervisor", "exec", "cluster", "signals", "reaper", "cgroup", "logs", "threads", "gomaxprocs", "files",
	},
	"plan":       {"config", "node", "cgroup", "logs"},
	"config":     {"signals"},
	"node":       {"exec", "rawjson"},
	"admin":      {"supervisor", "cluster", "cgroup", "httpget", "rawjson", "logs", "signals", "files"},
	"supervisor": {"cluster", "cgroup", "logs", "signals"},
	"exec":       {"reaper", "threads", "files"},
	"files":      {},
	"signals":    {},
	"reaper":     {},
	"cgroup":     {"httpget", "rawjson"},
	"httpget":    {},
	"cluster":    {"rawjson"},
	"logs":       {"rawjson"},
	"rawjson":    {},
	"threads":    {},
	"gomaxprocs": {},

	"internal/testproc": {},
	"test/harness":      {"internal/testproc"},
	"test/deploy":       {"test/grafana"},
	"test/picture":      {},
	"test/grafana":      {},

	"test/grafana/picture": {"test/grafana"},

	"bench":         {"bench/server", "bench/operate", "internal/testproc"},
	"bench/bare":    {},
	"bench/operate": {"bench/server", "internal/testproc"},
	"bench/server":  {"internal/testproc"},
}

// mayImportInTests are what the tests of a package may import besides, and
// besides the package itself and testproc.
var mayImportInTests = map[string][]string{
	"node": {"reaper"},
}

// allowed returns what a file in the package may import, and whether the package
// is known.
func allowed(pkg string, isTest bool) (list []string, known bool) {
	list, known = mayImport[pkg]
	if isTest {
		list = slices.Concat(list, mayImportInTests[pkg], []string{pkg, "internal/testproc"})
		if group, ok := strings.CutPrefix(pkg, "test/"); ok && !strings.Contains(group, "/") {
			return append(list, "test/harness"), true
		}
	}
	return list, known
}

// TestImportOrder keeps imports running one way.
func TestImportOrder(t *testing.T) {
	t.Parallel()
	files := goFiles(t)
	if len(files) < 100 {
		t.Fatalf("looked at %d files only", len(files))
	}
	for _, path := range files {
		pkg := filepath.Dir(path)
		list, known := allowed(pkg, strings.HasSuffix(path, "_test.go"))
		if !known {
			t.Errorf("%s: package %q is not in mayImport", path, pkg)
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			imported, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module)
			if ours && !slices.Contains(list, imported) {
				t.Errorf("%s: %s must not import %s", path, pkg, imported)
			}
		}
	}
}

const root = "../.."

// goFiles returns the paths, below root, of all Go files of the repository but
// those in testdata.
func goFiles(t *testing.T) (files []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(entry.Name(), ".") && path != root
		if entry.IsDir() && (hidden || entry.Name() == "testdata" || entry.Name() == "bin") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		path, err = filepath.Rel(root, path)
		files = append(files, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
