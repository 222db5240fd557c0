package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// bothModes are the flags for one process, as itself and as a worker.
var bothModes = map[string]string{"fork": "--mode fork", "per-core": "--mode per-core --workers 1"}

// A start is a line of Node in a mode.
type start struct{ line, mode string }

// starts are all of lines in all of modes.
func starts(lines []string, modes ...string) (list []start) {
	for _, line := range lines {
		for _, mode := range modes {
			list = append(list, start{line, mode})
		}
	}
	return list
}

// everyLine are all lines in fork mode, and the oldest and the newest in per-core mode. The
// agent is the same in both, and fork mode is where lines differ: on some it is attached
// before the script, with Node's channel, on the others when the program listens.
func everyLine() []start {
	return append(starts(harness.NodeLines, "fork"), starts(harness.EdgeLines(), "per-core")...)
}

// onEach runs a test for each of list, at the same time.
func onEach(t *testing.T, list []start, test func(t *testing.T, s start)) {
	t.Helper()
	for _, s := range list {
		t.Run(s.line+" "+s.mode, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

// node is a script in testdata/agent under nodeinit.
func (s start) node(t *testing.T, flags, file string) testproc.Command {
	t.Helper()
	return harness.UnderInit(bothModes[s.mode]+" "+flags, harness.NodeBinary(t, s.line), inAgentData(t, file))
}

// inAgentData is a path in testdata/agent.
func inAgentData(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata/agent", path))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// What probe.js prints.
type probe struct {
	App struct {
		view
		Main, Agent, Channel, Connected bool
	}
	Forked, Thread, Spawned struct {
		view
		Reported []string
		Code     int
	}
}

// A view is what one process or thread sees.
type view struct {
	Options                  *string
	Internal, ExecArgv, Argv []string
	Messages                 int
}

// probes runs probe.js with NODE_OPTIONS, unless they are "unset", and returns
// what it has printed. It must end by itself and write nothing.
func (s start) probes(t *testing.T, flags, options string) probe {
	t.Helper()
	c := s.node(t, "--log-to stderr "+flags, "probe.js")
	c.Dir, c.Env = t.TempDir(), withoutVariables("NODE_OPTIONS")
	home, tmp := t.TempDir(), t.TempDir()
	c = harness.WithEnv(c, "HOME="+home, "TMPDIR="+tmp)
	if options != "unset" {
		c = harness.WithEnv(c, "NODE_OPTIONS="+options)
	}
	p := c.Start(t)
	p.WaitCode(0)
	var got probe
	if err := json.Unmarshal([]byte(p.Output()), &got); err != nil {
		t.Fatalf("%q: %v", p.Output(), err)
	}
	for _, dir := range []string{c.Dir, home, tmp} {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("in %s there are %v (%v)", dir, entries, err)
		}
	}
	return got
}

// check compares what was seen with what the user has set.
func (s view) check(t *testing.T, name, options string, arguments ...string) {
	t.Helper()
	got := "unset"
	if s.Options != nil {
		got = *s.Options
	}
	if got != options || len(s.Internal) > 0 || len(s.ExecArgv) > 0 || !slices.Equal(s.Argv, arguments) {
		t.Errorf("%s sees %+v with NODE_OPTIONS %.80q, want %q", name, s, got, options)
	}
}

// An application, and what it starts, sees nothing of the agent: it ends when its
// work is done, its environment is what the user has set, and no process is sent
// anything. Without the agent all is the same, but that in fork mode there is no
// channel.
func TestAgentIsNotSeen(t *testing.T) {
	t.Parallel()
	for _, options := range []string{"unset", "--title=it --no-warnings"} {
		for _, flags := range []string{"", "--no-agent"} {
			lines := []string{harness.NewestLine}
			if (options == "unset") == (flags == "--no-agent") {
				lines = harness.ReleaseLines
			}
			t.Run(options+" "+flags, func(t *testing.T) {
				t.Parallel()
				onEach(t, starts(lines, "fork", "per-core"), func(t *testing.T, s start) {
					got := s.probes(t, flags, options)
					agent, messages := flags == "", 0
					if s.mode == "per-core" {
						messages = 1 // Node's own
					}
					got.App.check(t, "the application", options)
					got.Forked.check(t, "a process that it forks", options, "look")
					got.Thread.check(t, "a thread of it", options, "look")
					got.Spawned.check(t, "a process that it starts", options, "look")
					if app := got.App; !app.Main || app.Agent != agent || app.Messages != messages {
						t.Errorf("the application sees %+v", app)
					}
					if channel := agent || s.mode == "per-core"; got.App.Channel != channel || got.App.Connected != channel {
						t.Errorf("the application has a channel: %+v; want %v", got.App, channel)
					}
					for _, other := range []any{got.Forked.Reported, got.Thread.Reported} {
						if !reflect.DeepEqual(other, []string{}) {
							t.Errorf("the application was told %v", other)
						}
					}
					if got.Forked.Code != 0 || got.Thread.Code != 0 || got.Forked.Messages != 0 || got.Thread.Messages != 0 {
						t.Errorf("what it has started: %+v, %+v", got.Forked, got.Thread)
					}
				})
			})
		}
	}
}

// How a program is written, named and prepared makes no difference: it is the
// main one, and what it needs first is there.
func TestAgentKeepsHowTheProgramIsLoaded(t *testing.T) {
	t.Parallel()
	dir := inAgentData(t, "mains")
	for argv, want := range map[string]string{
		"plain.js a b":                         "true plain.js plain.js a b plain",
		"plain":                                "true plain.js plain plain",
		"./bin/../plain.cjs":                   "true plain.cjs plain.cjs plain",
		"-- plain.js":                          "true plain.js plain.js plain",
		".":                                    "true plain.js  plain",
		"directory":                            "true directory/index.js directory plain",
		"bin/www":                              "true bin/www bin/www plain",
		"module.mjs":                           "module module.mjs module.mjs plain",
		"module":                               "module module/main.js module plain",
		"-r ./hook.js plain.js":                "true plain.js plain.js hooked false",
		"--require=./hook.js module.mjs":       "module module.mjs module.mjs hooked false",
		"--import ./hook.mjs plain.js":         "true plain.js plain.js imported",
		"-r ./compiler.js main.lang":           "true main.lang main.lang plain",
		"--require ./compiler.js main.ts":      "true main.ts main.ts plain",
		"command.js " + dir + "/main.lang":     "true main.lang main.lang plain",
		"command.js " + dir + "/main.ts":       "true main.ts main.ts plain",
		"--enable-source-maps plain.js --help": "true plain.js plain.js --help plain",
	} {
		t.Run(strings.Replace(argv, dir, "DIR", 1), func(t *testing.T) {
			t.Parallel()
			onEach(t, append(starts(harness.SideLines, "fork"), start{harness.NewestLine, "per-core"}), func(t *testing.T, s start) {
				c := harness.UnderInit(bothModes[s.mode]+" --log-to stderr", append([]string{harness.NodeBinary(t, s.line)}, strings.Fields(argv)...)...)
				c.Dir = dir
				p := c.Start(t)
				p.WaitCode(0)
				if got := p.Output(); got != want+"\n" {
					t.Errorf("it says %q, want %q", got, want)
				}
			})
		})
	}
}

// A program that fails does so as ever: with 1, and a message about itself.
func TestAgentKeepsHowTheProgramFails(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"throws.js", "later.js", "rejects.js", "module.mjs", "syntax.js", "missing.js"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			onEach(t, starts(harness.EdgeLines(), "fork", "per-core"), func(t *testing.T, s start) {
				p := s.node(t, "", "errors/"+file).Start(t)
				p.WaitCode(1)
				stderr := p.Errors()
				if !strings.Contains(stderr, "errors/"+file) || !strings.Contains(stderr, "as the test asked") {
					t.Errorf("stderr: %s", stderr)
				}
				if strings.Contains(stderr, "base64") || strings.Contains(stderr, "nodeinit:agent") {
					t.Errorf("stderr is about the agent: %s", stderr)
				}
			})
		})
	}
}

