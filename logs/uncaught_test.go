package logs

import (
	"slices"
	"strings"
	"testing"
)

// What Node prints for an uncaught exception is one object if it has arrived together,
// and what only looks like its beginning is not.
func TestUncaughtExceptions(t *testing.T) {
	t.Parallel()
	const (
		head    = "/app/a.js:12\nthrow new Error('no')\n^\n\n"
		stack   = "Error: no\n    at f (/app/a.js:12:7) {\n  code: 'X'\n}"
		version = "\n\nNode.js v24.21.0"
		several = head + "Error: one\ntwo\n\nthree\n    at f (/app/a.js:12:7)"
		thrown  = "[eval]:1\nthrow null\n^\nnull\n(Use `node --trace-uncaught ...` to show where the exception was thrown)"
		worker  = "node:internal/event_target:1128\n  process.nextTick(() => { throw err; });\n         ^\n" + head + stack
	)
	minified := "/app/a.js:1\n" + strings.Repeat("x", 20000) + "\n   ^\n\n" + stack + version
	for name, c := range map[string]struct {
		stream string
		want   []string
	}{
		"with its version":    {"before\n" + head + stack + version + "\nnext", []string{"before", head + stack + version, "next"}},
		"without it":          {head + stack + "\nnext", []string{head + stack, "next"}},
		"its version later":   {head + stack + "\n|\nNode.js v24.21.0", []string{head + stack, version[1:]}},
		"two":                 {head + stack + "\n" + head + stack + version, []string{head + stack + "\n" + head + stack + version}},
		"two of two":          {head + stack + version + "\n" + head + stack + version, []string{head + stack + version, head + stack + version}},
		"carets behind space": {"a.ts:1\n\tfoo bar\n\t    ^^^\n\nSyntaxError: no\n    at x", []string{"a.ts:1\n\tfoo bar\n\t    ^^^\n\nSyntaxError: no\n    at x"}},
		"several lines":       {several + version, []string{several + version}},
		"several, no version": {several + "\nnext", []string{several, "next"}},
		"no stack":            {head + "Error: no\nnext", []string{head + "Error: no", "next"}},
		"no error":            {"\n" + thrown + version, []string{"", thrown + version}},
		"no error, no more":   {"a.js:1\nthrow {}\n^\n|{ a: 1 }", []string{"a.js:1\nthrow {}\n^", "{ a: 1 }"}},
		"of a worker":         {worker + version, []string{worker + version}},
		"a minified source":   {minified, []string{"/app/a.js:1", strings.Repeat("x", 20000), "   ^\n\n" + stack + version}},
		"an object":           {"a.js:1\n{\"msg\":\"o\"}\n^\n\nError\nnext", []string{"a.js:1", "o", "^", "", "Error", "next"}},
		"a version alone":     {"Node.js v24.21.0\nnext", []string{"Node.js v24.21.0", "next"}},
		"no number":           {"a.js:\nx\n^\n\nError\nnext", []string{"a.js:", "x", "^", "", "Error", "next"}},
		"no name":             {":1\nx\n^\n\nError\nnext", []string{":1", "x", "^", "", "Error", "next"}},
		"no colon":            {"12\nx\n^\n\nError\nnext", []string{"12", "x", "^", "", "Error", "next"}},
		"no carets":           {"a.js:12\nx\n \n\nError\nnext", []string{"a.js:12", "x\n ", "", "Error", "next"}},
		"more than carets":    {"a.js:12\nx\n^ here\n\nError\nnext", []string{"a.js:12", "x", "^ here", "", "Error", "next"}},
		"addresses":           {"listening on :80\non 10.0.0.1:8080\nat [::]:443\n\nnext", []string{"listening on :80", "on 10.0.0.1:8080\nat [::]:443", "", "next"}},
	} {
		f := newFrames(t, Options{JSON: true})
		for part := range strings.SplitSeq(c.stream+"\n", "|") {
			f.read(part, empty)
		}
		f.read("", ended)
		if got := f.texts(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %.500q, want %.500q", name, got, c.want)
		}
		for _, size := range []int{1, 7, 50} {
			pieces(t, name, c.stream, size)
		}
	}
}

// pieces checks that a stream that comes in turns of size bytes has all its lines, in
// their order, however they are joined.
func pieces(t *testing.T, name, stream string, size int) {
	t.Helper()
	f := newFrames(t, Options{JSON: true})
	for piece := range slices.Chunk([]byte(stream), size) {
		f.read(string(piece), more)
	}
	f.read("", ended)
	if got := strings.Join(f.texts(), "\n"); strings.TrimSuffix(got, "\n") != strings.TrimSuffix(withoutObject(stream), "\n") {
		t.Errorf("%s in pieces of %d: got %.500q", name, size, got)
	}
}

func withoutObject(stream string) string { return strings.Replace(stream, `{"msg":"o"}`, "o", 1) }
