package pid1

import (
	"bytes"
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
	if text, _ := last.Facts["error"].(string); last.Cause != "not_started" || !strings.Contains(text, "too many open files (raise docker run --ulimit nofile, or ulimit -n)") {
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
