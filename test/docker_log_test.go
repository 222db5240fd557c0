package test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

const nodeImage = "node:20-bookworm-slim"

// runMounted is runContainer of an image that gets /nodeinit and, as /app, the directory testdata
// mounted. The command is nodeinit's arguments, its flags first.
//
//	runMounted(t, nodeImage, "--memory", "128m", "--", "--grace", "1s", "node", "leak.js")
func runMounted(t *testing.T, image string, args ...string) *container {
	t.Helper()
	return runContainer(t, image, slices.Concat(mounted(t), args)...)
}

// mounted are the flags of docker run that put nodeinit and testdata into any image. Tests that use
// it are of one process; docker_cluster_test.go has those of workers.
func mounted(t *testing.T) []string {
	t.Helper()
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return []string{"--volume", nodeinit + ":/nodeinit:ro", "--volume", testdata + ":/app:ro", "--workdir", "/app", "--entrypoint", "/nodeinit", "--env", "NODEINIT_MODE=fork"}
}

// output is what the container has written so far.
func (c *container) output() (stdout, stderr string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testproc.HangLimit)
	defer cancel()
	var out, errs strings.Builder
	command := exec.CommandContext(ctx, "docker", "logs", c.name)
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil {
		c.t.Fatalf("docker logs: %v\n%s", err, errs.String())
	}
	return out.String(), errs.String()
}

// waitFor waits until the container has written a line that contains text, and returns it. The test
// fails at once if the container ends without.
func (c *container) waitFor(text string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testproc.HangLimit)
	defer cancel()
	command := exec.CommandContext(ctx, "docker", "logs", "--follow", c.name)
	read, write := io.Pipe()
	command.Stdout, command.Stderr = write, write
	if err := command.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		write.CloseWithError(command.Wait())
	}()
	defer func() {
		cancel()
		read.Close()
		<-ended
	}()
	for lines := bufio.NewScanner(read); lines.Scan(); {
		if strings.Contains(lines.Text(), text) {
			return lines.Text()
		}
	}
	c.t.Fatalf("no line %q", text)
	return ""
}

// A logLine is a line of nodeinit's log. What a line need not have is a pointer.
type logLine struct {
	Time           time.Time
	Level          string
	Logger         string
	Msg            string
	PID            int
	Cause          string
	Status         *int
	Signal         string
	Requested      *bool
	UptimeMS       *int64   `json:"uptime_ms"`
	PeakMemory     *int64   `json:"peak_memory_bytes"`
	ThrottledShare *float64 `json:"throttled_share"`
	OOMKills       *int     `json:"oom_kills"`
	OldSpace       int64    `json:"old_space_bytes"`
}

// parseLog returns nodeinit's lines among those of text.
func parseLog(t *testing.T, text string) (lines []logLine) {
	t.Helper()
	for line := range strings.Lines(text) {
		if !strings.Contains(line, `"logger":"nodeinit"`) {
			continue
		}
		lines = append(lines, parseLine(t, line))
	}
	return lines
}

func parseLine(t *testing.T, line string) (l logLine) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &l); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	if l.Logger != "nodeinit" || l.Time.IsZero() || l.Level == "" || l.Msg == "" {
		t.Fatalf("not a line of nodeinit's log: %q", line)
	}
	return l
}

// log is nodeinit's lines so far.
func (c *container) log() []logLine {
	c.t.Helper()
	stdout, _ := c.output()
	return parseLog(c.t, stdout)
}

// logged returns nodeinit's lines with that message.
func (c *container) logged(msg string) []logLine {
	c.t.Helper()
	return slices.DeleteFunc(c.log(), func(l logLine) bool { return l.Msg != msg })
}

// report is the exit report of a container that has ended: the last line of its stdout.
func (c *container) report() logLine {
	c.t.Helper()
	stdout, _ := c.output()
	return lastReport(c.t, stdout)
}

// lastReport returns the last line of text, which must be a complete exit report.
func lastReport(t *testing.T, text string) logLine {
	t.Helper()
	text = strings.TrimSuffix(text, "\n")
	line := text[strings.LastIndexByte(text, '\n')+1:]
	l := parseLine(t, line)
	if l.Msg != "exit" || l.Cause == "" || l.Status == nil || l.Requested == nil || l.UptimeMS == nil {
		t.Fatalf("not an exit report: %q", line)
	}
	return l
}

// checkEnd waits for the end of the container and checks its status, and what the exit report says.
func (c *container) checkEnd(cause string, status int) logLine {
	c.t.Helper()
	if got := c.wait(); got != status {
		c.t.Errorf("container's status %d, want %d", got, status)
	}
	end := c.report()
	if end.Cause != cause || *end.Status != status {
		c.t.Errorf("reported cause %q and status %d, want %q and %d", end.Cause, *end.Status, cause, status)
	}
	return end
}

// checkQuiet fails for each line above info in the log but the exit report.
func (c *container) checkQuiet() {
	c.t.Helper()
	for _, l := range c.log() {
		if l.Msg != "exit" && l.Level != "info" && l.Level != "debug" {
			c.t.Errorf("logged at %s: %s", l.Level, l.Msg)
		}
	}
}
