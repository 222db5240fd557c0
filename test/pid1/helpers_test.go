package pid1

import (
	"strconv"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// exitReport returns the last line of output, the exit report.
func exitReport(t *testing.T, output string) harness.LogLine {
	t.Helper()
	lines := harness.ReadLog(t, output)
	if len(lines) == 0 || lines[len(lines)-1].Msg != "exit" {
		t.Fatalf("the log does not end with an exit report:\n%s", output)
	}
	return lines[len(lines)-1]
}

// stateOf returns the state of the process pid in the namespace of p, "" if
// there is none.
func stateOf(t *testing.T, p *testproc.Process, pid int) string {
	t.Helper()
	return harness.States(t, p)[pid].State
}

// numberIn returns the number at the end of a line that a role reported.
func numberIn(t *testing.T, line string) int {
	t.Helper()
	n, err := strconv.Atoi(line[strings.LastIndexByte(line, ' ')+1:])
	if err != nil {
		t.Fatalf("%q does not end in a number", line)
	}
	return n
}
