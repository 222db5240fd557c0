package docker

import (
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// A logged line of an application: what its logger calls the text, the text, and the word for its level.
type loggedLine struct{ key, text, level string }

// TestLoggersInDocker: unmodified applications with the loggers that people use, two workers each: all that
// docker logs shows is strict JSON with the documented fields.
func TestLoggersInDocker(t *testing.T) {
	t.Parallel()
	dir := harness.AppDir(t, "loggers")
	for logger, want := range map[string][]loggedLine{
		"pino":    {{"msg", "request", "INFO"}, {"msg", "slow", "WARN"}, {"msg", "failed", "ERROR"}},
		"bunyan":  {{"msg", "request", "INFO"}, {"msg", "slow", "WARN"}, {"msg", "failed", "ERROR"}},
		"winston": {{"message", "request", "info"}, {"message", "slow", "warn"}, {"message", "out of stock", "error"}},
		"console": {
			{"msg", "request /", "info"}, {"msg", "{\n  url: '/',\n", "info"}, {"msg", "slow", "error"},
			{"msg", "Error: out of stock\n    at failure (", "error"},
		},
		"nest":      {{"msg", "request /", "info"}, {"msg", "slow", "info"}, {"msg", "failed", "error"}, {"msg", "Error: out of stock\n    at ", "error"}},
		"nest-json": {{"message", "request /", "log"}, {"message", "slow", "warn"}, {"message", "failed", "error"}},
	} {
		t.Run(logger, func(t *testing.T) {
			t.Parallel()
			app := application{runContainer(t, nodeImage, slices.Concat(withNode(t, harness.NewestLine), []string{
				"--volume", harness.Nodeinit + ":/nodeinit:ro", "--volume", dir + ":/app:ro", "--cpus", "2",
				"--publish", "127.0.0.1::3000", "--entrypoint", "/nodeinit", "--", "--logs", "json", "--", "node", "/app/main.js", logger,
			})...)}
			workers := app.workers(2)
			harness.UntilAllAnswer(t, workers, func() (string, error) { return harness.Get(app.url("3000")) })
			app.stop()
			stdout, stderr := app.output()
			lines := append(strictLines(t, stdout), strictLines(t, stderr)...)
			for slot, pid := range workers {
				for _, w := range want {
					if !slices.ContainsFunc(lines, func(l map[string]any) bool { return w.is(l, slot, pid) }) {
						t.Errorf("worker %d, pid %d: no line %+v", slot, pid, w)
					}
				}
			}
			if !strings.Contains(stdout[strings.LastIndex(stdout[:len(stdout)-1], "\n")+1:], `"msg":"exit"`) {
				t.Error("the exit report is not last")
			}
		})
	}
}

// is returns whether a line is of that worker, with the text somewhere in it: Nest's is coloured.
func (w loggedLine) is(line map[string]any, slot, pid int) bool {
	text, _ := line[w.key].(string)
	level := line["level"]
	if word, ok := line["severity"]; ok {
		level = word
	}
	return strings.Contains(text, w.text) && level == w.level && line["worker"] == float64(slot) && line["pid"] == float64(pid)
}
