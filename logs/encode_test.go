package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// A textLine has the fields of a line of text, and no others.
type textLine struct {
	Time, Level, Stream, Msg                               string
	Worker                                                 *int
	PID                                                    int
	PartialMessage, PartialID, PartialOrdinal, PartialLast string
}

// parse is strict: the keys are spelled exactly so, in this order, and there are no
// others.
func parse(t *testing.T, line []byte) (l textLine) {
	t.Helper()
	keys := []string{"time", "level", "worker", "pid", "stream", "msg", "partial_message", "partial_id", "partial_ordinal", "partial_last"}
	values := []any{&l.Time, &l.Level, &l.Worker, &l.PID, &l.Stream, &l.Msg, &l.PartialMessage, &l.PartialID, &l.PartialOrdinal, &l.PartialLast}
	if !bytes.HasSuffix(line, []byte("}\n")) || bytes.Count(line, []byte("\n")) != 1 || !utf8.Valid(line) || len(line) > 16384 {
		t.Fatalf("%d bytes are no line: %.200q", len(line), line)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	if token, err := d.Token(); token != json.Delim('{') {
		t.Fatalf("%.200q: %v", line, err)
	}
	last := -1
	for d.More() {
		key, err := d.Token()
		name, _ := key.(string)
		i := slices.Index(keys, name)
		if err != nil || i <= last {
			t.Fatalf("%q is not the key that follows in %.200q: %v", key, line, err)
		}
		last = i
		if err := d.Decode(values[i]); err != nil {
			t.Fatalf("%s in %.200q: %v", name, line, err)
		}
	}
	if last < 5 || last > 5 && last < 9 || !json.Valid(line) {
		t.Fatalf("%.200q is not complete", line)
	}
	return l
}

// plainText is what a message says about bytes.
func plainText(text []byte) string {
	var s strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&s, `\x%02x`, text[0])
		} else {
			s.Write(text[:size])
		}
		text = text[size:]
	}
	return s.String()
}

// checkText checks the lines that parts of one line of text become.
func checkText(t *testing.T, e *encoder, parts ...[]byte) {
	t.Helper()
	var out []byte
	for i, part := range parts {
		before := len(out)
		out = e.appendText(out, part, now, i < len(parts)-1)
		if len(part) == 0 && i < len(parts)-1 && len(out) > before {
			t.Fatalf("nothing makes %q", out[before:])
		}
	}
	lines := bytes.SplitAfter(out, []byte("\n"))
	lines = lines[:len(lines)-1]
	split := len(lines) > 1 || len(bytes.Join(parts[:len(parts)-1], nil)) > 0
	var msg strings.Builder
	var id string
	for i, line := range lines {
		l := parse(t, line)
		msg.WriteString(l.Msg)
		whole := textLine{Time: stamp, Level: "info", Stream: "stdout", Msg: l.Msg, PID: e.source.PID}
		if e.source.Stderr {
			whole.Level, whole.Stream = "error", "stderr"
		}
		if e.source.Worker >= 0 {
			whole.Worker = l.Worker
			if l.Worker == nil || *l.Worker != e.source.Worker {
				t.Fatalf("%.200q does not say worker %d", line, e.source.Worker)
			}
		}
		if split {
			if i == 0 {
				id = l.PartialID
			}
			whole.PartialMessage, whole.PartialID, whole.PartialOrdinal = "true", id, strconv.Itoa(i+1)
			whole.PartialLast = strconv.FormatBool(i == len(lines)-1)
			if id == "" {
				t.Fatalf("%.200q has no ID", line)
			}
		}
		if l != whole {
			t.Fatalf("piece %d is %+.300v, want %+.300v", i, l, whole)
		}
		if len(parts) == 1 && i < len(lines)-1 && len(line) < maxTextLine-5-len(`\u0000`) { // 5 for "false", or a character
			t.Fatalf("piece %d has only %d bytes", i, len(line))
		}
	}
	text := bytes.Join(parts, nil)
	if want := plainText(text); msg.String() != want {
		t.Fatalf("%.200q becomes %.200q", want, msg.String())
	}
	if len(lines) == 0 || len(parts) == 1 && len(lines) > 1 && len(`\u0000`)*len(text) < maxTextLine-200 {
		t.Fatalf("%.200q makes %d lines", text, len(lines))
	}
}

