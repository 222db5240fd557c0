package pid1

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// readLog, which every line goes through, checks the order of the keys.
func TestLogsOneLineForEachChange(t *testing.T) {
	t.Parallel()
	p := startCatcher(t, harness.UnderInit("--grace 10m"))
	p.Signal(unix.SIGTERM)
	harness.ExpectAll(t, p, harness.Caught("program", unix.SIGTERM)...)
	p.CloseStdin()
	p.WaitCode(7)
	lines := harness.ReadLog(t, p.Output())
	if got, want := harness.Messages(lines), []string{"starting", "program started", "stopping", "exit"}; !slices.Equal(got, want) {
		t.Fatalf("logged %q, want %q", got, want)
	}
	for key, want := range map[string]any{"mode": "fork", "version": "0.1.0"} {
		if got := lines[0].Facts[key]; got != want {
			t.Errorf("start line: %s is %v, want %v", key, got, want)
		}
	}
	for key, want := range map[string]any{"level": "info", "cause": "exit", "status": 7.0, "requested": true, "crashes": 0.0} {
		if got := lines[3].Facts[key]; got != want {
			t.Errorf("exit report: %s is %v, want %v", key, got, want)
		}
	}
	for _, key := range []string{"uptime_ms", "max_rss_bytes"} {
		if n, ok := lines[3].Facts[key].(float64); !ok || n < 0 {
			t.Errorf("exit report: %s is %v", key, lines[3].Facts[key])
		}
	}
}

// What a user hands in cannot break a line, nor make it longer than a pipe
// writes at once.
func TestLogsStayLines(t *testing.T) {
	t.Parallel()
	evil := "a\"b\\c\nd\x1b[31m\xff" + strings.Repeat("\x01", 5000)
	p := harness.WithEnv(harness.UnderInit("", "sh", "-c", "exit 3", evil), "NODEINIT_"+evil+"=1").Start(t)
	p.WaitCode(3)
	if got, want := harness.Messages(harness.ReadLog(t, p.Output())), []string{"unknown setting", "starting", "program started", "exit"}; !slices.Equal(got, want) {
		t.Errorf("logged %q, want %q", got, want)
	}
	expectShortLines(t, p.Output())
}

func expectShortLines(t *testing.T, output string) {
	t.Helper()
	for line := range strings.Lines(output) {
		if len(line) > 4096 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

// The line that says what was found is there however long that is.
func TestLogsItsStartWhateverIsInIt(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long", 1500)
	c := harness.WithEnv(harness.UnderInit("", "node", "--run", long), "WEB_CONCURRENCY=2")
	c.Dir = t.TempDir()
	harness.WriteFile(t, filepath.Join(c.Dir, "package.json"), "{}", 0o644)
	p := c.Start(t)
	p.Wait() // a Node that knows --run or not
	if got, want := harness.Messages(harness.ReadLog(t, p.Output())), []string{"starting", "program started", "exit"}; !slices.Equal(got, want) {
		t.Errorf("logged %q, want %q", got, want)
	}
	expectShortLines(t, p.Output())
}

func TestLogLevels(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string][]string{
		"":                   {"starting", "program started", "exit"},
		"-v":                 {"starting", "program started", "signal forwarded", "exit"},
		"-vv":                {"starting", "program found", "program started", "signal forwarded", "exit"},
		"--verbose=2":        {"starting", "program found", "program started", "signal forwarded", "exit"},
		"-v --log-level off": {"starting", "program started", "signal forwarded", "exit"},
		"--log-level warn":   {"exit"},
		"--log-level off":    nil,
	} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			p := startCatcher(t, harness.UnderInit(flags))
			p.Signal(unix.SIGUSR1)
			p.Expect(harness.Caught("program", unix.SIGUSR1)...)
			p.CloseStdin()
			p.WaitCode(7)
			if got := harness.Messages(harness.ReadLog(t, p.Output())); !slices.Equal(got, want) {
				t.Errorf("logged %q, want %q", got, want)
			}
		})
	}
}

func TestLogsText(t *testing.T) {
	t.Parallel()
	p := harness.UnderInit("--log-format text --log-to stderr", testproc.Argv("arguments")...).Start(t)
	p.WaitCode(0)
	if p.Output() != "" || strings.Contains(p.Errors(), `"level"`) || !strings.Contains(p.Errors(), " nodeinit exit cause=exit ") {
		t.Errorf("stdout %q, stderr %q", p.Output(), p.Errors())
	}
}
