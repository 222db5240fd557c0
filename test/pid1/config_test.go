package pid1

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// asker sends SIGTERM to its parent, which is nodeinit, and goes on until it
// gets a signal.
func asker([]string) {
	if err := unix.Kill(os.Getppid(), unix.SIGTERM); err != nil {
		harness.Fail(err)
	}
	testproc.UntilStdinCloses()
}

// Programs with which settings show: one that leaves an orphan and its
// environment, and one that is stopped.
var (
	showing = []string{"sh", "-c", "(:&); echo NODE_OPTIONS=$NODE_OPTIONS >&3"}
	stopped = testproc.Argv("asker")
)

// A setting is a flag with a value that can be seen, and another that is valid.
var settings = []struct {
	flag, value, other string
	program            []string
	code               int
	shows              string // on stdout, on stderr or in a report
}{
	{"mode", "fork", "auto", showing, 0, `"reason":"--mode fork"`},
	{"cpus", "2.5", "1", showing, 0, `"cpus":2.5,"cpus_from":"--cpus"`},
	{"memory", "512M", "1Gi", showing, 0, `"memory_bytes":536870912,"memory_from":"--memory"`},
	{"heap", "123M", "off", showing, 0, "NODE_OPTIONS=--max-old-space-size=123"},
	{"grace", "1m30s", "3", stopped, 143, `"grace_ms":90000`},
	{"stop-signal", "INT", "HUP", stopped, 130, `"msg":"stopping","signal":"SIGINT"`},
	{"rewrite", "TERM:HUP", "TERM:INT", stopped, 129, `"msg":"exit","cause":"signal","status":129`},
	{"remap-exit", "143:9", "143:8", stopped, 9, `"exit_status":9`},
	{"warn-on-reap", "true", "false", showing, 0, `"level":"warn","logger":"nodeinit","msg":"orphan reaped"`},
	{"log-format", "text", "json", showing, 0, "INF nodeinit exit"},
	{"log-level", "debug", "off", stopped, 143, `"msg":"signal forwarded"`},
	{"log-to", "stderr", "stdout", showing, 0, "stderr: {"},
	{"verbose", "1", "0", stopped, 143, `"msg":"signal forwarded"`},
	{"drain-delay", "10ms", "20ms", stopped, 143, `"drain_delay_ms":10`},
	// Of the settings for workers and for Node a shell as one process has the warning.
	{"reload-signal", "USR2", "HUP", showing, 0, `"warning":"--reload-signal USR2: only for workers`},
	{"max-memory", "80%", "off", showing, 0, `"warning":"--max-memory 80%: only for workers`},
	{"max-age", "1h", "0", showing, 0, `"warning":"--max-age 1h: only for workers`},
	{"ready", "message", "none", showing, 0, `"warning":"--ready message: only where the program is Node"`},
	{"ready-timeout", "5s", "6s", showing, 0, `"warning":"--ready-timeout 5s: only where the program is Node"`},
	{"stop-order", "drain", "auto", showing, 0, `"warning":"--stop-order drain: only where the program is Node"`},
	{"hang-timeout", "9s", "0", showing, 0, `"warning":"--hang-timeout 9s: only where the program is Node"`},
	// --group, --subreaper, --pdeathsig, --resize and --no-agent have tests of
	// their own.
}

func variable(flag string) string {
	return "NODEINIT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func TestTakesEachSettingFromFlagOrEnvironment(t *testing.T) {
	t.Parallel()
	for _, s := range settings {
		for name, c := range map[string]testproc.Command{
			"flag":            harness.UnderInit("--"+s.flag+"="+s.value, s.program...),
			"environment":     harness.WithEnv(harness.UnderInit("", s.program...), variable(s.flag)+"="+s.value),
			"flag wins":       harness.WithEnv(harness.UnderInit("--"+s.flag+"="+s.value, s.program...), variable(s.flag)+"="+s.other),
			"empty is absent": harness.WithEnv(harness.UnderInit("--"+s.flag+"="+s.value, s.program...), variable(s.flag)+"="),
		} {
			t.Run(s.flag+"/"+name, func(t *testing.T) {
				t.Parallel()
				p := c.Start(t)
				p.WaitCode(s.code)
				if all := p.Output() + strings.Join(p.Rest(), "\n") + "stderr: " + p.Errors(); !strings.Contains(all, s.shows) {
					t.Errorf("no %s in\n%s", s.shows, all)
				}
			})
		}
	}
}

