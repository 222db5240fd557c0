package docker

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
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
// it are of one process; workers_test.go has those of workers.
func mounted(t *testing.T) []string {
	t.Helper()
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return []string{"--volume", harness.Nodeinit + ":/nodeinit:ro", "--volume", testdata + ":/app:ro", "--workdir", "/app", "--entrypoint", "/nodeinit", "--env", "NODEINIT_MODE=fork"}
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

// log is nodeinit's lines so far.
func (c *container) log() []harness.LogLine {
	c.t.Helper()
	stdout, _ := c.output()
	return harness.OwnLines(c.t, stdout)
}

// logged returns nodeinit's lines with that message.
func (c *container) logged(msg string) []harness.LogLine {
	c.t.Helper()
	return slices.DeleteFunc(c.log(), func(l harness.LogLine) bool { return l.Msg != msg })
}

// report is the exit report of a container that has ended: the last line of its stdout.
func (c *container) report() harness.LogLine {
	c.t.Helper()
	stdout, _ := c.output()
	return harness.LastReport(c.t, stdout)
}

// checkEnd waits for the end of the container and checks its status, and what the exit report says.
func (c *container) checkEnd(cause string, status int) harness.LogLine {
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
