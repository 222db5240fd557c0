package cluster

import (
	"encoding/json"
	"fmt"
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

// patient keeps a busy machine from deciding a test: workers may be slow to get ready.
const patient = "--ready-timeout 10m "

// logging is a program of testdata/logs as two workers.
func logging(t *testing.T, version, flags, file string, args ...string) testproc.Command {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata/logs", file))
	if err != nil {
		t.Fatal(err)
	}
	return harness.UnderInit("--mode per-core --workers 2 --log-to stderr "+harness.LongGrace+patient+flags, append([]string{harness.NodeBinary(t, version), path}, args...)...)
}

// onEachForm runs a test on the oldest and the newest Node, in each form of logs that
// has pipes.
func onEachForm(t *testing.T, test func(t *testing.T, version, flags string)) {
	for _, version := range harness.EdgeLines() {
		for _, form := range []string{"auto", "json"} { // auto is lines: stdout is a pipe
			t.Run(version+" "+form, func(t *testing.T) {
				t.Parallel()
				test(t, version, "--logs "+form+" ")
			})
		}
	}
}

var writtenLine = regexp.MustCompile(`^worker (\d) pid (\d+) line (\d+) (x*)$`)

// texts returns what was written to stdout, line by line. Under --logs json it checks that
// each line is an object of the worker and the process that the text names.
func texts(t *testing.T, output, flags string) (lines []string) {
	t.Helper()
	for line := range strings.Lines(output) {
		if strings.Contains(flags, "json") {
			line = ofRecord(t, line, "stdout", "info")
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines
}

// ofRecord returns the text of a line that is an object.
func ofRecord(t *testing.T, line, stream, level string) string {
	t.Helper()
	var r struct {
		Time, Level, Stream, Msg string
		Worker, PID              int
	}
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatalf("%q is no object: %v", line, err)
	}
	if r.Stream != stream || r.Level != level || r.Time == "" {
		t.Fatalf("%q: want %s of %s", line, level, stream)
	}
	if m := regexp.MustCompile(`worker (\d) pid (\d+)`).FindStringSubmatch(r.Msg); m != nil && (m[1] != strconv.Itoa(r.Worker) || m[2] != strconv.Itoa(r.PID)) {
		t.Fatalf("%q is of another process", line)
	}
	return r.Msg
}

// expectAllLines checks that each of two workers has written count lines of size bytes:
// whole, once, in their order.
func expectAllLines(t *testing.T, lines []string, count, size int) {
	t.Helper()
	next := map[string]int{"0": 0, "1": 0}
	for _, line := range lines {
		m := writtenLine.FindStringSubmatch(line)
		if m == nil || len(line) != size-1 {
			t.Fatalf("a torn line: %q", line)
		}
		if m[3] != strconv.Itoa(next[m[1]]) {
			t.Fatalf("worker %s: line %s, want %d", m[1], m[3], next[m[1]])
		}
		next[m[1]]++
	}
	if next["0"] != count || next["1"] != count {
		t.Errorf("%v lines of the workers, want %d", next, count)
	}
}

// Two workers write as fast as they can: no line is torn, lost or there twice.
func TestLinesOfWorkersAreWhole(t *testing.T) {
	t.Parallel()
	onEachForm(t, func(t *testing.T, version, flags string) {
		p := logging(t, version, flags, "writer.js", "lines", "6000", "1000").Start(t)
		p.WaitCode(0)
		expectAllLines(t, texts(t, p.Output(), flags), 6000, 1000)
	})
}

// process.exit() loses what the pipe does not take, and this one takes 1 MiB.
func TestProcessExitLosesNothing(t *testing.T) {
	t.Parallel()
	onEachForm(t, func(t *testing.T, version, flags string) {
		p := logging(t, version, flags, "writer.js", "exit", "512", "1024").Start(t)
		p.WaitCode(0)
		expectAllLines(t, texts(t, p.Output(), flags), 512, 1024)
	})
}

// A worker that is killed has left what it had written in the pipe.
func TestKilledWorkerLosesNothing(t *testing.T) {
	t.Parallel()
	onEachForm(t, func(t *testing.T, version, flags string) {
		p := logging(t, version, flags+"--workers 1", "writer.js", "kill", "5000", "200").Start(t)
		p.WaitCode(137)
		lines := texts(t, p.Output(), flags)
		if len(lines) != 5000 {
			t.Fatalf("%d lines", len(lines))
		}
		for i, line := range lines {
			if m := writtenLine.FindStringSubmatch(line); m == nil || m[3] != strconv.Itoa(i) || len(line) != 199 {
				t.Fatalf("line %d is %q", i, line)
			}
		}
		if last := lastLineOf(p.Errors()); !strings.Contains(last, `"msg":"exit"`) {
			t.Errorf("the last line is %s", last)
		}
	})
}

func lastLineOf(text string) string {
	text = strings.TrimSuffix(text, "\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// What a worker does to its pipe is not done to nodeinit's stdout, nor to the other's.
func TestTouchedStdout(t *testing.T) {
	t.Parallel()
	onEachForm(t, func(t *testing.T, version, flags string) {
		p := logging(t, version, flags, "writer.js", "touch", "3000", "1000").Start(t)
		harness.WaitUntil(t, "both workers to have written", func() bool { return strings.Count(p.Errors(), "touched") == 2 })
		for fd := 1; fd <= 2; fd++ {
			info := harness.ReadFile(t, fmt.Sprintf("/proc/%d/fdinfo/%d", p.PID, fd))
			m := regexp.MustCompile(`flags:\s+(\d+)`).FindStringSubmatch(info)
			flags, err := strconv.ParseUint(m[1], 8, 32)
			if err != nil || flags&unix.O_NONBLOCK != 0 {
				t.Errorf("descriptor %d has flags %s", fd, m[1])
			}
		}
		p.Signal(unix.SIGTERM)
		p.Wait()
		expectAllLines(t, texts(t, p.Output(), flags), 3000, 1000)
	})
}

// A stack trace is one object, on stderr, and what loggers write keeps its own keys.
func TestTracesAreOneObject(t *testing.T) {
	t.Parallel()
	for _, version := range harness.EdgeLines() {
		p := logging(t, version, "--logs json", "tracer.js").Start(t)
		p.WaitCode(0)
		var traces []string
		for line := range strings.Lines(p.Errors()) {
			if !strings.Contains(line, `"logger":"nodeinit"`) {
				traces = append(traces, ofRecord(t, line, "stderr", "error"))
			}
		}
		if len(traces) != 2 || !strings.HasPrefix(traces[0], "TypeError: no such thing\n    at fail (") || !strings.Contains(traces[0], "[cause]: Error: for a reason\n") {
			t.Errorf("%s: the traces are %q", version, traces)
		}
		if n := strings.Count(p.Output(), `{"level":50,"time":1,"msg":"of pino","pid":7,"severity":"ERROR","worker":`); n != 2 {
			t.Errorf("%s: %d lines of pino in %s", version, n, p.Output())
		}
	}
}

// What Node prints for an uncaught exception is one object. Node prints its version by a
// write of its own, which may come later.
func TestUncaughtExceptionIsOneObject(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^/\S+/thrower\.js:3\nsetTimeout\(.*\n +\^\n\nError: no\nsuch thing\n    at Timeout\.later (?s:.*) \{\n  code: 'X'\n\}(\n\nNode\.js v\d+\.\d+\.\d+)?$`)
	for _, version := range harness.NodeLines {
		p := logging(t, version, "--mode fork --logs json", "thrower.js").Start(t)
		p.WaitCode(1)
		var all []string
		for line := range strings.Lines(p.Errors()) {
			if !strings.Contains(line, `"logger":"nodeinit"`) {
				all = append(all, ofRecord(t, line, "stderr", "error"))
			}
		}
		if later := []string{"\nNode.js v" + version}; len(all) == 0 || !form.MatchString(all[0]) || len(all) > 1 && !slices.Equal(all[1:], later) {
			t.Errorf("%s: heard %q", version, all)
		}
	}
}

// Behind a wrapper, the outputs of the process that joins are the pipes of its worker, and
// the other workers are started without the wrapper. One whose output goes elsewhere is
// not learned.
func TestWrapperWithLogs(t *testing.T) {
	t.Parallel()
	onEachForm(t, func(t *testing.T, version, flags string) {
		server, err := filepath.Abs("testdata/logs/server.js")
		if err != nil {
			t.Fatal(err)
		}
		command := harness.NodeBinary(t, version) + " " + server
		c := harness.UnderInit("--workers 2 --log-to stderr "+harness.LongGrace+patient+flags, "sh", "-c", command+"; true")
		p := c.Start(t)
		harness.WaitUntil(t, "two servers", func() bool { return strings.Count(p.Output(), "serving") == 2 })
		if !strings.Contains(p.Errors(), `"msg":"command learned"`) {
			t.Errorf("no command was learned:\n%s", p.Errors())
		}
		p.Signal(unix.SIGTERM)
		p.Wait()
		for slot := range 2 {
			if n := strings.Count(p.Output(), fmt.Sprintf("serving worker %d ", slot)); n != 1 {
				t.Errorf("worker %d is heard %d times:\n%s", slot, n, p.Output())
			}
		}

		c.Argv[len(c.Argv)-1] = command + " | cat"
		p = c.Start(t)
		harness.WaitUntil(t, "one process to stay alone", func() bool { return strings.Contains(p.Errors(), `"msg":"staying one process"`) })
		if !strings.Contains(p.Errors(), "its standard output is another one") {
			t.Errorf("another reason:\n%s", p.Errors())
		}
		p.Signal(unix.SIGTERM)
		p.Wait()
	})
}

// A reload keeps what the workers of both generations write, to their last words.
func TestReloadKeepsLogs(t *testing.T) {
	t.Parallel()
	onEachForm(t, func(t *testing.T, version, flags string) {
		p := logging(t, version, flags+"--reload-signal HUP", "server.js").Start(t)
		harness.WaitUntil(t, "two servers", func() bool { return strings.Count(p.Output(), "serving") == 2 })
		p.Signal(unix.SIGHUP)
		harness.WaitUntil(t, "the end of the reload", func() bool { return strings.Contains(p.Errors(), `"msg":"reload done"`) })
		p.Signal(unix.SIGTERM)
		p.WaitCode(0)
		heard := map[string][]string{}
		for _, line := range texts(t, p.Output(), flags) {
			what, generation, _ := strings.Cut(line, " ")
			heard[generation] = append(heard[generation], what)
		}
		for generation, words := range heard {
			if !slices.Equal(words, []string{"hello", "serving", "bye"}) {
				t.Errorf("%s said %q", generation, words)
			}
		}
		if len(heard) != 4 {
			t.Errorf("%d processes were heard, want 4", len(heard))
		}
	})
}

// Workers inherit their outputs where that is asked for, or where no pipe is torn.
func TestWorkersInheritTheirOutputs(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for flags, stdout := range map[string]*os.File{"--logs raw": nil, "": file} {
		c := logging(t, harness.NewestLine, flags, "server.js")
		c.Stdout = stdout
		p := c.Start(t)
		workers := make(map[int]int)
		harness.WaitUntil(t, "two workers", func() bool {
			for _, line := range harness.OwnLines(t, p.Errors()) {
				if slot, ok := line.Facts["worker"].(float64); ok && line.Msg == "worker ready" {
					workers[int(slot)] = line.PID
				}
			}
			return len(workers) == 2
		})
		own, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/1", p.PID))
		if err != nil {
			t.Fatal(err)
		}
		for slot, pid := range workers {
			its, err := os.Readlink(fmt.Sprintf("/proc/%d/root/proc/%d/fd/1", p.PID, pid))
			if err != nil || its != own {
				t.Errorf("%q: worker %d writes to %s, %v, nodeinit to %s", flags, slot, its, err, own)
			}
		}
		p.Signal(unix.SIGTERM)
		p.WaitCode(0)
	}
}
