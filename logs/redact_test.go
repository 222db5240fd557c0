package logs_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/logs"
)

// Own lines are redacted too: JSON stays JSON, with the keys of a line.
func TestOwnLinesAreRedacted(t *testing.T) {
	t.Parallel()
	for _, format := range []logs.Format{logs.JSON, logs.Text} {
		p := newPipe(t, true)
		redact := []*regexp.Regexp{regexp.MustCompile(`token=\w+`), regexp.MustCompile(`"broken.*`)}
		log := logs.Open(logs.NewOutput(p.w), format, zerolog.InfoLevel, logs.FieldsOf("gcp"), redact)
		log.Info("starting").Str("argv", "node a.js token=abcdef").Int("pid", 1).Send()
		log.Info("x").Str("broken", "token=abcdef").Send()
		closed := p.lines()
		log.Flush(testproc.HangLimit)
		lines := closed()
		if len(lines) != 2 || strings.Contains(strings.Join(lines, ""), "abcdef") || !strings.Contains(lines[0], "node a.js [redacted]") {
			t.Fatalf("got %q", lines)
		}
		if format == logs.Text {
			continue
		}
		for _, line := range lines {
			var o struct{ Time, Severity, Logger, Message string }
			if err := json.Unmarshal([]byte(line), &o); err != nil || o.Time == "" || o.Severity != "INFO" || o.Logger != "nodeinit" || o.Message == "" {
				t.Errorf("%v: %s", err, line)
			}
		}
		if !strings.HasSuffix(lines[1], `,\"message\":\"x\",[redacted]"}`) {
			t.Errorf("got %s", lines[1])
		}
	}
}