func TestTakesGroupFromTheEnvironment(t *testing.T) {
	t.Parallel()
	p := harness.WithEnv(harness.UnderInit("", testproc.Argv("pair")...), "NODEINIT_GROUP=1").Start(t)
	harness.ExpectAll(t, p, "program up", "member up")
	p.Signal(unix.SIGUSR1)
	harness.ExpectAll(t, p, "program 10", "member 10")
}

func TestWarnsOfUnknownSettings(t *testing.T) {
	t.Parallel()
	p := harness.WithEnv(harness.UnderInit("", "true"), "NODEINIT_GRCE=3s", "NODEINIT_WORKER=0", "NODEINIT_WORKER_COUNT=1", "NODEINIT_WORKERS=1", "NODEINITX=1").Start(t)
	p.WaitCode(0)
	var warnings []string
	for _, line := range harness.ReadLog(t, p.Output()) {
		if line.Level == "warn" {
			warnings = append(warnings, fmt.Sprint(line.Msg, " ", line.Facts["name"], " ", line.Facts["did_you_mean"]))
		}
	}
	if want := []string{"unknown setting NODEINIT_GRCE NODEINIT_GRACE"}; !slices.Equal(warnings, want) {
		t.Errorf("warnings %q, want %q", warnings, want)
	}
}

// Each bad value gets one line with where it was, the value and an example.
func TestRefusesBadValues(t *testing.T) {
	t.Parallel()
	for flag, values := range map[string][]string{
		"mode":          {"percore", "forks", "1"},
		"workers":       {"0", "two", "1025"},
		"balance":       {"none"},
		"pre":           {"node 'a"},
		"max-crashes":   {"-1"},
		"crash-window":  {"1x"},
		"cpus":          {"0", "-1", "two", "NaN", "Inf"},
		"memory":        {"0", "-1", "lots", "1X", "1e30"},
		"heap":          {"on", "0", "-1M", "1k"},
		"drain-delay":   {"9x", "-1s"},
		"ready":         {"auto", "listens"},
		"ready-timeout": {"soon"},
		"stop-order":    {"none"},
		"reload-signal": {"TERM", "2", "QUIT", "KILL", "SEGV", "CHLD", "NOPE", "0"},
		"max-memory":    {"0%", "101%", "1k", "lots"},
		"max-age":       {"-1h", "1d"},
		"hang-timeout":  {"2s", "-3s", "never"},
		"resize":        {"perhaps"},
		"no-agent":      {"perhaps"},
		"grace":         {"9x", "-1s", "soon", "1h2"},
		"stop-signal":   {"STOPP", "0", "65", "-15", "CHLD", "RTMIN+31"},
		"group":         {"maybe", "2"},
		"rewrite":       {"TERM", "CHLD:TERM"},
		"remap-exit":    {"x", "256", "-1", "1:256", "1:", ":1"},
		"subreaper":     {"perhaps"},
		"pdeathsig":     {"DEATH", "0"},
		"warn-on-reap":  {"nope"},
		"log-format":    {"xml"},
		"log-level":     {"loud"},
		"log-to":        {"file"},
		"verbose":       {"very", "-1"},
	} {
		for _, value := range values {
			t.Run(flag+"="+value, func(t *testing.T) {
				t.Parallel()
				for source, c := range map[string]testproc.Command{
					"--" + flag:    {Argv: []string{harness.Nodeinit, "--" + flag + "=" + value, "--", "true"}},
					variable(flag): harness.WithEnv(testproc.Command{Argv: []string{harness.Nodeinit, "--", "true"}}, variable(flag)+"="+value),
				} {
					expectMisuse(t, c, source+": ", fmt.Sprintf("%q", value), "try ")
				}
			})
		}
	}
}

