package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// runApp runs nodeinit in this process, which must not start a program.
func runApp(environ []string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	a := app{environ: environ, stdout: &out, stderr: &errs}
	code = a.run(args)
	return code, out.String(), errs.String()
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--version"}, {"version"}, {"-v", "version"}, {"--version", "--", "node"}} {
		code, stdout, stderr := runApp(nil, args...)
		if code != 0 || stdout != "nodeinit "+version+"\n" || stderr != "" {
			t.Errorf("%q: %d, %q, %q", args, code, stdout, stderr)
		}
	}
}

func TestHelpFitsAScreen(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"-h"}, {"help"}, {"--grace", "3", "-h", "node"}} {
		code, stdout, stderr := runApp(nil, args...)
		if code != 0 || stderr != "" || !strings.HasPrefix(stdout, "nodeinit [flags]") {
			t.Errorf("%q: %d, %q, %q", args, code, stdout, stderr)
		}
		lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
		if len(lines) > 24 {
			t.Errorf("%q: %d lines", args, len(lines))
		}
		for _, line := range lines {
			if len(line) > 80 || strings.TrimRight(line, " ") != line {
				t.Errorf("%q: %d columns: %q", args, len(line), line)
			}
		}
	}
}

func TestHelpTopics(t *testing.T) {
	t.Parallel()
	first := func(text string) string { line, _, _ := strings.Cut(text, "\n"); return line }
	for word, want := range map[string]string{
		"grace": "--grace D", "--grace": "--grace D", "-g": "--group", "g": "--group", "rewrite": "--rewrite FROM:TO",
		"resize": "--resize", "no-resize": "--resize", "--no-agent": "--no-agent",
		"explain": "nodeinit explain [flags] [--json] [--root DIR] [-- command]",
		"pause":   "nodeinit pause", "version": "nodeinit version", "help": "nodeinit help [FLAG or SUBCOMMAND]",
	} {
		code, stdout, stderr := runApp(nil, "help", word)
		if code != 0 || first(stdout) != want || stderr != "" {
			t.Errorf("help %s: %d, %q, %q", word, code, stdout, stderr)
		}
	}
	for _, name := range []string{"explain", "pause"} {
		_, want, _ := runApp(nil, "help", name)
		for _, flag := range []string{"--help", "-h"} {
			if code, stdout, _ := runApp(nil, name, flag); code != 0 || stdout != want {
				t.Errorf("%s %s: %d, %q, want %q", name, flag, code, stdout, want)
			}
		}
	}
	_, stdout, _ := runApp([]string{"NODEINIT_GRACE=3"}, "help", "grace")
	if want := "--grace D\n  from the stop signal to SIGKILL; 0: no limit\n  environment: NODEINIT_GRACE   default: 9s\n\n"; !strings.HasPrefix(stdout, want) {
		t.Errorf("help grace is %q", stdout)
	}
}

