package docker

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/test/harness"
)

// programPID is the process ID of the program, as the last start in the log has it.
func (c *container) programPID() string {
	c.t.Helper()
	started := c.logged("program started")
	if len(started) == 0 {
		c.t.Fatal("no program started")
	}
	return strconv.Itoa(started[len(started)-1].PID)
}

// killProgram sends the program SIGKILL. The shell that does it is in the same container and may end
// with it before docker hears of its success.
func (c *container) killProgram() {
	c.t.Helper()
	_, _ = harness.Run("docker", "exec", c.name, "sh", "-c", "kill -KILL "+c.programPID())
}

// The report has all that there is to say about an ordinary end.
func TestReportOfExit(t *testing.T) {
	t.Parallel()
	app := runMounted(t, nodeImage, "--memory", "256m", "--", "node", "-e", "process.exit(3)")
	end := app.checkEnd("exit", 3)
	if end.Level != "error" || *end.Requested || end.Signal != "" {
		t.Errorf("level %s, requested %v, signal %q; want an error, unrequested, no signal", end.Level, *end.Requested, end.Signal)
	}
	if *end.UptimeMS <= 0 {
		t.Errorf("uptime of %d ms", *end.UptimeMS)
	}
	if end.PeakMemory == nil || *end.PeakMemory < harness.MiB || *end.PeakMemory > 256*harness.MiB {
		t.Errorf("peak memory is not some MiB: %s", harness.AsJSON(t, end))
	}
	if end.OOMKills == nil || *end.OOMKills != 0 {
		t.Errorf("OOM kills are not 0: %s", harness.AsJSON(t, end))
	}
	if end.ThrottledShare != nil {
		t.Errorf("throttled share %v without a CPU limit", *end.ThrottledShare)
	}
}

// Uptime is the program's: no less than its timer, and no more than the test saw pass.
func TestReportOfUptime(t *testing.T) {
	t.Parallel()
	started := time.Now()
	app := runMounted(t, nodeImage, "--", "node", "-e", "setTimeout(() => {}, 300)")
	end := app.checkEnd("exit", 0)
	if all := time.Since(started).Milliseconds(); *end.UptimeMS < 300 || *end.UptimeMS > all {
		t.Errorf("uptime of %d ms, want between 300 and %d", *end.UptimeMS, all)
	}
}

func TestReportOfThrottling(t *testing.T) {
	t.Parallel()
	const busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"
	app := runMounted(t, "nodeinit-test/busybox", "--cpus", "0.2", "--", "--", "sh", "-c", busy)
	end := app.checkEnd("exit", 0)
	if end.ThrottledShare == nil || *end.ThrottledShare <= 0 || *end.ThrottledShare > 1 {
		t.Errorf("a busy loop at a fifth of a CPU was not throttled: %s", harness.AsJSON(t, end))
	}
}

// A SIGKILL that is neither nodeinit's nor the OOM killer's is reported as a signal.
func TestReportOfKill(t *testing.T) {
	t.Parallel()
	app := runMounted(t, nodeImage, "--memory", "256m", "--", "node", "server.js")
	app.waitFor("listening")
	app.killProgram()
	if end := app.checkEnd("signal", 137); end.Signal != "SIGKILL" || *end.Requested {
		t.Errorf("signal %q, requested %v; want SIGKILL, unrequested", end.Signal, *end.Requested)
	}
}

func TestReportOfGraceExceeded(t *testing.T) {
	t.Parallel()
	app := runMounted(t, nodeImage, "--", "--grace", "1s", "node", "ignore.js")
	app.waitFor("up")
	if status := app.stop(); status != 137 {
		t.Errorf("status %d, want 137", status)
	}
	if end := app.checkEnd("grace_exceeded", 137); !*end.Requested {
		t.Error("a stop that was not requested")
	}
	if stdout, _ := app.output(); !strings.Contains(stdout, "SIGTERM ignored") {
		t.Error("no SIGTERM before the SIGKILL")
	}
}

// A crash is a crash for Docker: it restarts the container up to the limit of its policy.
func TestCrashRestartsContainer(t *testing.T) {
	t.Parallel()
	app := runMounted(t, nodeImage, "--restart", "on-failure:2", "--", "node", "-e", `throw new Error("boom")`)
	harness.WaitUntil(t, "two restarts and the end", func() bool {
		return app.inspect(".State.Status") == "exited" && app.inspect(".RestartCount") == "2"
	})
	app.checkEnd("exit", 1)
	if reports := app.logged("exit"); len(reports) != 3 {
		t.Errorf("%d exit reports of 3 runs", len(reports))
	}
}

// A program that is killed comes back with its container; one that was asked to stop does not.
func TestKillRestartsContainer(t *testing.T) {
	t.Parallel()
	app := runMounted(t, nodeImage, "--restart", "unless-stopped", "--", "node", "server.js")
	app.waitFor("listening")
	app.killProgram()
	harness.WaitUntil(t, "the program to listen again", func() bool {
		stdout, _ := app.output()
		return strings.Count(stdout, "listening\n") == 2
	})
	if restarts := app.inspect(".RestartCount"); restarts != "1" {
		t.Errorf("%s restarts, want 1", restarts)
	}
	if status := app.stop(); status != 0 {
		t.Errorf("status %d after docker stop, want the program's own 0", status)
	}
	if app.inspect(".State.Running") != "false" {
		t.Error("runs again after docker stop")
	}
	var causes []string
	for _, end := range app.logged("exit") {
		causes = append(causes, end.Cause)
	}
	if got := strings.Join(causes, " "); got != "signal exit" {
		t.Errorf("reported causes %q, want signal, then exit", got)
	}
}

// The report goes where Kubernetes looks for it, in place of what was there.
func TestReportInTerminationLog(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		command []string
		cause   string
		status  int
	}{
		{"crash", []string{"node", "-e", "process.exit(3)"}, "exit", 3},
		{"not started", []string{"no-such-program"}, "not_started", 127},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := terminationLog(t)
			args := append([]string{"--user", "4711:4711", "--read-only", "--volume", file + ":/dev/termination-log", "--", "--"}, test.command...)
			app := runMounted(t, nodeImage, args...)
			if status := app.wait(); status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := harness.ReadLog(t, string(content))
			if len(lines) != 1 {
				t.Fatalf("/dev/termination-log: %s", content)
			}
			there := lines[0]
			if there.Msg != "exit" || there.Cause != test.cause || there.Status == nil || *there.Status != test.status {
				t.Errorf("/dev/termination-log: %s", content)
			}
		})
	}
}

// terminationLog is a file as the kubelet makes it, with more in it than a report is long.
func terminationLog(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "termination-log")
	harness.WriteFile(t, file, strings.Repeat("the last run's\n", 1000), 0)
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

// A termination log that cannot be written changes nothing.
func TestTerminationLogThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o666); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, volume string }{
		{"read-only", terminationLog(t) + ":/dev/termination-log:ro"},
		{"directory", t.TempDir() + ":/dev/termination-log"},
		{"pipe without a reader", pipe + ":/dev/termination-log"},
		{"not there", t.TempDir() + ":/mnt"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			app := runMounted(t, nodeImage, "--volume", test.volume, "--", "node", "-e", "process.exit(3)")
			app.checkEnd("exit", 3)
		})
	}
}
