package repo

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// TestBenchLogs: a run that measures little has a row for each of nodeinit's modes, and no line is
// torn or lost but in raw mode.
func TestBenchLogs(t *testing.T) {
	t.Parallel()
	command := exec.Command("go", "run", "./bench", "logs", "-rounds", "1", "-workers", "2", "-kinds", "pino", "-mb", "1", "-lines", "2000", "-soak", "200ms",
		"-only", "^(cat|nodeinit .*)$", "-nodeinit", harness.Nodeinit)
	command.Dir = root
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	text := string(out)
	for _, row := range []string{"| nodeinit raw | ", "| nodeinit lines | 2000 | 0 | 0 | 0 |", "| nodeinit json | 2000 | 0 | 0 | 0 |", "| nodeinit json, pino | "} {
		if !strings.Contains(text, "\n"+row) {
			t.Errorf("no row %q in\n%s", row, text)
		}
	}
}

// TestBenchMetrics: a run that makes few scrapes has a row for the first and for the last.
func TestBenchMetrics(t *testing.T) {
	t.Parallel()
	command := exec.Command("go", "run", "./bench", "metrics", "-duration", "0", "-scrapes", "20", "-rounds", "0", "-nodeinit", harness.Nodeinit)
	command.Dir = root
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	for _, row := range []string{"| 0 | ", "| 20 | "} {
		if !strings.Contains(string(out), "\n"+row) {
			t.Errorf("no row %q in\n%s", row, out)
		}
	}
}