// copied is a copy of a program. Another process writes it: one that we start
// meanwhile could hold the file open, and then it could not be run (ETXTBSY).
func copied(t *testing.T, program string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), filepath.Base(program))
	if _, err := harness.Run("cp", program, copied); err != nil {
		t.Fatal(err)
	}
	return copied
}

// A Node that takes no --import in NODE_OPTIONS runs without the agent, and one
// line says why, wherever its version is to be found.
func TestAgentOfAnOldNode(t *testing.T) {
	t.Parallel()
	const old = "18.17.1"
	for _, alone := range []bool{false, true} {
		t.Run(fmt.Sprintf("alone %v", alone), func(t *testing.T) {
			t.Parallel()
			onEach(t, starts([]string{old}, "fork", "per-core"), func(t *testing.T, s start) {
				c := s.node(t, "", "mains/plain.js")
				if alone {
					node := slices.Index(c.Argv, harness.NodeBinary(t, old))
					c.Argv[node] = copied(t, c.Argv[node])
				}
				c.Env = withoutVariables("NODE_VERSION", "NODE_OPTIONS")
				p := c.Start(t)
				p.WaitCode(0)
				var why []string
				for _, l := range harness.OwnLines(t, p.Output()) {
					if l.Level != "info" {
						why = append(why, fmt.Sprint(l.Level, ": ", l.Msg, ": ", l.Facts["why"]))
					}
				}
				want := []string{"warn: no agent: Node 18.17 takes no --import in NODE_OPTIONS (Node 18.18 and later do)"}
				if !slices.Equal(why, want) || !strings.Contains(p.Output(), "true plain.js plain.js plain\n") {
					t.Errorf("logged %q, want %q; in all\n%s", why, want, p.Output())
				}
			})
		})
	}
}

// withoutVariables is the environment of the tests without some variables.
func withoutVariables(names ...string) []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(names, name)
	})
}
