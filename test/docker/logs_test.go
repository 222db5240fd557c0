package docker

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// Docker 20.10 loses the newline after an object that it had split (moby: local/read.go).
const noLarge = "NO_LARGE=1"

// logFlags are the flags of docker run for testdata/logs, and what follows them: nodeinit with two workers
// of one of its programs. More flags of docker run come first.
func logFlags(t *testing.T, program string, flags ...string) []string {
	t.Helper()
	dir, err := filepath.Abs("testdata/logs")
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(flags, withNode(t, harness.NewestLine), []string{
		"--volume", harness.Nodeinit + ":/nodeinit:ro", "--volume", dir + ":/app:ro", "--cpus", "2", "--entrypoint", "/nodeinit",
		"--", "--mode", "per-core", "--workers", "2", "--logs", "json", "--", "node", "/app/" + program,
	})
}

// TestLogDrivers: what the drivers that docker logs reads make of lines that are hard on the way.
func TestLogDrivers(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]string{
		"json-file": drawn(t, "json-file"),
		"local":     {"--log-driver", "local", "--env", noLarge},
		"journald":  {"--log-driver", "journald"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "journald" {
				startJournal(t)
			}
			app := runContainer(t, nodeImage, logFlags(t, "lines.js", options...)...)
			if status := app.wait(); status != 0 {
				t.Errorf("status %d, want 0", status)
			}
			app.untilReported()
			stdout, stderr := app.output()
			checkLines(t, strictLines(t, stdout), strictLines(t, stderr), !slices.Contains(options, noLarge))
		})
	}
}

// untilReported waits for the exit report: the journal has it a little after the container has ended.
func (c *container) untilReported() {
	c.t.Helper()
	harness.WaitUntil(c.t, "the exit report", func() bool {
		stdout, _ := c.output()
		return strings.Contains(stdout, `"msg":"exit"`)
	})
}

// checkLines checks what came of testdata/logs/lines.js: the same from each worker.
func checkLines(t *testing.T, stdout, stderr []map[string]any, withLarge bool) {
	t.Helper()
	for worker := range 2 {
		var texts []string
		large := 0
		for _, line := range slices.Concat(ofWorker(stdout, worker), ofWorker(stderr, worker)) {
			text, _ := line["msg"].(string)
			if _, part := line["partial_message"]; !part && text != "large" {
				texts = append(texts, text)
			}
			if text == "large" {
				checkLarge(t, line)
				large++
			}
		}
		if (large == 1) != withLarge {
			t.Errorf("worker %d: %d large objects", worker, large)
		}
		want := []string{"plain", "carriage return", `bytes \xff` + "\x00 end", "\x1b[32mgreen\x1b[39m", `{"msg":"broken"`, "the last, without an end"}
		if len(texts) != len(want)+1 || !slices.Equal(texts[:len(want)], want) {
			t.Fatalf("worker %d: texts are %q, want %q and a trace", worker, texts, want)
		}
		if trace := texts[len(want)]; !strings.HasPrefix(trace, "Error: a trace\n    at ") {
			t.Errorf("worker %d: the trace is %q", worker, trace)
		}
		checkParts(t, ofWorker(stdout, worker), "text "+strings.Repeat("é", 20000))
	}
}

// ofWorker returns a worker's lines.
func ofWorker(lines []map[string]any, worker int) (list []map[string]any) {
	for _, line := range lines {
		if line["worker"] == float64(worker) && line["logger"] == nil {
			list = append(list, line)
		}
	}
	return list
}

// checkLarge checks the object that is larger than what Docker's copier takes at once.
func checkLarge(t *testing.T, line map[string]any) {
	t.Helper()
	data, _ := line["data"].(string)
	if data != strings.Repeat("x", 40000) || line["severity"] != "INFO" {
		t.Errorf("the large object has %d bytes of data, severity %v", len(data), line["severity"])
	}
}

// checkParts checks that the pieces of a line are those of one text, in order.
func checkParts(t *testing.T, lines []map[string]any, want string) {
	t.Helper()
	var text strings.Builder
	ordinal, ids := 0, make(map[any]bool)
	for _, line := range lines {
		if _, part := line["partial_message"]; !part {
			continue
		}
		piece, _ := line["msg"].(string)
		text.WriteString(piece)
		ids[line["partial_id"]] = true
		last := text.Len() == len(want)
		ordinal++
		want := [3]any{"true", strconv.Itoa(ordinal), strconv.FormatBool(last)}
		if got := [3]any{line["partial_message"], line["partial_ordinal"], line["partial_last"]}; got != want {
			t.Errorf("a piece has partial_message, _ordinal and _last %q, want %q", got, want)
		}
	}
	if text.String() != want || len(ids) != 1 {
		t.Errorf("the pieces have %d bytes and the ids %v, want %d and one", text.Len(), ids, len(want))
	}
}

// TestKilledWorkersLoseNothing: what workers have written before kill -9 in the middle of a burst is there. Both
// get it at once, so that nodeinit ends while its pipes are full.
func TestKilledWorkersLoseNothing(t *testing.T) {
	t.Parallel()
	progress := t.TempDir()
	app := runContainer(t, nodeImage, logFlags(t, "burst.js", "--volume", progress+":/progress", "--log-opt", "max-size=1g")...)
	written := func(worker int) (n int) {
		text, _ := os.ReadFile(filepath.Join(progress, strconv.Itoa(worker)))
		n, _ = strconv.Atoi(strings.TrimSpace(string(text))) // 0: not yet
		return n
	}
	harness.WaitUntil(t, "both workers to write", func() bool { return written(0) > 1000 && written(1) > 1000 })
	var pids []string
	for _, line := range app.logged("worker started") {
		pids = append(pids, fmt.Sprint(line.PID))
	}
	// The shell that does it may end with the container before docker hears of its success.
	_, _ = harness.Run("docker", "exec", app.name, "sh", "-c", "kill -KILL "+strings.Join(pids, " "))
	if status := app.wait(); status != 137 {
		t.Errorf("status %d, want 137", status)
	}
	stdout, stderr := app.output()
	strictLines(t, stderr)
	lines := strictLines(t, stdout)
	for worker := range 2 {
		next := 0
		for _, line := range ofWorker(lines, worker) {
			n, ok := numberIn(line)
			if !ok { // the last may have been cut off
				t.Logf("worker %d: %v", worker, line)
				continue
			}
			if n != next {
				t.Fatalf("worker %d: line %d follows %d", worker, n, next-1)
			}
			next++
		}
		if want := written(worker); next < want {
			t.Errorf("worker %d: %d lines of %d", worker, next, want)
		}
	}
	if last := lines[len(lines)-1]; last["msg"] != "exit" {
		t.Errorf("the last line is %v", last)
	}
}

// numberIn returns the number of a line of testdata/logs/burst.js.
func numberIn(line map[string]any) (n int, ok bool) {
	if number, isNumber := line["n"].(float64); isNumber {
		return int(number), true
	}
	text, _ := line["msg"].(string)
	_, err := fmt.Sscanf(text, "n=%d ", &n)
	return n, err == nil
}