// texts are lines that are no objects.
var texts = []string{
	"", " ", "listening on 3000", `"quoted" and \ and /`, "tab\tcr\r\n\x00\x01\x1f\x7f", "\x1b[31mred\x1b[0m", "☃ 𝄞 \u2028 \ufeff \ufffd", "\xff", "a\xc3", "\xe2\x98", "\xed\xa0\x80\xc0\xaf\xf4\x90\x80\x80",
	"<script>&", "{", "\xf0\x9d\x84\x9e\xf0\x9d\x84", strings.Repeat("x", 7) + "\"" + strings.Repeat("☃", 20) + "\xff",
}

func TestTextLines(t *testing.T) {
	t.Parallel()
	for _, s := range []Source{{Worker: -1, PID: 17}, {Worker: 0, PID: 1 << 22, Stderr: true}, {Worker: 127, PID: 1}} {
		e := newEncoder(nil, s)
		for _, text := range texts {
			checkText(t, e, []byte(text))
			checkText(t, e, []byte(text), nil)
			checkText(t, e, []byte(text), []byte("end"))
			checkText(t, e, []byte("x"), nil, []byte(text))
		}
	}
}

// Text of all lengths around the limit, with characters of all sizes there.
func TestLongText(t *testing.T) {
	t.Parallel()
	e := newEncoder(nil, Source{Worker: 2, PID: 17, Stderr: true})
	for _, unit := range []string{"x", "é", "☃", "𝄞", "\"", "\x00", "\xff", "a☃\xff\n"} {
		text := []byte(strings.Repeat(unit, 3*maxTextLine/len(unit)))
		for _, n := range []int{maxTextLine - 1, maxTextLine, 20000, len(text)} {
			for i := range 8 {
				checkText(t, e, append([]byte("12345678")[:i:i], text[:n-i]...))
			}
		}
		whole := text[:wholeText(text[:20000])]
		checkText(t, e, whole, text[len(whole):], nil)
	}
	for n := 16270; n < 16300; n++ { // the longest that is not split is one of them
		checkText(t, e, bytes.Repeat([]byte("x"), n))
	}
	checkText(t, e, bytes.Repeat([]byte("0123456789abcdef"), 2<<20/16))
}

// The longest head and the longest tail leave room for text.
func TestPartialIDs(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range []Source{{Worker: 0, PID: 17}, {Worker: 0, PID: 17, Stderr: true}, {Worker: 0, PID: 18}} {
		e := newEncoder(nil, s)
		for range 3 {
			out := e.appendText(nil, []byte("x"), now, true)
			id := parse(t, out).PartialID
			out = e.appendText(nil, []byte("x"), now.Add(time.Hour), false)
			if last := parse(t, out); last.PartialID != id || last.PartialLast != "true" || seen[id] {
				t.Errorf("%q follows %q, seen %v", out, id, seen)
			}
			seen[id] = true
		}
	}
	e := newEncoder(FieldsOf("ecs"), Source{Worker: 1 << 20, PID: math.MaxInt, Stderr: true})
	e.split, e.ordinal, e.id = math.MaxUint64, math.MaxInt-100_000, bytes.Repeat([]byte("x"), 70)
	out := e.appendText(nil, bytes.Repeat([]byte("x"), 1<<20), now, true)
	for line := range bytes.Lines(out) {
		if len(line) > maxTextLine || !json.Valid(line) {
			t.Fatalf("%d bytes: %.100q", len(line), line)
		}
	}
}

