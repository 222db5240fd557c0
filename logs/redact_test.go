package logs_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/logs"
)

// Own lines are redacted too: JSON stays JSON, with the keys of a line.
func TestOwnLinesAreRedacted(t *testing.T) {
	t.Parallel()
	for _, format := range []logs.Format{logs.JSON, logs.Terminal} {
		p := newPipe(t, true)
		redact := []*regexp.Regexp{regexp.MustCompile(`token=\w+`), regexp.MustCompile(`"broken.*`)}
		log := logs.Open(logs.NewOutput(p.w), format, logs.LevelInfo, logs.FieldsOf("gcp"), redact)
		log.Info("starting").Str("argv", "node a.js token=abcdef").Int("pid", 1).Send()
		log.Info("x").Str("broken", "token=abcdef").Send()
		closed := p.lines()
		log.Flush(testproc.HangLimit)
		lines := closed()
		if len(lines) != 2 || strings.Contains(strings.Join(lines, ""), "abcdef") || !strings.Contains(lines[0], "node a.js [redacted]") {
			t.Fatalf("got %q", lines)
		}
		if format == logs.Terminal {
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

// A JSON object stays one, unless a match spans several of its values.
func TestObjectsAreRedacted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ re, line, want string }{
		{`password=[^ ]+`, `{"level":30,"query":"a password=hunter2","pid":1}`, `{"level":30,"query":"a [redacted]","pid":1}`},
		{`\d{13,16}`, `{"card":4111111111111111,"n":-12,"x":[true,{"y":"4111111111111111 "}]}`, `{"card":"[redacted]","n":-12,"x":[true,{"y":"[redacted] "}]}`},
		{`"password":"[^"]*"`, `{"level":30,"password":"hunter2","pid":1}`, `{"level":30,[redacted],"pid":1}`}, // text
		{`secret`, `{"secret":1}`, `{"[redacted]":1}`},
		{`a[^,]*z`, `{"x":"a\"z","y":"\u0061z"}`, `{"x":"[redacted]","y":"\u0061z"}`},
		{`u0061`, `{"y":"\u0061"}`, `{"y":"\[redacted]"}`}, // text
		{`x=\S+`, `text "x=1" {"a":2}`, `text "[redacted] {"a":2}`},
		{`nothing`, `{"a" : "b" }`, `{"a" : "b" }`},
	} {
		before := strings.Clone(c.line)
		if got := string(logs.Redact([]byte(c.line), []*regexp.Regexp{regexp.MustCompile(c.re)})); got != c.want {
			t.Errorf("%s in %s: got %s", c.re, c.line, got)
		}
		if c.line != before {
			t.Errorf("%s was changed", before)
		}
	}
}
