package pid1

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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

// The exit report is the last line, after all that the program has written, in whatever
// way it ends.
func TestExitReportIsLast(t *testing.T) {
	t.Parallel()
	many := testproc.Argv("burst", "20000")
	for name, c := range map[string]struct {
		flags string
		argv  []string
		code  int
		count int
	}{
		"exits":       {"", append(slices.Clone(many), "exit"), 3, 20000},
		"is killed":   {"", append(slices.Clone(many), "kill"), 137, 20000},
		"pre failed":  {"--pre " + strings.Join(slices.Concat(many, []string{"exit"}), `\x20`), []string{"true"}, 3, 20000},
		"not started": {"", []string{"/no/such/program"}, 127, 0},
	} {
		for _, form := range []string{"lines", "json"} {
			t.Run(name+" "+form, func(t *testing.T) {
				t.Parallel()
				command := harness.UnderInit("--logs "+form+" "+c.flags, c.argv...)
				for i := range command.Argv {
					command.Argv[i] = strings.ReplaceAll(command.Argv[i], `\x20`, " ")
				}
				p := command.Start(t)
				p.WaitCode(c.code)
				expectBurst(t, p.Output(), c.count)
				if last := exitLine(t, p.Output()); last.Status == nil || *last.Status != c.code {
					t.Errorf("the last line is %v", last.Facts)
				}
			})
		}
	}
}

// exitLine returns the last line of output, which has to be an exit report.
func exitLine(t *testing.T, output string) harness.LogLine {
	t.Helper()
	all := strings.SplitAfter(output, "\n")
	if len(all) < 2 {
		t.Fatalf("no line in %q", output)
	}
	return exitReport(t, all[len(all)-2])
}

// burst writes as many numbered lines as args[0] says, half a line in each write, and
// ends as args[1] says.
func burst(args []string) {
	count, err := strconv.Atoi(args[0])
	if err != nil {
		harness.Fail(err)
	}
	for i := range count {
		writeAll(unix.Stdout, fmt.Appendf(nil, "line %d", i))
		writeAll(unix.Stdout, []byte(" end\n"))
	}
	switch args[1] {
	case "kill":
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	case "exit":
		os.Exit(3)
	}
}

var burstLine = regexp.MustCompile(`^(\{.*"msg":")?line (\d+) end("\})?\n$`)

// expectBurst checks that the lines of a burst are all there, in their order and once,
// and that no other line is but nodeinit's own.
func expectBurst(t *testing.T, output string, count int) {
	t.Helper()
	next := 0
	for line := range strings.Lines(output) {
		if strings.Contains(line, `"logger":"nodeinit"`) {
			continue
		}
		m := burstLine.FindStringSubmatch(line)
		if m == nil || m[2] != strconv.Itoa(next) {
			t.Fatalf("line %d is %q", next, line)
		}
		next++
	}
	if next != count {
		t.Errorf("%d lines, want %d", next, count)
	}
}

// flooder is a catcher that writes to stdout and stderr as fast as it can.
func flooder(args []string) {
	for fd := unix.Stdout; fd <= unix.Stderr; fd++ {
		go func() {
			for i := 0; ; i++ {
				writeAll(fd, fmt.Appendf(nil, "line %d end\n", i))
			}
		}()
	}
	harness.Catcher(args)
}

// A reader that does not read stalls the program's writes, and nothing of nodeinit's:
// signals are passed on, orphans reaped, and it ends. When the reader comes back it has
// whole lines.
func TestStalledReaderOfLogs(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"lines", "json"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			c := harness.UnderInit("-vv --grace 0 --logs "+form, testproc.Argv("flooder", "program")...)
			var reader *os.File
			reader, c.Stdout = pipe(t)
			c.Stderr = c.Stdout
			p := c.Start(t)
			c.Stdout.Close()
			p.Expect("program up")
			for range flood {
				p.Signal(unix.SIGUSR1)
				p.Expect(harness.Caught("program", unix.SIGUSR1)...)
			}
			p.Signal(unix.SIGTERM)
			harness.ExpectAll(t, p, harness.Caught("program", unix.SIGTERM)...)
			p.CloseStdin()
			p.WaitCode(7)
			text, err := io.ReadAll(reader)
			if err != nil {
				t.Fatal(err)
			}
			expectWholeLines(t, string(text))
		})
	}
}

