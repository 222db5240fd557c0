package pid1

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// speaker writes args, one after the other, each by one write(2): to stdout, or what
// begins with 2> to stderr.
func speaker(args []string) {
	for _, text := range args {
		fd := unix.Stdout
		if rest, ok := strings.CutPrefix(text, "2>"); ok {
			fd, text = unix.Stderr, rest
		}
		writeAll(fd, []byte(text))
	}
}

func writeAll(fd int, text []byte) {
	for len(text) > 0 {
		n, err := unix.Write(fd, text)
		if err != nil && err != unix.EINTR {
			harness.Fail(err)
		}
		text = text[max(n, 0):]
	}
}

// speaks is nodeinit with flags, and a speaker.
func speaks(flags string, texts ...string) testproc.Command {
	return harness.UnderInit("--log-to stderr "+flags, testproc.Argv("speaker", texts...)...)
}

// outputs reports what its stdout and stderr are.
func outputs([]string) {
	for fd := 1; fd <= 2; fd++ {
		var stat unix.Stat_t
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		size, sizeErr := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
		if unix.Fstat(fd, &stat) != nil || err != nil || sizeErr != nil {
			harness.Fail(fmt.Errorf("%w, %w", err, sizeErr))
		}
		testproc.Say("%d:%d, flags %#x, %d bytes", stat.Dev, stat.Ino, flags, size)
	}
	testproc.UntilStdinCloses()
}

// In raw mode a child has nodeinit's own descriptors, and in the others a pipe for each
// that is blocking and as large as the kernel allows.
func TestOutputsOfAChild(t *testing.T) {
	t.Parallel()
	for _, flags := range []string{"", "--logs raw", "--logs lines", "--logs json", "--redact x", "--log-fields gcp"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			c := harness.UnderInit("--log-level off "+flags, testproc.Argv("outputs")...)
			var read [2]*os.File
			read[0], c.Stdout = pipe(t)
			read[1], c.Stderr = pipe(t)
			p := c.Start(t)
			own := []string{describeOutput(t, c.Stdout), describeOutput(t, c.Stderr)}
			got := []string{p.Line(), p.Line()}
			if raw := !strings.Contains(flags, "lines") && !strings.Contains(flags, "json") && !strings.Contains(flags, "redact"); raw {
				if !slices.Equal(got, own) {
					t.Errorf("the child has %q, nodeinit %q", got, own)
				}
				return
			}
			for i := range got {
				if got[0] == got[1] || slices.Contains(own, got[i]) || !strings.HasSuffix(got[i], ", flags 0x1, 1048576 bytes") {
					t.Errorf("the child has %q, nodeinit %q", got, own)
				}
			}
			p.CloseStdin()
			p.WaitCode(0)
		})
	}
}

func describeOutput(t *testing.T, f *os.File) string {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	size, err := unix.FcntlInt(f.Fd(), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d:%d, flags %#x, %d bytes", stat.Dev, stat.Ino, flags, size)
}

// Bytes come through as they are, and each stream ends with a line.
func TestLinesAreUntouched(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 4<<10) + "\n"
	for _, c := range []struct {
		texts     []string
		out, errs string
	}{
		{nil, "", ""},
		{[]string{"one\ntwo\n"}, "one\ntwo\n", ""},
		{[]string{"o", "ne\nt", "wo"}, "one\ntwo", ""},
		{[]string{"out\n", "2>err", "or\n", "2>or\n"}, "out\nor\n", "error\n"},
		{[]string{"\r\n\x1b[31mred\xff\t\r\n\n"}, "\r\n\x1b[31mred\xff\t\r\n\n", ""},
		{[]string{long, long, "end"}, long + long + "end", ""},
	} {
		p := speaks("--logs lines --log-level off", c.texts...).Start(t)
		p.WaitCode(0)
		if p.Output() != c.out || p.Errors() != c.errs {
			t.Errorf("%.80q: heard %.80q and %.80q", c.texts, p.Output(), p.Errors())
		}
	}
}

// A record is a line of a child under --logs json.
type record map[string]any

// records reads lines that each have to be an object.
func records(t *testing.T, output string) (list []record) {
	t.Helper()
	for line := range strings.Lines(output) {
		var r record
		decoder := json.NewDecoder(strings.NewReader(line))
		if err := decoder.Decode(&r); err != nil || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("%q is no line with an object: %v", line, err)
		}
		list = append(list, r)
	}
	return list
}