func TestTextOfAllFields(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"default": `{"time":"STAMP","level":"error","worker":1,"pid":17,"stream":"stderr","msg":"a\tb"}`,
		"gcp":     `{"time":"STAMP","severity":"ERROR","worker":1,"pid":17,"stream":"stderr","message":"a\tb"}`,
		"datadog": `{"timestamp":"STAMP","status":"error","worker":1,"pid":17,"stream":"stderr","message":"a\tb"}`,
		"ecs":     `{"@timestamp":"STAMP","log.level":"error","worker":1,"pid":17,"stream":"stderr","ecs.version":"8.11.0","message":"a\tb"}`,
	} {
		out := newEncoder(FieldsOf(name), Source{Worker: 1, PID: 17, Stderr: true}).appendText(nil, []byte("a\tb"), now, false)
		if got := strings.ReplaceAll(string(out), stamp, "STAMP"); got != want+"\n" {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestTimeOfLines(t *testing.T) {
	t.Parallel()
	e := newEncoder(nil, Source{})
	for _, at := range []time.Time{{}, now, now.Add(time.Microsecond), now.Add(-time.Hour), time.Unix(0, 0), time.Unix(0, -1), time.UnixMilli(1), now.Add(time.Millisecond)} {
		for range 2 {
			got := string(e.appendTime(nil, at))
			if want := at.UTC().Format(`"2006-01-02T15:04:05.000Z"`); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
}

func FuzzText(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text), uint16(1), uint16(0))
		f.Add([]byte(text), uint16(3000), uint16(5))
	}
	f.Fuzz(func(t *testing.T, text []byte, times, cut uint16) {
		if len(text)*int(times) > 1<<17 {
			return
		}
		text = bytes.Repeat(text, int(times))
		e := newEncoder(nil, Source{Worker: 2, PID: 17})
		checkText(t, e, text)
		n := wholeText(text[:min(int(cut), len(text))])
		if n < min(int(cut), len(text))-3 || plainText(text[:n])+plainText(text[n:]) != plainText(text) {
			t.Fatalf("wholeText(%q) = %d", text[:min(int(cut), len(text))], n)
		}
		checkText(t, e, text[:n], text[n:])
		stripped := stripColors(bytes.Clone(text))
		if len(stripped) > len(text) || !bytes.Contains(text, []byte("\x1b")) && !bytes.Equal(stripped, text) {
			t.Fatalf("%q is stripped to %q", text, stripped)
		}
	})
}

func TestStripColors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "plain [31m": "plain [31m",
		"\x1b[31mred\x1b[0m":                                  "red",
		"\x1b[1;38;5;200mbold\x1b[m and\x1b[39m":              "bold and",
		"\x1b[38:2::1:2:3mrgb\x1b[K\x1b[2J\x1b[?25l\x1b[1 qx": "rgbx",
		"\x1b[32m☃\x1b[39m":                                   "☃",
		"\x1b]0;title\abell":                                  "bell",
		"\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\": "link",
		"\x1b(B\x1b[msgr0":                                    "sgr0",
		"\x1b":                                                "\x1b", "\x1b[": "\x1b[", "\x1b[31": "\x1b[31", "a\x1b]0;b": "a\x1b]0;b", "\x1b(": "\x1b(",
		"\x1b[3\n1m": "\x1b[3\n1m", "\x1b[3\xff": "\x1b[3\xff", "\x1b\x1b[31mx": "\x1bx", "\x1bMx": "\x1bMx", "\x1b]": "\x1b]", "\x1b\\": "\x1b\\",
	} {
		if got := string(stripColors([]byte(text))); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// Of what terminals obey, the strings of other documents than log lines have nothing.
func TestAppendString(t *testing.T) {
	for text, want := range map[string]string{
		"":                          `""`,
		"a\u00a0\u00ff\u0100\x7f":   "\"a\u00a0\u00ff\u0100\x7f\"",
		"\u0080\u0080a\u009b2J\x1b": `"\u0080\u0080a\u009b2J\u001b"`,
		"\xc2\xc2\u009f\x9f\xc2":    `"\\xc2\\xc2\u009f\\x9f\\xc2"`,
		"\xe2\x82\u0085\"\n":        `"\\xe2\\x82\u0085\"\n"`,
	} {
		if got := string(AppendString(nil, text)); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}