// expectWholeLines checks that each line is one of a burst or of nodeinit, but the last,
// which the end of nodeinit may have cut off.
func expectWholeLines(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text[:strings.LastIndexByte(text, '\n')+1]) {
		if !burstLine.MatchString(line) && !strings.Contains(line, `"logger":"nodeinit"`) {
			t.Fatalf("a torn line: %q", line)
		}
	}
}

func TestReapsThoughLogsAreStalled(t *testing.T) {
	t.Parallel()
	c := harness.UnderInit("-vv --warn-on-reap --logs lines", testproc.Argv("nursery", forkOrphans...)...)
	stuffed := harness.Under(c, testproc.Argv("stuffed", "blocking")...)
	_, stuffed.Stdout = pipe(t)
	p := stuffed.Start(t)
	p.Expect("status 0")
	harness.ExpectProcesses(t, p, 2)
	p.Signal(unix.SIGTERM)
	p.WaitCode(143)
}

// A pipe that a process outside the container still has does not keep nodeinit.
func TestPipeThatStaysOpen(t *testing.T) {
	t.Parallel()
	p := harness.UnderInit("--logs lines", testproc.Argv("idle")...).Start(t)
	p.Expect("up")
	var kept *os.File
	for pid := range harness.States(t, p) {
		if pid == 1 {
			continue
		}
		path := fmt.Sprintf("/proc/%d/root/proc/%d/fd/1", p.PID, pid)
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		kept = file
	}
	defer kept.Close()
	if _, err := kept.WriteString("from outside"); err != nil {
		t.Fatal(err)
	}
	p.CloseStdin()
	p.WaitCode(0)
	if !strings.Contains(p.Output(), "from outside\n") {
		t.Errorf("what was written is not in %q", p.Output())
	}
	exitLine(t, p.Output())
}

// One that has no descriptors left for the pipes says so, and with which status.
func TestNoDescriptorsForPipes(t *testing.T) {
	t.Parallel()
	c := harness.Under(harness.UnderInit("--logs json", "true"), testproc.Argv("nofiles")...)
	p := c.Start(t)
	if code := p.Wait().ExitStatus(); code != 125 && code != 126 {
		t.Errorf("status %d", code)
	}
	last := exitLine(t, p.Output())
	if text, _ := last.Facts["error"].(string); last.Cause != "not_started" || !strings.Contains(text, "too many open files") {
		t.Errorf("the report is %v", last.Facts)
	}
}

// The words of a secret are in no line of nodeinit's, at no level.
func TestEnvironmentIsNotLogged(t *testing.T) {
	t.Parallel()
	const marker = "s3cr3t-value"
	environ := []string{
		"SECRET=" + marker, "NODE_OPTIONS=--title=" + marker, "NODEINIT_NOSUCH=" + marker, "FORCE_COLOR=" + marker, "TERM=" + marker,
		"NODE_CLUSTER_SCHED_POLICY=" + marker, "npm_config_x=" + marker, "LISTEN_FDS=" + marker, "NODEINIT_CHANNEL=" + marker,
	}
	dir := t.TempDir()
	harness.WriteFile(t, filepath.Join(dir, "package.json"), `{"scripts":{"start":"node a.js","odd":"node a.js && true"}}`, 0o644)
	harness.WriteFile(t, filepath.Join(dir, "a.js"), "require('http').createServer().listen(0, () => process.exit())", 0o644)
	for _, argv := range []string{"node a.js", "npm start", "npm run odd", "sh -c node\ta.js;true", "/no/such"} {
		for _, flags := range []string{"--mode fork", "--workers 2 --memory 512M", "--heap 64M --logs json", "--pre true"} {
			t.Run(argv+" "+flags, func(t *testing.T) {
				t.Parallel()
				words := strings.Fields(strings.ReplaceAll(argv, "\t", "\x00"))
				for i := range words {
					words[i] = strings.ReplaceAll(words[i], "\x00", " ")
				}
				c := harness.WithEnv(harness.UnderInit("-vv "+flags, words...), environ...)
				c.Dir = dir
				p := c.Start(t)
				p.Wait()
				if all := p.Output() + p.Errors(); strings.Contains(all, marker) || !strings.Contains(all, `"msg":"starting"`) {
					t.Errorf("heard %s", all)
				}
			})
		}
	}
}

