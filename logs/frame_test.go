package logs

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A frames is a framer and the file that it writes to.
type frames struct {
	*framer
	t    testing.TB
	out  *Output
	file *os.File
}

func newFrames(t testing.TB, o Options) *frames {
	t.Helper()
	fd, err := unix.MemfdCreate("output", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := &frames{t: t, out: NewOutput(fd), file: os.NewFile(uintptr(fd), "output")}
	t.Cleanup(func() { f.file.Close() })
	f.framer = newStream(nil, f.out, Source{Worker: 3, PID: 17, Stderr: true}, &o, nil).framer
	return f
}

// read has the framer take b as a stream reads it.
func (f *frames) read(b string, left state) {
	for first := true; first || b != ""; first = false {
		in := f.outlet.buffers().in[:]
		rest := f.reclaim(in)
		n := copy(in[rest:], b)
		b = b[n:]
		if b != "" {
			f.take(in[:rest+n], more)
		} else {
			f.take(in[:rest+n], left)
		}
	}
}

// written returns all that was written.
func (f *frames) written() string {
	f.t.Helper()
	info, err := f.file.Stat()
	if err != nil {
		f.t.Fatal(err)
	}
	b := make([]byte, info.Size())
	if _, err := f.file.ReadAt(b, 0); err != nil && len(b) > 0 {
		f.t.Fatal(err)
	}
	return string(b)
}

// objects returns the objects that were written, of a strict parser.
func (f *frames) objects() (all []map[string]any) {
	f.t.Helper()
	for line := range strings.Lines(f.written()) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil || !strings.HasSuffix(line, "\n") {
			f.t.Fatalf("%v: %.1000q", err, line)
		}
		all = append(all, o)
	}
	return all
}

// texts returns the messages that were written; pieces of a line are put together.
func (f *frames) texts() (all []string) {
	f.t.Helper()
	id := ""
	var whole strings.Builder
	for _, o := range f.objects() {
		msg, ok := o["msg"].(string)
		if !ok || o["worker"] != 3.0 || o["pid"] != 17.0 || o["stream"] != "stderr" {
			f.t.Fatalf("got %.1000v", o)
		}
		if id == "" {
			whole.Reset()
		}
		whole.WriteString(msg)
		if id, _ = o["partial_id"].(string); id == "" || o["partial_last"] == "true" {
			id, all = "", append(all, whole.String())
		}
	}
	return all
}

var (
	long     = strings.Repeat("0123456789abcde\t", 1<<16) // a megabyte
	tooLong  = strings.Repeat("long ☃\x00", (maxLine+300_000)/8)
	anyBytes = func() string {
		b := make([]byte, 3000)
		for i := range b {
			b[i] = byte(i)
		}
		return string(b)
	}()
)

// streams are what processes write.
var testStreams = map[string]string{
	"nothing":             "",
	"lines":               "one\ntwo\nthree\n",
	"no newline":          "one\ntwo",
	"empty lines":         "\n\none\n\n",
	"only a newline":      "\n",
	"CRLF":                "one\r\ntwo\r\n\r\nin the \r middle\r\n\r",
	"NUL":                 "a\x00b\x00\n\x00\n\x00",
	"UTF-8":               "☃ and 𝄞\nhé\n",
	"broken UTF-8":        "\xff\xfe \xe2\x82\n\xc3\n\xed\xa0\x80",
	"any bytes":           anyBytes,
	"colours":             "\x1b[31mred\x1b[0m\n",
	"a megabyte":          "before\n" + long + "\nafter\n",
	"too long":            "before\n" + tooLong + "\nafter\n" + tooLong,
	"exactly the maximum": strings.Repeat("x", maxLine) + "\n" + strings.Repeat("y", maxLine),
	"one less":            strings.Repeat("x", maxLine-1) + "\n" + strings.Repeat("y", maxLine-1),
}

// Lines come as they are, however they are read. The last one stays without an end if
// nothing follows, unless each line is looked at.
func TestLinesAreUntouched(t *testing.T) {
	t.Parallel()
	for name, stream := range testStreams {
		for _, o := range []Options{
			{},
			{Redact: []*regexp.Regexp{regexp.MustCompile("matches nothing")}}, // line by line
		} {
			for range readings(stream) {
				f := newFrames(t, o)
				f.readInPieces(stream, empty)
				want := stream
				if len(o.Redact) > 0 && want != "" && !strings.HasSuffix(want, "\n") {
					want += "\n"
				}
				if got := f.written(); got != want {
					t.Fatalf("%s: of %d bytes %d came: %.200q", name, len(want), len(got), got)
				}
				if f.rest != nil {
					t.Errorf("%s: at the end %d bytes are kept", name, cap(f.rest))
				}
			}
		}
	}
}