// What is not right ends with status 2 and one line.
func TestMisuse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "no command given (try nodeinit -- node server.js, or nodeinit --help)"},
		{[]string{"--"}, "no command given (try nodeinit -- node server.js, or nodeinit --help)"},
		{[]string{"-g"}, "no command given (try nodeinit -- node server.js, or nodeinit --help)"},
		{[]string{"--grase", "9", "node"}, "--grase: no such flag (did you mean --grace?)"},
		{[]string{"--stopsignal=TERM", "node"}, "--stopsignal: no such flag (did you mean --stop-signal?)"},
		{[]string{"--cron-restart", "0 3 * * *"}, "--cron-restart: no such flag (did you mean --max-age?)"},
		{[]string{"--halp"}, "--halp: no such flag (did you mean --help?)"},
		{[]string{"-x", "node"}, "-x: no such flag (see nodeinit --help)"},
		{[]string{"-gx", "node"}, "-x: no such flag (see nodeinit --help)"},
		{[]string{"--redact", "[a", "node"}, `--redact: "[a" is no regular expression: missing closing ]: "[a" (try 'password=[^ "&]+')`},
		{[]string{"--redact", "a*", "node"}, `--redact: "a*" matches the empty string, and so everywhere (try 'password=[^ "&]+')`},
		{[]string{"--redact", "a", "--logs", "raw", "node"}, `--redact or NODEINIT_REDACT: "a" needs --logs lines or json, and --logs is raw (try --logs lines)`},
		{[]string{"explain", "--logs", "raw", "--redact", "a"}, `--redact or NODEINIT_REDACT: "a" needs --logs lines or json, and --logs is raw (try --logs lines)`},
		{[]string{"--logs", "text", "node"}, `--logs: "text" is not one of auto, raw, lines, json (try auto)`},
		{[]string{"--merge-logs", "node"}, "--merge-logs: no such flag (did you mean --logs?)"},
		{[]string{"--grace"}, "--grace: a value is missing (see nodeinit help grace)"},
		{[]string{"-r"}, "--rewrite: a value is missing (see nodeinit help rewrite)"},
		{[]string{"--stop-signal", "STOP", "node"}, `--stop-signal: "STOP" cannot stop a program (try TERM)`},
		{[]string{"--stop-signal=CHLD", "pause"}, `--stop-signal: "CHLD" cannot stop a program (try TERM)`},
		{[]string{"explain", "--stop-signal=32"}, `--stop-signal: "32" cannot stop a program (try TERM)`},
		{[]string{"-r", "TERM:INT", "-r", "15:2", "node"}, `--rewrite or NODEINIT_REWRITE: "SIGTERM:SIGINT": SIGTERM is rewritten twice (keep one)`},
		{[]string{"--no-resize=7", "node"}, `--no-resize: "7" is neither true nor false (try true)`},
		{[]string{"--reload-signal", "TERM", "node"}, `--reload-signal: "TERM" is a request to stop (try HUP)`},
		{[]string{"--reload-signal", "SEGV", "node"}, `--reload-signal: "SEGV" cannot mean a reload (try HUP)`},
		{[]string{"--reload-signal", "HUP", "--stop-signal", "1", "node"}, `--reload-signal or NODEINIT_RELOAD_SIGNAL: "SIGHUP" is --stop-signal too (try another)`},
		{[]string{"--reload-signal", "HUP", "-r", "HUP:TERM", "node"}, `--reload-signal or NODEINIT_RELOAD_SIGNAL: "SIGHUP" is rewritten too (try another)`},
		{[]string{"--reload-signal", "USR2", "-p", "USR2", "pause"}, `--reload-signal or NODEINIT_RELOAD_SIGNAL: "SIGUSR2" is --pdeathsig too (try another)`},
		{[]string{"explain", "--hang-timeout", "2"}, `--hang-timeout: "2" is less than 3s, and workers report once a second (try 10s, or 0 for off)`},
		{[]string{"explain", "--pre", `node "a b`, "node"}, `--pre: "node \"a b": a quote is not closed (try "node migrate.js", and --pre again for another)`},
		{[]string{"explain", "--pre", "a && b", "node"}, `--pre: "a && b": && needs a shell (try "node migrate.js", and --pre again for another)`},
		{[]string{"version", "x"}, `version: "x": takes no arguments (see nodeinit help version)`},
		{[]string{"pause", "x"}, `pause: "x": takes no arguments (see nodeinit help pause)`},
		{[]string{"pause", "--", "node"}, `pause: "node": takes no arguments (see nodeinit help pause)`},
		{[]string{"pause", "--json"}, "--json: no such flag (see nodeinit --help)"},
		{[]string{"explain", "--rot=/"}, "--rot: no such flag (did you mean --root?)"},
		{[]string{"explain", "--root=/nowhere"}, `--root: "/nowhere" is not a directory (give one that holds proc and sys)`},
		{[]string{"explain", "--root=/dev/null"}, `--root: "/dev/null" is not a directory (give one that holds proc and sys)`},
		{[]string{"help", "grase"}, `help: "grase": no such flag or subcommand (did you mean grace?)`},
		{[]string{"help", "exlain"}, `help: "exlain": no such flag or subcommand (did you mean explain?)`},
		{[]string{"help", "grace", "mode"}, `help: "mode": one word only (try nodeinit help grace)`},
	} {
		code, stdout, stderr := runApp(nil, c.args...)
		if code != 2 || stdout != "" || stderr != "nodeinit: "+c.want+"\n" {
			t.Errorf("%q: %d, %q, %q, want %q", c.args, code, stdout, stderr, c.want)
		}
	}
	if code, stdout, stderr := runApp(nil, "help", ""); code != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 {
		t.Errorf("help of nothing: %d, %q, %q", code, stdout, stderr)
	}
}

// A word is a subcommand only where a program could not be meant.
func TestSubcommandOrProgram(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"explain", "help", "pause", "status", "version"} {
		if findSubcommand(word) == nil {
			t.Errorf("%s is no subcommand", word)
		}
	}
	for _, word := range []string{"", "node", "Explain", "./explain", "run", "Status"} {
		if findSubcommand(word) != nil {
			t.Errorf("%q is a subcommand", word)
		}
	}
	// explain stands for itself here and after -- for a program, which it tells of.
	code, stdout, stderr := runApp(nil, "explain", "--root", t.TempDir(), "--", "explain", "--json")
	if code != 0 || !strings.Contains(stdout, `["explain" "--json"]`) || stderr != "" {
		t.Errorf("explain -- explain --json: %d, %q, %q", code, stdout, stderr)
	}
}

// An internal error is status 125 and a line, not a trace.
func TestPanicIsTold(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	a := app{stderr: &errs} // nowhere to print to
	if code := a.run([]string{"--version"}); code != 125 || !strings.HasPrefix(errs.String(), "nodeinit: internal error, please report it: ") || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("%d, %q", code, errs.String())
	}
}

// lines splits what was printed into lines.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func TestEveryBadVariableIsTold(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := runApp([]string{"NODEINIT_GRACE=9x", "NODEINIT_HEAP=lots", "NODEINIT_CPUS=2"}, "--version")
	want := []string{
		`nodeinit: NODEINIT_GRACE: "9x" is not a duration (try 9s)`,
		`nodeinit: NODEINIT_HEAP: "lots" is neither auto nor off nor a size of at least 1M (try 512M)`,
	}
	if got := lines(stderr); code != 2 || stdout != "" || !slices.Equal(got, want) {
		t.Errorf("%d, %q, %q, want %q", code, stdout, got, want)
	}
}
