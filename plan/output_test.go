package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/logs"
)

var twoCPUs = cgroup.Limits{Affinity: 2, MemTotal: 8 << 30}

func TestPlanLogs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args           string
		outputs        Outputs
		stdout, stderr Form
		text           string
	}{
		{"", Outputs{Pipe, Pipe}, Lines, Lines, "lines  (workers tear each other's lines on a pipe)"},
		{"", Outputs{Terminal, Terminal}, Raw, Raw, "raw  (to a terminal or a file, not a pipe)"},
		{"", Outputs{File, File}, Raw, Raw, "raw  (to a terminal or a file, not a pipe)"},
		{"", Outputs{File, Pipe}, Raw, Lines, "raw, stderr lines  (workers tear each other's lines on a pipe)"},
		{"", Outputs{Pipe, Terminal}, Lines, Raw, "lines, stderr raw  (workers tear each other's lines on a pipe)"},
		{"--mode fork", Outputs{Pipe, Pipe}, Raw, Raw, "raw  (one process)"},
		{"--workers 1", Outputs{Pipe, Pipe}, Raw, Raw, "raw  (one process)"},
		{"--logs raw", Outputs{Pipe, Pipe}, Raw, Raw, "raw  (--logs)"},
		{"--logs lines --mode fork", Outputs{Terminal, File}, Lines, Lines, "lines  (--logs)"},
		{"--logs json", Outputs{Terminal, Pipe}, JSON, JSON, "json  (--logs)"},
		{"--redact a --mode fork", Outputs{Pipe, File}, Lines, Lines, "lines  (--redact)"},
		{"--redact a", Outputs{Terminal, Pipe}, Lines, Lines, "lines  (--redact)"},
		{"--redact a --logs json", Outputs{Pipe, Pipe}, JSON, JSON, "json  (--logs)"},
	} {
		a := user{config: parsed(t, nil, strings.Fields(c.args)), outputs: c.outputs}
		p, err := a.plan(twoCPUs, []string{"node", "a.js"})
		if err != nil {
			t.Fatal(err)
		}
		stdout, stderr := p.Logs.Piped()
		if p.Logs.Stdout != c.stdout || p.Logs.Stderr != c.stderr || stdout != (c.stdout != Raw) || stderr != (c.stderr != Raw) || p.Logs.IsJSON() != (c.stdout == JSON) {
			t.Errorf("%q to %v: %+v, want %s, %s", c.args, c.outputs, p.Logs, c.stdout, c.stderr)
		}
		if got := p.logsText(); got != c.text {
			t.Errorf("%q to %v: %q, want %q", c.args, c.outputs, got, c.text)
		}
		line := logged(func(l *logs.Logger) { p.Log(l, version) })
		if want := `"logs":"` + string(c.stdout) + `"`; !strings.Contains(line, want) || strings.Contains(line, `"logs_stderr"`) != (c.stdout != c.stderr) {
			t.Errorf("%q to %v: no %s in %s", c.args, c.outputs, want, line)
		}
	}
}

// Where a pipe takes the place of a terminal, a child is told which colours that shows,
// in each plan, and the user's own word counts.
func TestPlanColors(t *testing.T) {
	t.Parallel()
	terminals := Outputs{Terminal, Terminal}
	for _, c := range []struct {
		args    string
		outputs Outputs
		environ []string
		want    string
	}{
		{"--logs lines", terminals, []string{"TERM=xterm"}, "FORCE_COLOR=1"},
		{"--logs lines", terminals, []string{"TERM=xterm-256color"}, "FORCE_COLOR=2"},
		{"--logs lines", terminals, []string{"TERM=xterm", "COLORTERM=truecolor"}, "FORCE_COLOR=3"},
		{"--redact a --mode fork", terminals, []string{"TERM=xterm"}, "FORCE_COLOR=1"},
		{"--logs lines", terminals, []string{"TERM=dumb"}, ""},
		{"--logs lines", terminals, nil, ""},
		{"--logs lines", terminals, []string{"TERM=xterm", "NO_COLOR=1"}, ""},
		{"--logs lines", terminals, []string{"TERM=xterm", "NODE_DISABLE_COLORS=1"}, ""},
		{"--logs lines", terminals, []string{"TERM=xterm", "FORCE_COLOR=0"}, ""},
		{"--logs lines", terminals, []string{"TERM=xterm", "FORCE_COLOR=3"}, ""},
		{"--logs lines", Outputs{Terminal, Pipe}, []string{"TERM=xterm"}, ""},
		{"--logs json", terminals, []string{"TERM=xterm"}, ""},
		{"--logs raw", terminals, []string{"TERM=xterm"}, ""},
		{"", terminals, []string{"TERM=xterm"}, ""},
	} {
		a := user{config: parsed(t, nil, strings.Fields(c.args)), outputs: c.outputs, environ: c.environ}
		p, err := a.plan(twoCPUs, []string{"node", "a.js"})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		if c.want != "" {
			want = []string{c.want}
		}
		pre := p.Command([]string{"true"}, c.environ)
		for name, p := range map[string]Plan{"program": p, "pre": pre} {
			if !slices.Equal(p.EnvAdded, want) || !slices.Equal(p.Program.Env, append(slices.Clone(c.environ), want...)) {
				t.Errorf("%s, %q in %q: %q gets %q, want %q", name, c.args, c.environ, p.Program.Env, p.EnvAdded, want)
			}
		}
	}
}