// readings is how often a stream is read. Each time it is cut at other places; one of
// megabytes, which takes the race detector seconds, is read once.
func readings(stream string) int {
	if len(stream) > 1<<20 {
		return 1
	}
	return 10
}

// readInPieces reads b in pieces of all sizes. between is what each leaves.
func (f *frames) readInPieces(b string, between state) {
	most := max(len(b)/(1+rand.IntN(20)), 1)
	for b != "" {
		n := min(1+rand.IntN(most), len(b))
		f.read(b[:n], between)
		b = b[n:]
	}
	f.read("", ended)
}

// Each line of text becomes the message of an object, in pieces where it is too long for
// one, however it is read.
func TestLinesBecomeObjects(t *testing.T) {
	t.Parallel()
	for name, stream := range testStreams {
		var want []string
		for line := range strings.Lines(stream) {
			line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
			want = append(want, escapeBroken(line))
		}
		for range readings(stream) {
			f := newFrames(t, Options{JSON: true, NoMultiline: true})
			f.readInPieces(stream, empty)
			if got := f.texts(); !slices.Equal(got, want) {
				t.Fatalf("%s: %d messages, want %d:\n%.300q\n%.300q", name, len(got), len(want), got, want)
			}
			for line := range strings.Lines(f.written()) {
				if len(line) > maxTextLine {
					t.Fatalf("%s: a line of %d bytes", name, len(line))
				}
			}
		}
	}
}

// escapeBroken is what becomes of bytes that are not UTF-8.
func escapeBroken(s string) string {
	var b strings.Builder
	for i, r := range s {
		if r == '\ufffd' && !strings.HasPrefix(s[i:], "\ufffd") {
			b.WriteString(`\x` + string(hexDigits[s[i]>>4]) + string(hexDigits[s[i]&15]))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// An object passes whole up to maxLine, also between text, and keeps its place.
func TestObjectsPassWhole(t *testing.T) {
	t.Parallel()
	object := func(n int) string { return `{"n":"` + strings.Repeat("x", n-len(`{"n":""}`)) + `"}` }
	for _, n := range []int{100, 16384, 1 << 20, maxLine - 1} {
		f := newFrames(t, Options{JSON: true})
		f.readInPieces("before\n"+object(n)+"\r\n    at the margin\n"+object(n), empty)
		got := f.objects()
		if len(got) != 4 || got[0]["msg"] != "before" || len(got[1]["n"].(string)) != n-8 || got[2]["msg"] != "    at the margin" || len(got[3]["n"].(string)) != n-8 {
			t.Fatalf("of %d bytes: %.1000v", n, got)
		}
	}
	f := newFrames(t, Options{JSON: true})
	f.readInPieces(object(maxLine+1), empty)
	if got := f.texts(); len(got) != 1 || got[0] != object(maxLine+1) {
		t.Errorf("too long an object: %.1000v", got)
	}
}

// What has come is the same however it is read, as long as the pipe is not empty between.
func FuzzFramer(f *testing.F) {
	for _, stream := range testStreams {
		if len(stream) < 5000 {
			f.Add([]byte(stream), uint8(7))
		}
	}
	f.Add([]byte("Error: x\n    at a\n    at b {\n  code: 1\n}\n{\"a\":1}\n}\nat\n at\n"), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		for _, o := range []Options{{}, {JSON: true}, {JSON: true, NoMultiline: true}, {JSON: true, StripColors: true}} {
			whole, pieces := newFrames(t, o), newFrames(t, o)
			whole.read(string(b), ended)
			for piece := range slices.Chunk(b, int(size)+1) {
				pieces.read(string(piece), more)
			}
			pieces.read("", ended)
			time := regexp.MustCompile(`"time":"[^"]+"|"partial_id":"[^"]+"`)
			x, y := time.ReplaceAllString(whole.written(), ""), time.ReplaceAllString(pieces.written(), "")
			if x != y {
				t.Fatalf("got\n%q\nand\n%q", x, y)
			}
			if o.JSON {
				_ = whole.objects()
			} else if want := bytes.TrimSuffix(b, []byte("\n")); strings.TrimSuffix(x, "\n") != string(want) {
				t.Fatalf("got %q of %q", x, b)
			}
		}
	})
}
