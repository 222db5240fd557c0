package harness

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// A ProcState is the command and the state of a process in /proc/PID/stat.
type ProcState struct {
	Command string
	State   string // a letter as in ps: Z is a zombie
}

// States returns the processes in the PID namespace of p by their IDs there.
func States(t *testing.T, p *testproc.Process) map[int]ProcState {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d/root/proc", p.PID)
	if _, err := os.Readlink(proc + "/self"); err == nil {
		return nil // it is this process's /proc: the new namespace has not mounted its own yet
	}
	stats, err := filepath.Glob(proc + "/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[int]ProcState)
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
		}
		id, rest, _ := strings.Cut(string(stat), " (")
		pid, err := strconv.Atoi(id)
		if i := strings.LastIndex(rest, ") "); err == nil && i >= 0 {
			found[pid] = ProcState{rest[:i], rest[i+2 : i+3]}
		}
	}
	return found
}

// ExpectProcesses waits until there are n processes in the namespace of p, zombies
// counted.
func ExpectProcesses(t *testing.T, p *testproc.Process, n int) {
	t.Helper()
	var now map[int]ProcState
	defer func() {
		if t.Failed() {
			t.Logf("processes: %v", slices.Collect(maps.Values(now)))
		}
	}()
	WaitUntil(t, fmt.Sprintf("%d processes to be left", n), func() bool {
		now = States(t, p)
		return len(now) == n
	})
}

// ExpectAll reads as many lines as there are in want, in any order.
func ExpectAll(t *testing.T, p *testproc.Process, want ...string) {
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
