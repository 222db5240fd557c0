package repo

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Limits of what a reader has to hold in mind at once.
const (
	maxFields       = 24 // of a struct; an embedded one is one
	maxMethods      = 25 // of a type
	maxFunctionSize = 60 // lines
	maxFileSize     = 300
)

// TestFigures: no struct, type, function or production file is over its limit.
func TestFigures(t *testing.T) {
	t.Parallel()
	sources := make(map[string]string)
	for _, path := range goFiles(t) {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		sources[path] = string(text)
	}
	if len(sources) < 100 {
		t.Fatalf("looked at %d files only", len(sources))
	}
	over, err := overLimits(sources)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range over {
		t.Error(line)
	}
}

// overLimits returns a line for each thing in Go files that is over a limit, in
// order. Files are texts by path; generated ones do not count.
func overLimits(files map[string]string) (over []string, err error) {
	methods := make(map[string]int)
	add := func(what string, n, limit int, unit string) {
		if n > limit {
			over = append(over, fmt.Sprintf("%s has %d %s, more than %d", what, n, unit, limit))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, files[path], parser.ParseComments)
		if err != nil {
			return nil, err
		}
		if ast.IsGenerated(file) {
			continue
		}
		if !strings.HasSuffix(path, "_test.go") {
			add(path, strings.Count(files[path], "\n"), maxFileSize, "lines")
		}
		dir := filepath.Dir(path)
		ast.Inspect(file, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.TypeSpec:
				add(dir+"."+node.Name.Name, fields(node.Type), maxFields, "fields")
				if i, ok := node.Type.(*ast.InterfaceType); ok {
					methods[dir+"."+node.Name.Name] += i.Methods.NumFields()
				}
			case *ast.FuncDecl:
				size := set.Position(node.End()).Line - set.Position(node.Pos()).Line + 1
				name := node.Name.Name
				if receiver := receiverType(node); receiver != "" {
					methods[dir+"."+receiver]++
					name = receiver + "." + name
				}
				add(path+": "+name, size, maxFunctionSize, "lines")
			}
			return true
		})
	}
	for _, name := range slices.Sorted(maps.Keys(methods)) {
		add(name, methods[name], maxMethods, "methods")
	}
	return over, nil
}

// fields counts the fields of a struct; other types have none.
func fields(expr ast.Expr) int {
	if s, ok := expr.(*ast.StructType); ok {
		return s.Fields.NumFields()
	}
	return 0
}

// receiverType returns the name of the type that has the method, "" for a function.
func receiverType(function *ast.FuncDecl) string {
	if function.Recv == nil || len(function.Recv.List) == 0 {
		return ""
	}
	expr := function.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}

func TestOverLimits(t *testing.T) {
	t.Parallel()
	lines := func(format string, n int) string {
		var text strings.Builder
		for i := range n {
			fmt.Fprintln(&text, strings.ReplaceAll(format, "%", fmt.Sprint(i)))
		}
		return text.String()
	}
	structOf := func(n int) string { return "package p\ntype s struct {\n" + lines("\tf% int", n-2) + "\ta, b int\n}\n" }
	methodsOf := func(n int) string { return "package p\ntype m[T any] struct{}\n" + lines("func (*m[T]) f%() {}", n) }
	functionOf := func(n int) string { return "package p\nfunc (t t) f() {\n" + lines("\t_ = 0", n-2) + "}\n" }
	fileOf := func(n int) string { return "package p\n" + lines("// %", n-1) }
	embedded := structOf(24) + "type e struct {\n\ts\n" + lines("\tf% int", 23) + "}\n"

	for name, test := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"struct at the limit":   {map[string]string{"a/a.go": structOf(24)}, nil},
		"struct over it":        {map[string]string{"a/a.go": structOf(25)}, []string{"a.s has 25 fields, more than 24"}},
		"embedded counts one":   {map[string]string{"a/a.go": embedded}, nil},
		"methods at the limit":  {map[string]string{"a/a.go": methodsOf(25)}, nil},
		"methods over it":       {map[string]string{"a/a.go": methodsOf(26)}, []string{"a.m has 26 methods, more than 25"}},
		"methods in two files":  {map[string]string{"a/a.go": methodsOf(13), "a/b_test.go": methodsOf(13)}, []string{"a.m has 26 methods, more than 25"}},
		"types of two packages": {map[string]string{"a/a.go": methodsOf(13), "b/a.go": methodsOf(13)}, nil},
		"an interface":          {map[string]string{"a/a.go": "package p\ntype i interface {\n" + lines("\tf%()", 26) + "}\n"}, []string{"a.i has 26 methods, more than 25"}},
		"function at the limit": {map[string]string{"a/a.go": functionOf(60)}, nil},
		"function over it":      {map[string]string{"a/a.go": functionOf(61)}, []string{"a/a.go: t.f has 61 lines, more than 60"}},
		"function in a test":    {map[string]string{"a/a_test.go": functionOf(61)}, []string{"a/a_test.go: t.f has 61 lines, more than 60"}},
		"file at the limit":     {map[string]string{"a/a.go": fileOf(300)}, nil},
		"file over it":          {map[string]string{"a/a.go": fileOf(301)}, []string{"a/a.go has 301 lines, more than 300"}},
		"file of tests":         {map[string]string{"a/a_test.go": fileOf(301)}, nil},
		"generated":             {map[string]string{"a/a.go": "// Code generated by x. DO NOT EDIT.\n" + structOf(25)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := overLimits(test.files)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%q (%v), want %q", got, err, test.want)
			}
		})
	}
}
