// Package otel tests the configuration of OpenTelemetry's filelog receiver in docs/logging.md with that
// receiver. It is a module of its own, so that the checks of the others need not look at what it brings.
package otel

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/filelogreceiver"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"gopkg.in/yaml.v3"
)

// hangLimit ends a hang, as testproc.HangLimit of the other tests.
const hangLimit = 10 * time.Minute

// docker runs a docker command that has to succeed and returns its output.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		t.Fatalf("docker %q: %v: %s", args, err, failed.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// logFile runs test/docker/testdata/logs/lines.js with two workers, and returns the engine's file of what it
// has logged.
func logFile(t *testing.T) string {
	t.Helper()
	mounts := map[string]string{"../../bin/nodeinit": "/nodeinit", "../docker/testdata/logs": "/app"}
	args := []string{"create", "--label", "nodeinit-test", "--cpus", "2", "--log-driver", "json-file", "--entrypoint", "/nodeinit"}
	for source, target := range mounts {
		absolute, err := filepath.Abs(source)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "--volume", absolute+":"+target+":ro")
	}
	id := docker(t, append(args, "node:20-bookworm-slim",
		"--mode", "per-core", "--workers", "2", "--logs", "json", "--", "node", "/app/lines.js")...)
	t.Cleanup(func() { docker(t, "rm", "--force", id) })
	docker(t, "start", id)
	if status := docker(t, "wait", id); status != "0" {
		t.Fatalf("status %s: %s", status, docker(t, "logs", id))
	}
	return docker(t, "inspect", "--format", "{{.LogPath}}", id)
}

// config is the configuration in docs/logging.md, for one file.
func config(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile("../../docs/logging.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "```yaml otel\n")
	block, _, closed := strings.Cut(after, "```")
	var all map[string]map[string]map[string]any
	if err := yaml.Unmarshal([]byte(block), &all); err != nil || !found || !closed {
		t.Fatalf("no YAML of the receiver in docs/logging.md: %v", err)
	}
	receiver := all["receivers"]["filelog"]
	receiver["include"] = []any{file}
	return receiver
}

// received returns the records of a file by their texts.
func received(t *testing.T, file string) func() map[string]plog.LogRecord {
	t.Helper()
	factory, sink := filelogreceiver.NewFactory(), new(consumertest.LogsSink)
	settings := factory.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(config(t, file)).Unmarshal(settings); err != nil {
		t.Fatal(err)
	}
	receiver, err := factory.CreateLogs(t.Context(), receivertest.NewNopSettings(factory.Type()), settings, sink)
	if err != nil {
		t.Fatal(err)
	}
	if err := receiver.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := receiver.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return func() map[string]plog.LogRecord {
		records := make(map[string]plog.LogRecord)
		for _, logs := range sink.AllLogs() {
			for _, resource := range logs.ResourceLogs().All() {
				for _, scope := range resource.ScopeLogs().All() {
					for _, record := range scope.LogRecords().All() {
						if text, ok := record.Attributes().Get("msg"); ok {
							records[text.Str()] = record
						}
					}
				}
			}
		}
		return records
	}
}

// The receiver finds time, level and fields of text, of objects of 40,000 bytes, which the engine has split,
// and of nodeinit's own lines.
func TestFilelogReceiver(t *testing.T) {
	all := received(t, logFile(t))
	records := all()
	for end := time.Now().Add(hangLimit); ; records = all() {
		if _, ended := records["exit"]; ended || time.Now().After(end) {
			break
		}
		<-time.After(time.Millisecond)
	}
	for text, want := range map[string]plog.SeverityNumber{
		"plain": plog.SeverityNumberInfo, "large": plog.SeverityNumberInfo, "exit": plog.SeverityNumberInfo,
	} {
		record, found := records[text]
		if !found {
			t.Errorf("no record %q in %d", text, len(records))
			continue
		}
		if record.SeverityNumber() != want || record.Timestamp() == 0 {
			t.Errorf("%q has severity %v, time %v", text, record.SeverityNumber(), record.Timestamp())
		}
		if _, ok := record.Attributes().Get("worker"); !ok {
			t.Errorf("%q has no worker: %v", text, record.Attributes().AsRaw())
		}
	}
	data, _ := records["large"].Attributes().Get("data")
	if data.Str() != strings.Repeat("x", 40000) {
		t.Errorf("the large object has %d bytes of data", len(data.Str()))
	}
}
