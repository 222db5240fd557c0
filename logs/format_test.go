package logs

import (
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Once its buffers are as large as they need be, a stream allocates nothing for a line.
func TestNoAllocations(t *testing.T) {
	text := strings.Repeat("GET /api/items/17 200 12ms\n    at the margin\n", 2000)
	prefix := []byte("prefix ")
	objects := strings.Repeat(`{"level":30,"time":1532081790743,"pid":4321,"msg":"request completed"}`+"\n", 2000)
	for name, o := range map[string]Options{
		"lines":  {},
		"json":   {JSON: true},
		"prefix": {Prefix: func(Source) []byte { return prefix }},
	} {
		f := newFrames(t, o)
		read := func() {
			for _, b := range []string{text, objects, text[:1000], text[1000:], objects[:1000], objects[1000:]} {
				f.read(b, empty)
			}
			_ = unix.Ftruncate(f.out.fd, 0)
		}
		read()
		if n := testing.AllocsPerRun(10, read); n > 0 {
			t.Errorf("%s: %v allocations for 8,000 lines", name, n)
		}
	}
}

// Prefixes are written once for each line, also a long one.
func TestPrefix(t *testing.T) {
	t.Parallel()
	f := newFrames(t, Options{Prefix: func(s Source) []byte { return []byte("[3] ") }})
	f.readInPieces("one\r\n\n"+tooLong+"\nlast", empty)
	if got := f.written(); got != "[3] one\r\n[3] \n[3] "+tooLong+"\n[3] last\n" {
		t.Errorf("got %.200q", got)
	}
}

// What an expression matches does not come, also where it was read in two pieces; a line
// that is no object any more is text.
func TestRedact(t *testing.T) {
	t.Parallel()
	secret := regexp.MustCompile(`token=\w+|"broken.*|^whole line$`)
	lines := "a token=abcdef b\r\nwhole line\r\n{\"msg\":\"token=abc\"}\n{\"broken\":1}\n" + strings.Repeat("x", 50_000) + "token=abc\n"
	for range 4 {
		f := newFrames(t, Options{Redact: []*regexp.Regexp{secret, regexp.MustCompile("^a ")}})
		f.readInPieces(lines, empty)
		want := "[redacted][redacted] b\r\n[redacted]\r\n{\"msg\":\"[redacted]\"}\n{[redacted]\n" + strings.Repeat("x", 50_000) + "[redacted]\n"
		if got := f.written(); got != want {
			t.Fatalf("got %.300q", got)
		}
		f = newFrames(t, Options{JSON: true, Redact: []*regexp.Regexp{secret}})
		f.readInPieces(lines, empty)
		got := f.objects()
		for i, want := range []string{"a [redacted] b", "[redacted]", "[redacted]", "{[redacted]"} {
			if got[i]["msg"] != want {
				t.Errorf("got %v, want %q", got[i], want)
			}
		}
		if text := f.written(); strings.Contains(text, "token") || strings.Contains(text, "whole") {
			t.Error("a secret came")
		}
	}
}
