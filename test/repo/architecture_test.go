package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const architectureDoc = "docs/architecture.md"

// A step is a function that a journey comes to.
type step struct{ pkg, file, name string }

// A journey is one section of docs/architecture.md.
type journey struct {
	title         string
	steps         []step
	hops, returns int // as printed below the list; 0: nothing is
}

// TestJourneys: each function that docs/architecture.md names is in that file, and
// the numbers below each list are those of the list.
func TestJourneys(t *testing.T) {
	t.Parallel()
	journeys := journeysIn(t, readRoot(t, architectureDoc))
	if len(journeys) != 3 {
		t.Fatalf("%s has %d journeys, not 3", architectureDoc, len(journeys))
	}
	for _, j := range journeys {
		for _, s := range j.steps {
			if file := path.Join(s.pkg, s.file); !slices.Contains(functionsOf(t, file), s.name) {
				t.Errorf("%s: there is no function %s in %s", j.title, s.name, file)
			}
		}
		if hops, returns := len(j.steps), returnsOf(j.steps); hops != j.hops || returns != j.returns {
			t.Errorf("%s: it has %d hops and %d returns, and says %d and %d", j.title, hops, returns, j.hops, j.returns)
		}
		if row := strconv.Itoa(j.hops) + ", " + strconv.Itoa(j.returns) + " |\n"; strings.Count(readRoot(t, architectureDoc), "| "+row) != 1 {
			t.Errorf("%s: no row of the table of journeys ends with %q", j.title, row)
		}
	}
}

// returnsOf returns how often a package is entered that was left before.
func returnsOf(steps []step) (n int) {
	var left []string
	last := ""
	for _, s := range steps {
		if s.pkg == last {
			continue
		}
		if slices.Contains(left, s.pkg) {
			n++
		}
		left, last = append(left, last), s.pkg
	}
	return n
}

func TestReturnsOf(t *testing.T) {
	t.Parallel()
	for pkgs, want := range map[string]int{"": 0, "a": 0, "a a": 0, "a b": 0, "a b a": 1, "a b b a c a": 2, "a b c a b": 2} {
		var steps []step
		for _, pkg := range strings.Fields(pkgs) {
			steps = append(steps, step{pkg: pkg})
		}
		if got := returnsOf(steps); got != want {
			t.Errorf("%q: %d, not %d", pkgs, got, want)
		}
	}
}

var (
	journeyItem   = regexp.MustCompile(`^\d+\. \*\*(\S+)\*\* (.*)$`)
	journeyFile   = regexp.MustCompile("^`(\\S+)` (.*)$")
	journeyFigure = regexp.MustCompile(`^Hops: (\d+)\. Returns: (\d+)\.$`)
)

// journeysIn returns the journeys in the text of docs/architecture.md: an item is
// the package, then files, each with its functions in order, then after ": " words.
func journeysIn(t *testing.T, text string) (journeys []journey) {
	t.Helper()
	text = regexp.MustCompile(`\n +`).ReplaceAllString(text, " ") // an item on one line
	for _, section := range strings.Split(text, "\n### ")[1:] {
		section, _, _ = strings.Cut(section, "\n## ")
		lines := strings.Split(section, "\n")
		j := journey{title: lines[0]}
		for _, line := range lines {
			if m := journeyFigure.FindStringSubmatch(line); m != nil {
				j.hops, _ = strconv.Atoi(m[1])
				j.returns, _ = strconv.Atoi(m[2])
			}
			m := journeyItem.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			functions, _, _ := strings.Cut(m[2], ": ")
			for _, part := range strings.Split(functions, "; ") {
				f := journeyFile.FindStringSubmatch(part)
				if f == nil {
					t.Fatalf("%s: %q is no file with functions", j.title, part)
				}
				for _, name := range strings.Split(f[2], " → ") {
					j.steps = append(j.steps, step{m[1], f[1], name})
				}
			}
		}
		journeys = append(journeys, j)
	}
	return journeys
}

var jsFunction = regexp.MustCompile(`\b(?:function|const) (\w+)\b(?: = (?:\(|function)|\()`)

// functionsOf returns the names of the functions and methods in a file, Go or
// JavaScript.
func functionsOf(t *testing.T, file string) (names []string) {
	t.Helper()
	text := readRoot(t, file)
	if path.Ext(file) == ".js" {
		for _, m := range jsFunction.FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
		return names
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range parsed.Decls {
		if function, ok := decl.(*ast.FuncDecl); ok {
			names = append(names, function.Name.Name)
		}
	}
	return names
}

// TestPackageTable: the packages of docs/architecture.md, and what they may import,
// are those of TestImportOrder.
func TestPackageTable(t *testing.T) {
	t.Parallel()
	row := regexp.MustCompile("(?m)^\\| `(\\S+)` \\| .* \\|(.*) \\|$")
	table, _, _ := strings.Cut(readRoot(t, architectureDoc), "## Goroutines")
	seen := make(map[string]bool)
	for _, m := range row.FindAllStringSubmatch(table, -1) {
		seen[m[1]] = true
		if got, want := strings.TrimSpace(m[2]), strings.Join(mayImport[m[1]], ", "); got != want {
			t.Errorf("%s may import %q, and %s says %q", m[1], want, architectureDoc, got)
		}
	}
	for pkg := range mayImport {
		group, _, _ := strings.Cut(pkg, "/")
		if production := !slices.Contains([]string{"internal", "test", "bench"}, group); production != seen[pkg] {
			t.Errorf("%s has the package %s: %t", architectureDoc, pkg, seen[pkg])
		}
	}
}

// readRoot returns the text of a file of the repository.
func readRoot(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