// Each line is an object with the process that wrote it; what is an object stays one.
func TestJSONLogs(t *testing.T) {
	t.Parallel()
	p := speaks("--logs json", "plain\n", "2>bad\n", `{"level":30,"msg":"pino","pid":1}`+"\n", `{"half":`, "\n", "no end").Start(t)
	p.WaitCode(0)
	own := harness.OwnLines(t, p.Errors())
	program := own[1].Facts["pid"]
	form := regexp.MustCompile(`^\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"info","pid":\d+,"stream":"stdout","msg":"plain"\}\n`)
	if !form.MatchString(p.Output()) {
		t.Errorf("%q does not begin as %s", p.Output(), form)
	}
	var got []string
	all := append(records(t, p.Output()), records(t, linesWithout(p.Errors(), `"logger":"nodeinit"`))...)
	for _, r := range all {
		got = append(got, fmt.Sprint(r["level"], " ", r["severity"], " ", r["stream"], " ", r["msg"]))
		if r["msg"] != "pino" && r["pid"] != program || r["msg"] == "pino" && r["pid"] != 1.0 || r["worker"] != nil {
			t.Errorf("%v is not of %v", r, program)
		}
	}
	want := []string{"info <nil> stdout plain", "30 INFO stdout pino", `info <nil> stdout {"half":`, "info <nil> stdout no end", "error <nil> stderr bad"}
	if !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
}

// linesWithout returns the lines of text without those that have part in them.
func linesWithout(text, part string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, part) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// Colours of text go only when that is asked for, and stack traces become one object
// unless they are not to.
func TestJSONOptions(t *testing.T) {
	t.Parallel()
	trace := "2>Error: \x1b[31mno\x1b[0m\n    at a (a.js:1:1)\n    at b (b.js:2:2)\n"
	for flags, want := range map[string][]string{
		"":               {"Error: \x1b[31mno\x1b[0m\n    at a (a.js:1:1)\n    at b (b.js:2:2)"},
		"--strip-colors": {"Error: no\n    at a (a.js:1:1)\n    at b (b.js:2:2)"},
		"--no-multiline": {"Error: \x1b[31mno\x1b[0m", "    at a (a.js:1:1)", "    at b (b.js:2:2)"},
	} {
		p := speaks("--logs json --log-level off "+flags, trace).Start(t)
		p.WaitCode(0)
		var got []string
		for _, r := range records(t, p.Errors()) {
			got = append(got, r["msg"].(string))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: heard %q, want %q", flags, got, want)
		}
	}
}

// nodeinit's own lines have the keys of the backend too, whatever becomes of the
// program's.
func TestLogFields(t *testing.T) {
	t.Parallel()
	for fields, keys := range map[string][]string{
		"default": {"time", "level", "msg"}, "gcp": {"time", "severity", "message"},
		"datadog": {"timestamp", "status", "message"}, "ecs": {"@timestamp", "log.level", "message", "ecs.version"},
	} {
		for _, form := range []string{"raw", "json"} {
			c := harness.UnderInit("--log-fields "+fields+" --logs "+form, testproc.Argv("speaker", `{"a":1}`+"\n", "text\n")...)
			p := c.Start(t)
			p.WaitCode(0)
			output := p.Output()
			if form == "raw" {
				output = strings.NewReplacer("{\"a\":1}\n", "", "text\n", "").Replace(output)
			}
			for _, r := range records(t, output) {
				for _, key := range keys {
					if _, has := r[key]; !has && (r["a"] == nil || key != keys[2]) {
						t.Errorf("%s, %s: no %s in %v", fields, form, key, r)
					}
				}
			}
		}
	}
}

// What is redacted is in no line: not of the program, in whatever pieces it was written,
// and not of nodeinit.
func TestRedact(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, flags := range []string{"", "--logs lines", "--logs json", "--log-format text", "--log-fields ecs"} {
		for _, where := range []string{"stdout", "stderr"} {
			argv := slices.Concat([]string{harness.Nodeinit, "-vv", "--redact", "hunter[0-9]", "--redact", "top(-|_)secret", "--log-to", where}, strings.Fields(flags),
				[]string{"--"}, testproc.Argv("speaker", "password hun", "ter2 and top_secret\n", "2>"+secret+"\n", `{"a":"hunter2"}`+"\n", secret))
			p := testproc.Command{Argv: argv, PID1: true}.Start(t)
			p.WaitCode(0)
			all := p.Output() + p.Errors()
			if strings.Contains(all, secret) || strings.Contains(all, "top_secret") {
				t.Errorf("%q: heard %s", flags, all)
			}
			// four times by the program, and the arguments of the start line
			if n := strings.Count(all, "[redacted]"); n < 8 || !strings.Contains(all, "password [redacted] and [redacted]") {
				t.Errorf("%q: %d redacted in %s", flags, n, all)
			}
		}
	}
}
