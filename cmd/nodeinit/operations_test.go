package main

import (
	"strings"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/admin"
)

// What the subcommands for a running nodeinit do not take, and that they say in one line
// when they reach none.
func TestOperationArguments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   string
		code   int
		stderr string
	}{
		{"reload x", 2, `reload: "x": takes no arguments (see nodeinit help reload)`},
		{"health x", 2, `health: "x": takes no arguments (see nodeinit help health)`},
		{"scale", 2, "scale: takes one argument (try nodeinit scale 2, or nodeinit scale auto)"},
		{"scale 1 2", 2, "scale: takes one argument (try nodeinit scale 2, or nodeinit scale auto)"},
		{"scale --force", 2, "scale: takes one argument (try nodeinit scale 2, or nodeinit scale auto)"},
		{"scale 0", 2, `scale: "0" is neither auto nor a number from 1 on (try nodeinit scale auto)`},
		{"scale --force max", 2, `scale: "max" is neither auto nor a number from 1 on (try nodeinit scale auto)`},
		{"scale 2 --farce", 2, "--farce: no such flag (did you mean --force?)"},
		{"profile", 2, "profile: say cpu, heap or alloc (try nodeinit profile cpu > app.cpuprofile)"},
		{"profile cpu heap", 2, "profile: say cpu, heap or alloc (try nodeinit profile cpu > app.cpuprofile)"},
		{"profile disk", 2, "profile: say cpu, heap or alloc (try nodeinit profile cpu > app.cpuprofile)"},
		{"profile heap --seconds 3", 2, "profile: --seconds is for cpu and alloc (leave it out)"},
		{"profile cpu --seconds 0.01", 2, `profile: --seconds: "0.01" is not from 0.1 to 3600 (try 10)`},
		{"profile --seconds 2h cpu", 2, `profile: --seconds: "2h" is not from 0.1 to 3600 (try 10)`},
		{"profile --seconds x cpu", 2, `profile: --seconds: "x" is not a duration (try 9s)`},
		{"profile --worker -1 cpu", 2, `profile: --worker: "-1" is not the number of a worker (see nodeinit status)`},
		{"report all", 2, `report: "all": takes no arguments (see nodeinit help report)`},
		{"report --pid 2000000000", 1, "report: process 2000000000 takes no commands"},
		{"profile cpu --worker 1 --pid 2000000000", 1, "profile: process 2000000000 takes no commands"},
		{"reload --pid 2000000000", 1, "reload: process 2000000000 takes no commands"},
		{"health --pid 2000000000", 1, "health: process 2000000000 takes no commands"},
		{"scale 2 --force --pid 2000000000", 1, "scale: process 2000000000 takes no commands"},
		{"scale --pid 2000000000 auto", 1, "scale: process 2000000000 takes no commands"},
	} {
		code, stdout, stderr := runApp(nil, strings.Fields(c.args)...)
		if code != c.code || stdout != "" || !strings.HasPrefix(stderr, "nodeinit: "+c.stderr) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: %d, %q, %q", c.args, code, stdout, stderr)
		}
	}
}

func TestStepLine(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]admin.Event{
		"    12 ms  slot 0  pid 17  starting\n":            {PID: 17, Step: "starting"},
		"    12 ms  slot 3  pid 18  ended (SIGKILL)\n":     {Slot: 3, PID: 18, Step: "ended", Text: "SIGKILL"},
		"    12 ms  slot 1  pid 4194304  ended (exit 1)\n": {Slot: 1, PID: 4194304, Step: "ended", Text: "exit 1"},
	} {
		if got := string(appendStep(nil, 12*time.Millisecond, e)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := string(appendStep(nil, time.Hour, admin.Event{})); !strings.HasPrefix(got, "3600000 ms  slot 0") {
		t.Errorf("got %q", got)
	}
}

func TestOperationHelp(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"reload", "scale", "health", "profile", "report"} {
		_, want, _ := runApp(nil, "help", name)
		code, stdout, stderr := runApp(nil, name, "--help")
		if code != 0 || stdout != want || stderr != "" || !strings.HasPrefix(stdout, "nodeinit "+name) {
			t.Errorf("%s: %d, %q, %q", name, code, stdout, stderr)
		}
	}
}