// nofiles becomes args with no descriptor left to open but a few.
func nofiles(args []string) {
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 10, Max: 10}); err != nil {
		harness.Fail(err)
	}
	harness.Become(args)
}

// On a terminal each line has the time and a tag; a child is told of the colours that it
// could have used.
func TestLinesOnATerminal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		environ []string
		want    string
	}{
		"colours": {[]string{"TERM=xterm-256color"}, "\x1b[36mprogram  |\x1b[0m 2\r\n"},
		"none":    {[]string{"TERM=xterm-256color", "NO_COLOR=1"}, " program  | none\r\n"},
		"dumb":    {[]string{"TERM=dumb"}, " program  | none\r\n"},
		"forced":  {[]string{"TERM=dumb", "FORCE_COLOR=3"}, "\x1b[36mprogram  |\x1b[0m 3\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := harness.UnderInit("--logs lines", "sh", "-c", "echo ${FORCE_COLOR-none}; echo error >&2")
			command.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool {
				return regexp.MustCompile(`^(NO_COLOR|FORCE_COLOR|TERM|COLORTERM|NODE_DISABLE_COLORS|TMUX)=`).MatchString(kv)
			}), c.environ...)
			x := harness.OnTerminal(t, command, true)
			x.WaitCode(0)
			x.WaitFor("exit cause=exit")
			if !regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3} (\x1b\[36m)?program  \|(\x1b\[0m)? error\r$`).MatchString(x.Text()) || !strings.Contains(x.Text(), c.want) {
				t.Errorf("no %q, or no tag before error", c.want)
			}
		})
	}
}

// By default a terminal is the program's own, so that prompts and colours are as before.
func TestTerminalIsTheProgramsByDefault(t *testing.T) {
	t.Parallel()
	x := harness.OnTerminal(t, harness.UnderInit("", "sh", "-c", "test -t 1 && test -t 2 && printf 'prompt> '"), true)
	x.WaitCode(0)
	x.WaitFor("\nprompt> ")
}

// All lines are JSON where that is asked for, on a terminal too.
func TestJSONOnATerminal(t *testing.T) {
	t.Parallel()
	x := harness.OnTerminal(t, harness.UnderInit("--logs json", "echo", "text"), true)
	x.WaitCode(0)
	x.WaitFor(`"msg":"exit"`)
	for line := range strings.Lines(strings.ReplaceAll(x.Text(), "\r", "")) {
		if !json.Valid([]byte(line)) {
			t.Errorf("%q", line)
		}
	}
}

// What ran before the program has been passed on before anything that the program writes.
func TestOutputOfPreComesFirst(t *testing.T) {
	t.Parallel()
	c := speaks("--logs lines", "program\n")
	c.Argv = slices.Insert(c.Argv, 1, "--pre", strings.Join(testproc.Argv("speaker", strings.Repeat("x", 100_000), "two"), " "))
	p := c.Start(t)
	p.WaitCode(0)
	if got, want := p.Output(), strings.Repeat("x", 100_000)+"two\nprogram\n"; got != want {
		t.Errorf("got %d bytes that end in %q", len(got), got[max(len(got)-30, 0):])
	}
}

// However many processes write, nodeinit has no more threads.
func TestThreadsWithLogs(t *testing.T) {
	t.Parallel()
	c := harness.UnderInit("--logs json --grace 0", testproc.Argv("flooder", "program")...)
	var reader *os.File
	reader, c.Stdout = pipe(t)
	c.Stderr = c.Stdout
	p := c.Start(t)
	c.Stdout.Close()
	p.Expect("program up")
	buffer := make([]byte, 1<<20)
	for range 64 {
		if _, err := io.ReadFull(reader, buffer); err != nil {
			t.Fatal(err)
		}
	}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.PID))
	if err != nil || len(tasks) > 8 {
		t.Errorf("%d threads, %v", len(tasks), err)
	}
	if bytes.IndexByte(buffer, 0) >= 0 {
		t.Error("a NUL byte that nobody wrote")
	}
	p.Signal(unix.SIGKILL)
	p.Wait()
}
