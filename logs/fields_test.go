package logs_test

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/nodeinit/nodeinit/logs"
)

var stamps = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)

func TestOwnLines(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"default": `{"time":"STAMP","level":"trace","logger":"nodeinit","msg":"m","n":1}
{"time":"STAMP","level":"debug","logger":"nodeinit","msg":"m","n":1}
{"time":"STAMP","level":"info","logger":"nodeinit","msg":"m","n":1}
{"time":"STAMP","level":"warn","logger":"nodeinit","msg":"m","n":1}
{"time":"STAMP","level":"error","logger":"nodeinit","msg":"m","n":1}
`,
		"gcp": `{"time":"STAMP","severity":"DEBUG","logger":"nodeinit","message":"m","n":1}
{"time":"STAMP","severity":"DEBUG","logger":"nodeinit","message":"m","n":1}
{"time":"STAMP","severity":"INFO","logger":"nodeinit","message":"m","n":1}
{"time":"STAMP","severity":"WARNING","logger":"nodeinit","message":"m","n":1}
{"time":"STAMP","severity":"ERROR","logger":"nodeinit","message":"m","n":1}
`,
		"datadog": `{"timestamp":"STAMP","status":"debug","logger":"nodeinit","message":"m","n":1}
{"timestamp":"STAMP","status":"debug","logger":"nodeinit","message":"m","n":1}
{"timestamp":"STAMP","status":"info","logger":"nodeinit","message":"m","n":1}
{"timestamp":"STAMP","status":"warn","logger":"nodeinit","message":"m","n":1}
{"timestamp":"STAMP","status":"error","logger":"nodeinit","message":"m","n":1}
`,
		"ecs": `{"@timestamp":"STAMP","log.level":"trace","logger":"nodeinit","ecs.version":"8.11.0","message":"m","n":1}
{"@timestamp":"STAMP","log.level":"debug","logger":"nodeinit","ecs.version":"8.11.0","message":"m","n":1}
{"@timestamp":"STAMP","log.level":"info","logger":"nodeinit","ecs.version":"8.11.0","message":"m","n":1}
{"@timestamp":"STAMP","log.level":"warn","logger":"nodeinit","ecs.version":"8.11.0","message":"m","n":1}
{"@timestamp":"STAMP","log.level":"error","logger":"nodeinit","ecs.version":"8.11.0","message":"m","n":1}
`,
	} {
		fields := logs.FieldsOf(name)
		if got := ownLines(logs.JSON, fields); got != want {
			t.Errorf("%s: got\n%swant\n%s", name, got, want)
		}
		if name == "default" && ownLines(logs.JSON, nil) != want {
			t.Error("nil is not the default")
		}
		want := "STAMP TRC nodeinit m n=1\nSTAMP DBG nodeinit m n=1\nSTAMP INF nodeinit m n=1\nSTAMP WRN nodeinit m n=1\nSTAMP ERR nodeinit m n=1\n"
		if got := ownLines(logs.Text, fields); got != want {
			t.Errorf("%s: got\n%swant\n%s", name, got, want)
		}
	}
	for _, name := range []string{"", "Default", "gcp ", "none"} {
		if logs.FieldsOf(name) != nil {
			t.Errorf("there are fields %q", name)
		}
	}
}

// ownLines returns a line of each level.
func ownLines(format logs.Format, fields *logs.Fields) string {
	var out bytes.Buffer
	log := logs.New(&out, format, logs.LevelTrace, fields)
	for _, start := range []func(string) *logs.Event{log.Trace, log.Debug, log.Info, log.Warn, log.Error} {
		start("m").Int("n", 1).Send()
	}
	return stamps.ReplaceAllString(out.String(), "STAMP")
}
