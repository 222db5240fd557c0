package harness

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// An LogLine is a line of nodeinit's log. What a line need not have is a pointer.
type LogLine struct {
	Level          string
	Msg            string
	PID            int
	Cause          string
	Status         *int
	Signal         string
	Requested      *bool
	UptimeMS       *int64         `json:"uptime_ms"`
	PeakMemory     *int64         `json:"peak_memory_bytes"`
	ThrottledShare *float64       `json:"throttled_share"`
	OOMKills       *int           `json:"oom_kills"`
	Facts          map[string]any `json:"-"` // all of the line
}

// ReadLog reads output that holds nodeinit's JSON lines and nothing else. It
// fails the test if the keys do not come in the order that we promise.
func ReadLog(t *testing.T, output string) []LogLine {
	t.Helper()
	var lines []LogLine
	for text := range strings.Lines(output) {
		lines = append(lines, parseLine(t, text))
	}
	return lines
}

func parseLine(t *testing.T, text string) (line LogLine) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &line.Facts); err != nil {
		t.Fatalf("%q is not JSON: %v", text, err)
	}
	if err := json.Unmarshal([]byte(text), &line); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	start := fmt.Sprintf(`{"time":%q,"level":%q,"logger":"nodeinit","msg":%q`, line.Facts["time"], line.Level, line.Msg)
	if !strings.HasPrefix(text, start) || !strings.HasSuffix(text, "}\n") {
		t.Fatalf("%q does not begin with %s", text, start)
	}
	written, _ := line.Facts["time"].(string)
	if _, err := time.Parse("2006-01-02T15:04:05.000Z", written); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return line
}

// OwnLines returns nodeinit's lines among the output of its program. Half a line
// at the end, which is still being written, is left out.
func OwnLines(t *testing.T, output string) []LogLine {
	t.Helper()
	var own strings.Builder
	for line := range strings.Lines(output[:strings.LastIndexByte(output, '\n')+1]) {
		if strings.Contains(line, `"logger":"nodeinit"`) {
			own.WriteString(line)
		}
	}
	return ReadLog(t, own.String())
}

// UntilLogged waits until nodeinit has logged a line with a message, and returns
// the first.
func UntilLogged(t *testing.T, p *testproc.Process, msg string) LogLine {
	t.Helper()
	var found LogLine
	WaitUntil(t, fmt.Sprintf("%q in the log", msg), func() bool {
		for _, line := range OwnLines(t, p.Output()) {
			if line.Msg == msg {
				found = line
				return true
			}
		}
		return false
	})
	return found
}

// Messages returns the Messages of lines in their order.
func Messages(lines []LogLine) []string {
	var list []string
	for _, line := range lines {
		list = append(list, line.Msg)
	}
	return list
}

// LastReport returns the last line of text, which must be a complete exit report.
func LastReport(t *testing.T, text string) LogLine {
	t.Helper()
	text = strings.TrimSuffix(text, "\n")
	line := parseLine(t, text[strings.LastIndexByte(text, '\n')+1:]+"\n")
	if line.Msg != "exit" || line.Cause == "" || line.Status == nil || line.Requested == nil || line.UptimeMS == nil {
		t.Fatalf("not an exit report: %q", text)
	}
	return line
}
