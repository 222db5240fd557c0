package logs

import (
	"slices"
	"strings"
	"testing"
)

// Lines that continue a stack trace become one object with it, if they were there when it
// was read.
func TestTraces(t *testing.T) {
	t.Parallel()
	const trace = "Error: no\n    at f (/app/a.js:1:2)\n\tat g\nat h\nCaused by: x\n  cause: {\n    code: 1\n  }\n}\n})"
	indented := strings.Repeat("x\n", 3) + strings.Repeat(" "+strings.Repeat("y", 999)+"\n", 40)
	for name, c := range map[string]struct {
		stream string
		want   []string
	}{
		"one":                        {trace, []string{trace}},
		"two":                        {trace + "\n" + trace, []string{trace, trace}},
		"with CR":                    {"Error\r\n    at f\r\n    at g\r\n", []string{"Error\n    at f\n    at g"}},
		"in grey":                    {"Error\n\x1b[90m    at f\x1b[39m\n\x1b[90mat g\n", []string{"Error\n\x1b[90m    at f\x1b[39m\n\x1b[90mat g"}},
		"nothing before":             {"    at f\n    at g\nnext", []string{"    at f\n    at g", "next"}},
		"braces":                     {"function () {\n}\n})\n", []string{"function () {", "}", "})"}},
		"words":                      {"a\nattach\nCause\n}x\n\nat\n", []string{"a", "attach", "Cause", "}x", "", "at"}},
		"an object between":          {"Error\n    at f\n{\"msg\":\"o\"}\n    at g\n", []string{"Error\n    at f", "o", "    at g"}},
		"nearly an object":           {"Error\n  {\"msg\":1\n  }\nnext\n", []string{"Error\n  {\"msg\":1\n  }", "next"}},
		"an object that is indented": {"Error\n  {\"msg\":\"o\"}\n  x\n", []string{"Error", "o", "  x"}},
		"too long a line":            {"before\n" + strings.Repeat("x", 20000) + "\n    at f\n", []string{"before", strings.Repeat("x", 20000), "    at f"}},
		"too long a trace":           {indented, nil},
	} {
		for _, size := range []int{1, 7, 1000, len(c.stream)} {
			f := newFrames(t, Options{JSON: true})
			for piece := range slices.Chunk([]byte(c.stream), size) {
				f.read(string(piece), more)
			}
			f.read("", ended)
			got := f.texts()
			if c.want != nil && !slices.Equal(got, c.want) {
				t.Errorf("%s: got %.500q, want %.500q", name, got, c.want)
			}
			if c.want == nil && (len(got) != 5 || strings.Join(got, "\n")+"\n" != c.stream || len(got[2]) < 15000) {
				t.Errorf("%s: %d messages: %.500q", name, len(got), got)
			}
			for line := range strings.Lines(f.written()) {
				if len(line) > maxTextLine {
					t.Errorf("%s: a line of %d bytes", name, len(line))
				}
			}
		}
	}
}

// A line that comes later is another object.
func TestLaterLinesAreNotJoined(t *testing.T) {
	t.Parallel()
	f := newFrames(t, Options{JSON: true})
	f.read("Error\n    at f\n    at", empty)
	if got := f.texts(); !slices.Equal(got, []string{"Error\n    at f"}) {
		t.Errorf("at first %q", got)
	}
	f.read(" g\n", empty)
	if got := f.texts(); !slices.Equal(got, []string{"Error\n    at f", "    at g"}) {
		t.Errorf("at last %q", got)
	}
}

func TestNoMultiline(t *testing.T) {
	t.Parallel()
	f := newFrames(t, Options{JSON: true, NoMultiline: true})
	f.read("Error\n    at f\n", ended)
	if got := f.texts(); !slices.Equal(got, []string{"Error", "    at f"}) {
		t.Errorf("got %q", got)
	}
}

func TestColorsAreStripped(t *testing.T) {
	t.Parallel()
	f := newFrames(t, Options{JSON: true, StripColors: true})
	f.read("\x1b[31mError\x1b[0m\n\x1b[90m    at f\x1b[39m\n{\"msg\":\"\\u001b[31mred\"}\n", ended)
	if got := f.texts(); !slices.Equal(got, []string{"Error\n    at f", "\x1b[31mred"}) {
		t.Errorf("got %q", got)
	}
}
