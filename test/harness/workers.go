package harness

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Listeners returns, from nodeinit's lines in output, the process IDs of the
// workers that listen on port and have not ended, by slot.
func Listeners(t *testing.T, output string, port int) map[int]int {
	t.Helper()
	workers := make(map[int]int)
	for _, line := range OwnLines(t, output) {
		slot, _ := line.Facts["worker"].(float64)
		pid, _ := line.Facts["pid"].(float64)
		address, _ := line.Facts["address"].(string)
		switch line.Msg {
		case "worker listening":
			if !strings.HasSuffix(address, ":"+strconv.Itoa(port)) {
				t.Fatalf("worker %v listens on %q, want port %d", slot, address, port)
			}
			workers[int(slot)] = int(pid)
		case "worker ended":
			delete(workers, int(slot))
		}
	}
	return workers
}

var pidPattern = regexp.MustCompile(`\bpid (\d+)\b`)

// PIDIn returns the process ID in an answer of the form "... pid PID".
func PIDIn(t *testing.T, answer string) int {
	t.Helper()
	match := pidPattern.FindStringSubmatch(answer)
	if match == nil {
		t.Fatalf("no process ID in %q", answer)
	}
	pid, err := strconv.Atoi(match[1])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// UntilAllAnswer asks until each of workers, process IDs by slot, has answered. An
// answer of another process fails the test.
func UntilAllAnswer(t *testing.T, workers map[int]int, ask func() (string, error)) {
	t.Helper()
	pids := slices.Collect(maps.Values(workers))
	seen := make(map[int]bool)
	WaitUntil(t, fmt.Sprintf("answers of %v", pids), func() bool {
		answer, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		pid := PIDIn(t, answer)
		if !slices.Contains(pids, pid) {
			t.Fatalf("process %d answers, want one of %v", pid, pids)
		}
		seen[pid] = true
		return len(seen) == len(pids)
	})
}

// Terminated is the status of an application that does not handle SIGTERM.
const Terminated = 128 + int(unix.SIGTERM)

// LongGrace is a flag for a grace that ends no stop of a test, as long as one can
// be without a warning.
const LongGrace = "--grace 10m "
