package docker

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// drawn returns the flags of docker run that docs/logging.md shows for a log driver.
func drawn(t *testing.T, driver string) []string {
	t.Helper()
	return strings.Fields(harness.Block(t, "docs/logging.md", "sh "+driver))
}

const journalSocket = "/run/systemd/journal/socket"

// startJournal runs systemd's journal, if there is none, where Docker's driver and the client library look
// for it.
func startJournal(t *testing.T) {
	t.Helper()
	if conn, err := net.Dial("unixgram", journalSocket); err == nil {
		conn.Close()
		return
	}
	config := filepath.Join(t.TempDir(), "journald.conf")
	harness.WriteFile(t, config, "[Journal]\nStorage=volatile\nRateLimitBurst=0\nReadKMsg=no\nAudit=no\nForwardToSyslog=no\n", 0o644)
	flags := []string{"--pid", "host", "--volume", config + ":/etc/systemd/journald.conf:ro", "--volume", "/etc/machine-id:/etc/machine-id:ro"}
	for _, dir := range []string{filepath.Dir(journalSocket), "/run/log/journal"} {
		flags = append(flags, "--volume", dir+":"+dir)
	}
	runContainer(t, "nodeinit-test/rsyslog", append(flags, "--", "/lib/systemd/systemd-journald")...)
	harness.WaitUntil(t, "the journal", func() bool {
		conn, err := net.Dial("unixgram", journalSocket)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// TestSyslog: the configurations of docs/logging.md make files of objects, with real daemons.
func TestSyslog(t *testing.T) {
	t.Parallel()
	for daemon, argv := range map[string][]string{
		"rsyslog":   {"rsyslogd", "-n", "-f", "/config"},
		"syslog-ng": {"syslog-ng", "--foreground", "--no-caps", "-f", "/config"},
	} {
		t.Run(daemon, func(t *testing.T) {
			t.Parallel()
			const documented = "5514"
			port := strconv.Itoa(harness.ReservePort(t))
			dir := t.TempDir()
			config := strings.ReplaceAll(harness.Block(t, "docs/logging.md", daemon), documented, port)
			harness.WriteFile(t, filepath.Join(dir, "config"), config, 0o644)
			logs := filepath.Join(dir, "log")
			if err := os.Mkdir(logs, 0o777); err != nil {
				t.Fatal(err)
			}
			runContainer(t, "nodeinit-test/"+daemon, slices.Concat([]string{
				"--network", "host", "--volume", filepath.Join(dir, "config") + ":/config:ro", "--volume", logs + ":/var/log", "--",
			}, argv)...)
			harness.WaitUntil(t, daemon+" to listen", func() bool {
				conn, err := net.Dial("tcp", "127.0.0.1:"+port)
				if err == nil {
					conn.Close()
				}
				return err == nil
			})
			flags := strings.Split(strings.ReplaceAll(strings.Join(drawn(t, "syslog"), " "), documented, port), " ")
			app := runContainer(t, nodeImage, logFlags(t, "small.js", flags...)...)
			if status := app.wait(); status != 0 {
				t.Errorf("status %d, want 0", status)
			}
			checkFiles(t, filepath.Join(logs, "app.json"), filepath.Join(logs, "app-errors.json"))
		})
	}
}

// checkFiles checks what a daemon wrote of testdata/logs/small.js.
func checkFiles(t *testing.T, all, errors string) {
	t.Helper()
	read := func(file string) string {
		text, _ := os.ReadFile(file) // it may not be there yet
		return string(text)
	}
	harness.WaitUntil(t, "the exit report and the errors", func() bool {
		return strings.Contains(read(all), `"msg":"exit"`) && strings.Count(read(errors), "\n") == 4
	})
	lines := strictLines(t, read(all))
	for worker := range 2 {
		var texts []string
		for _, line := range ofWorker(lines, worker) {
			text, _ := line["msg"].(string)
			texts = append(texts, text)
		}
		slices.Sort(texts) // the order of the streams is not promised
		want := []string{"failed", "from a logger", "text " + strings.Repeat("x", 12000), "to stderr"}
		if !slices.Equal(texts, want) {
			t.Errorf("worker %d: %q, want %q", worker, texts, want)
		}
	}
	for _, line := range strictLines(t, read(errors)) {
		if text := line["msg"]; text != "failed" && text != "to stderr" {
			t.Errorf("among the errors is %v", line)
		}
	}
}