// expectMisuse expects status 2, and one line on stderr that holds all of says.
func expectMisuse(t *testing.T, c testproc.Command, says ...string) {
	t.Helper()
	p := c.Start(t)
	p.WaitCode(2)
	line := p.Errors()
	if strings.Count(line, "\n") != 1 || !strings.HasPrefix(line, "nodeinit: ") || p.Output() != "" {
		t.Errorf("stderr %q, want one line; stdout %q, want none", line, p.Output())
	}
	for _, want := range says {
		if !strings.Contains(line, want) {
			t.Errorf("stderr %q, want it to have %q", line, want)
		}
	}
}

func TestRefusesMisuse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, "no command"},
		{[]string{"--"}, "no command"},
		{[]string{"--grace", "3s"}, "no command"},
		{[]string{"--grace"}, "--grace: a value is missing"},
		{[]string{"--grce", "3s", "true"}, "did you mean --grace?"},
		{[]string{"-x", "true"}, "-x: no such flag"},
		{[]string{"-r", "TERM:INT", "-r", "SIGTERM:HUP", "true"}, "twice"},
		{[]string{"--reload-signal", "HUP", "--stop-signal", "HUP", "true"}, "is --stop-signal too"},
		{[]string{"--reload-signal", "HUP", "-r", "HUP:0", "true"}, "is rewritten too"},
		{[]string{"--no-resize=x", "true"}, `--no-resize: "x"`},
		{[]string{"pause", "now"}, `"now"`},
		{[]string{"version", "now"}, `"now"`},
		{[]string{"help", "grce"}, "did you mean grace?"},
		{[]string{"explain", "--root", "/no/such/directory"}, "/no/such/directory"},
	} {
		t.Run(fmt.Sprint(c.args), func(t *testing.T) {
			t.Parallel()
			expectMisuse(t, testproc.Command{Argv: append([]string{harness.Nodeinit}, c.args...)}, c.says)
		})
	}
}

// One process cannot be reloaded, and what runs before the program need not be:
// the reload signal reaches neither.
func TestKeepsTheReloadSignal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flags []string
		says  string
	}{
		"one process":        {nil, `"level":"warn","logger":"nodeinit","msg":"reload refused","why":"one process`},
		"before the program": {[]string{"--pre", strings.Join(testproc.Argv("catcher", "program"), " ")}, `"msg":"signal dropped","signal":"SIGHUP"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			argv := slices.Concat([]string{harness.Nodeinit, "-v", "--reload-signal", "HUP"}, c.flags, []string{"--"})
			p := startCatcher(t, testproc.Command{PID1: true, Argv: argv})
			p.Signal(unix.SIGHUP)
			harness.WaitUntil(t, c.says, func() bool { return strings.Contains(p.Output(), c.says) })
			p.Signal(unix.SIGUSR1)
			p.Expect(harness.Caught("program", unix.SIGUSR1)...)
			p.CloseStdin()
			p.WaitCode(7)
		})
	}
}

// After -- a word is a program, even one that is a subcommand's name.
func TestRunsAProgramNamedLikeASubcommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"explain", "help", "pause", "version"} {
		harness.WriteFile(t, dir+"/"+name, "#!/bin/sh\necho program $1\n", 0o755)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := harness.WithEnv(harness.UnderInit("--log-level off", name, "--json"), "PATH="+dir+":/bin:/usr/bin").Start(t)
			p.WaitCode(0)
			if p.Output() != "program --json\n" {
				t.Errorf("output %q", p.Output())
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	for args, says := range map[string]string{
		"--help":       "--stop-signal",
		"-h":           "nodeinit [flags] [--] command",
		"help":         "nodeinit [flags] [--] command",
		"help --grace": "NODEINIT_GRACE",
		"help r":       "SIGTTOU",
		"help pause":   "nodeinit pause",
		"--version":    "nodeinit ",
		"version":      "nodeinit ",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			p := testproc.Command{Argv: append([]string{harness.Nodeinit}, strings.Fields(args)...)}.Start(t)
			p.WaitCode(0)
			if !strings.Contains(p.Output(), says) || strings.Count(p.Output(), "\n") > 24 {
				t.Errorf("no %q, or more than a screen:\n%s", says, p.Output())
			}
		})
	}
}
