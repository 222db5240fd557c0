package cluster

import (
	"encoding/json"
	"regexp"
	"strconv"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// A child is told of the colours that Node would have used on the terminal.
func TestColorsAreNodes(t *testing.T) {
	t.Parallel()
	var environments []map[string]string
	for _, term := range []string{"", "dumb", "xterm", "xterm-256color", "XTERM", "screen-256color", "linux", "rxvt-unicode-24bit", "xterm-kitty", "xterm-direct",
		"xterm-truecolor", "st", "mosh", "ansi", "unknown", "konsole", "console", "foot"} {
		environments = append(environments, map[string]string{"TERM": term})
	}
	for _, term := range []string{"", "dumb", "xterm", "xterm-256color"} {
		environments = append(environments, map[string]string{"TERM": term, "COLORTERM": "truecolor"}, map[string]string{"TERM": term, "COLORTERM": "yes"})
	}
	for _, name := range []string{"NO_COLOR", "NODE_DISABLE_COLORS", "TMUX"} {
		environments = append(environments, map[string]string{"TERM": "xterm", name: "1"})
	}
	list, err := json.Marshal(environments)
	if err != nil {
		t.Fatal(err)
	}
	script := `const set = (env) => Object.fromEntries(Object.entries(env).filter(([, value]) => value));
		const levels = { 1: 0, 4: 1, 8: 2, 24: 3 };
		console.log(JSON.stringify(JSON.parse(process.argv[1]).map((env) => levels[require('tty').WriteStream.prototype.getColorDepth(set(env))])))`
	out, err := harness.Run(harness.NodeBinary(t, harness.NewestLine), "-e", script, string(list))
	if err != nil {
		t.Fatal(err)
	}
	var levels []int
	if err := json.Unmarshal([]byte(out), &levels); err != nil || len(levels) != len(environments) {
		t.Fatalf("%v in %s", err, out)
	}
	for i, env := range environments {
		c := testproc.Command{Argv: []string{harness.Nodeinit, "--logs", "lines", "explain", "--", "true"}, Env: []string{"PATH=/bin"}}
		for key, value := range env {
			c.Env = append(c.Env, key+"="+value)
		}
		x := harness.OnTerminal(t, c, true)
		x.WaitCode(0)
		x.WaitFor("grace ")
		got := 0
		if m := regexp.MustCompile(`FORCE_COLOR=(\d)`).FindStringSubmatch(x.Text()); m != nil {
			got, _ = strconv.Atoi(m[1])
		}
		if got != levels[i] {
			t.Errorf("%v: FORCE_COLOR=%d, and Node would take %d", env, got, levels[i])
		}
	}
}
