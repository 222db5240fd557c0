package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/nodeinit/nodeinit/config"
)

func explained(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	code, stdout, stderr := runApp(environ, append([]string{"explain"}, args...)...)
	if code != 0 || stderr != "" {
		t.Fatalf("explain %q: %d, %s", args, code, stderr)
	}
	return stdout
}

// Without --root it is this machine, of which only the form is known.
func TestExplainThisMachine(t *testing.T) {
	t.Parallel()
	var e struct {
		Affinity, Workers int
		MemoryFrom        *string  `json:"memory_from"`
		EnvAdded          []string `json:"env_added"`
	}
	if err := json.Unmarshal([]byte(explained(t, nil, "--json", "--memory", "512M", "--", "node")), &e); err != nil {
		t.Fatal(err)
	}
	if e.Affinity < 1 || e.Workers < 1 || e.MemoryFrom == nil || *e.MemoryFrom != "--memory" || len(e.EnvAdded) != 1 || !strings.HasPrefix(e.EnvAdded[0], "NODE_OPTIONS=--max-old-space-size=") {
		t.Errorf("got %+v", e)
	}
}

// An output that is full or closed is an error of its own.
func TestExplainToNobody(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"explain"}, {"explain", "--json"}} {
		var errs strings.Builder
		a := app{stdout: full, stderr: &errs}
		if code := a.run(args); code != 125 || errs.String() != "nodeinit: explain: write /dev/full: no space left on device\n" {
			t.Errorf("%q: %d, %q", args, code, errs.String())
		}
	}
}

// Without a command explain tells of PID 1, if that is a nodeinit which runs one.
func TestExplainLikePID1(t *testing.T) {
	t.Parallel()
	const command, environ = "/nodeinit\x00--grace\x003\x00--\x00node\x00a b.js\x00", "NODEINIT_WORKERS=3\x00A=1\x00"
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, c := range map[string]struct {
		proc    fstest.MapFS
		leading []string
		argv    []string
		note    string
		grace   string
		workers int
		env     []string
	}{
		"nodeinit":           {fstest.MapFS{"1/cmdline": file(command), "1/environ": file(environ)}, nil, []string{"node", "a b.js"}, "PID 1: /nodeinit --grace 3 -- node a b.js", "3s", 3, []string{"NODEINIT_WORKERS=3", "A=1"}},
		"own flags win":      {fstest.MapFS{"1/cmdline": file(command), "1/environ": file(environ)}, []string{"--grace", "4"}, []string{"node", "a b.js"}, "PID 1: /nodeinit --grace 3 -- node a b.js", "4s", 3, []string{"NODEINIT_WORKERS=3", "A=1"}},
		"no environment":     {fstest.MapFS{"1/cmdline": file(command)}, nil, []string{"node", "a b.js"}, "PID 1: /nodeinit --grace 3 -- node a b.js (its environment cannot be read: this is that of explain)", "3s", 0, []string{"OWN=1"}},
		"no text":            {fstest.MapFS{"1/cmdline": file("/nodeinit\x00sh\x00-c\x00a\n\x1b[2Jb\x00")}, nil, []string{"sh", "-c", "a\n\x1b[2Jb"}, `PID 1: /nodeinit sh -c "a\n\x1b[2Jb" (its environment cannot be read: this is that of explain)`, "9s", 0, []string{"OWN=1"}},
		"another program":    {fstest.MapFS{"1/cmdline": file("node\x00a.js\x00"), "1/environ": file(environ)}, nil, nil, "", "9s", 0, []string{"OWN=1"}},
		"a subcommand":       {fstest.MapFS{"1/cmdline": file("/nodeinit\x00pause\x00"), "1/environ": file(environ)}, nil, nil, "", "9s", 0, []string{"OWN=1"}},
		"nothing to see":     {fstest.MapFS{"1/cmdline": file("")}, nil, nil, "", "9s", 0, []string{"OWN=1"}},
		"no such process":    {fstest.MapFS{}, nil, nil, "", "9s", 0, []string{"OWN=1"}},
		"wrong arguments":    {fstest.MapFS{"1/cmdline": file("/nodeinit\x00--nope\x00x\x00")}, nil, nil, "", "9s", 0, []string{"OWN=1"}},
		"a program after --": {fstest.MapFS{"1/cmdline": file("/nodeinit\x00--\x00pause\x00")}, nil, []string{"pause"}, "PID 1: /nodeinit -- pause (its environment cannot be read: this is that of explain)", "9s", 0, []string{"OWN=1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := app{config: config.Default(), leading: c.leading, environ: []string{"OWN=1"}}
			argv, note := a.likePID1(c.proc)
			if !slices.Equal(argv, c.argv) || note != c.note || a.config.Grace.String() != c.grace || a.config.Workers.Fixed != c.workers || !slices.Equal(a.environ, c.env) {
				t.Errorf("%q, %q, grace %v, %d workers, %q", argv, note, a.config.Grace, a.config.Workers.Fixed, a.environ)
			}
		})
	}
}
