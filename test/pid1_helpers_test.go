package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// underInit is argv under nodeinit, with flags that are split at spaces, as
// PID 1 of a PID namespace of its own.
func underInit(flags string, argv ...string) testproc.Command {
	return testproc.Command{PID1: true, Argv: slices.Concat([]string{nodeinit}, strings.Fields(flags), []string{"--"}, argv)}
}

// withEnv adds variables to the environment of c.
func withEnv(c testproc.Command, vars ...string) testproc.Command {
	if c.Env == nil {
		c.Env = os.Environ()
	}
	c.Env = append(c.Env, vars...)
	return c
}

// under puts c's command behind others that become it by exec, such as a role
// that leaves it a hard start in life.
func under(c testproc.Command, prefix ...string) testproc.Command {
	c.Argv = slices.Concat(prefix, c.Argv)
	return c
}

// expectAll reads as many lines as there are in want, in any order.
func expectAll(t *testing.T, p *testproc.Process, want ...string) {
	t.Helper()
	var got []string
	for range want {
		got = append(got, p.Line())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("reported %q, want %q", got, want)
	}
}

// An ownLine is one of nodeinit's own.
type ownLine struct {
	Level, Msg string
	Facts      map[string]any // all of it
}

// readLog reads output that holds nodeinit's JSON lines and nothing else. It
// fails the test if the keys do not come in the order that we promise.
func readLog(t *testing.T, output string) []ownLine {
	t.Helper()
	var lines []ownLine
	for text := range strings.Lines(output) {
		var line ownLine
		if err := json.Unmarshal([]byte(text), &line.Facts); err != nil {
			t.Fatalf("%q is not JSON: %v", text, err)
		}
		field := func(key string) string { s, _ := line.Facts[key].(string); return s }
		line.Level, line.Msg = field("level"), field("msg")
		start := fmt.Sprintf(`{"time":%q,"level":%q,"logger":"nodeinit","msg":%q`, field("time"), line.Level, line.Msg)
		if !strings.HasPrefix(text, start) || !strings.HasSuffix(text, "}\n") {
			t.Fatalf("%q does not begin with %s", text, start)
		}
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", field("time")); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// messages returns the messages of lines in their order.
func messages(lines []ownLine) []string {
	var list []string
	for _, line := range lines {
		list = append(list, line.Msg)
	}
	return list
}

// exitReport returns the last line of output, the exit report.
func exitReport(t *testing.T, output string) ownLine {
	t.Helper()
	lines := readLog(t, output)
	if len(lines) == 0 || lines[len(lines)-1].Msg != "exit" {
		t.Fatalf("the log does not end with an exit report:\n%s", output)
	}
	return lines[len(lines)-1]
}

// states returns the processes in the PID namespace of p, by their IDs there:
// the command, and the state as in ps (Z is a zombie).
func states(t *testing.T, p *testproc.Process) map[int]string {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d/root/proc", p.PID)
	if _, err := os.Readlink(proc + "/self"); err == nil {
		return nil // we are in it: the new namespace has not mounted its own yet
	}
	stats, err := filepath.Glob(proc + "/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[int]string)
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
		}
		id, rest, _ := strings.Cut(string(stat), " (")
		pid, err := strconv.Atoi(id)
		if i := strings.LastIndex(rest, ") "); err == nil && i >= 0 {
			found[pid] = rest[:i] + " " + rest[i+2:i+3]
		}
	}
	return found
}

// stateOf returns the state of the process pid in the namespace of p, "" if
// there is none.
func stateOf(t *testing.T, p *testproc.Process, pid int) string {
	t.Helper()
	_, state, _ := cutLast(states(t, p)[pid], " ")
	return state
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// expectOnly waits until there are n processes in the namespace of p, zombies
// counted.
func expectOnly(t *testing.T, p *testproc.Process, n int) {
	t.Helper()
	var now map[int]string
	defer func() {
		if t.Failed() {
			t.Logf("processes: %v", slices.Collect(maps.Values(now)))
		}
	}()
	waitUntil(t, fmt.Sprintf("%d processes to be left", n), func() bool {
		now = states(t, p)
		return len(now) == n
	})
}

// numberIn returns the number at the end of a line that a role reported.
func numberIn(t *testing.T, line string) int {
	t.Helper()
	_, last, _ := cutLast(line, " ")
	n, err := strconv.Atoi(last)
	if err != nil {
		t.Fatalf("%q does not end in a number", line)
	}
	return n
}

// fail ends a role that cannot go on.
func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(97)
}
