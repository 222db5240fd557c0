package plan

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/config"
	"github.com/nodeinit/nodeinit/logs"
)

// A percentage is of a worker's share of the memory limit; memory.high is one.
func TestPlanMaxMemory(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   string
		limits cgroup.Limits
		want   int64 // MiB
		err    string
	}{
		{"", cgroup.Limits{Memory: 1 << 30}, 0, ""},
		{"--max-memory 80%", cgroup.Limits{Memory: 1 << 30}, 204, ""},
		{"--max-memory 100% --workers 2", cgroup.Limits{Memory: 1 << 30}, 512, ""},
		{"--max-memory 50%", cgroup.Limits{Memory: 1 << 30, MemoryHigh: 1 << 29}, 64, ""},
		{"--max-memory 50% --memory 2G", cgroup.Limits{}, 256, ""},
		{"--max-memory 300M", cgroup.Limits{}, 300, ""},
		{"--max-memory 300M --mode fork", cgroup.Limits{}, 0, ""},
		{"--max-memory 80% --mode fork", cgroup.Limits{}, 0, ""},
		{"--max-memory 80%", cgroup.Limits{}, 0, `--max-memory: "80%" of no memory limit (set one, or try --max-memory 400M or --memory 512M)`},
	} {
		a := user{config: parsed(t, nil, strings.Fields(c.args))}
		c.limits.Affinity = 4
		if c.limits.Memory == 0 {
			c.limits.MemTotal = 8 << 30
		}
		if a.config.Memory > 0 {
			c.limits.Memory = int64(a.config.Memory)
		}
		p, err := a.plan(c.limits, []string{"node", "a.js"})
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != c.err || p.MaxMemory>>20 != c.want {
			t.Errorf("%s, %d MiB: %d MiB, %q, want %d, %q", c.args, c.limits.Memory>>20, p.MaxMemory>>20, text, c.want, c.err)
		}
	}
}

// A limit that a worker cannot reach, because V8 ends it before, is told.
func TestPlanMaxMemoryAboveTheHeap(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--max-memory 304M --heap 256M":                                       "",
		"--max-memory 305M --heap 256M":                                       "a worker is ended by V8 before it has the 305 MiB of --max-memory: its heap of 256 MiB is full at about 304 (try --max-memory 273M, or a larger --heap)",
		"--max-memory 2G":                                                     "",
		"--max-memory 2G --heap off --memory 1G":                              "",
		"--max-memory 100% --workers 2 --heap 100M --memory 600M":             "a worker is ended by V8 before it has the 300 MiB of --max-memory: its heap of 100 MiB is full at about 148 (try --max-memory 133M, or a larger --heap)",
		"--max-memory 100% --workers 2 --heap 100M --memory 600M --mode fork": "",
		"--max-memory 80% --workers 2 --memory 512M":                          "",
		"--max-memory 400M --workers 2 --memory 512M":                         "a worker is ended by V8 before it has the 400 MiB of --max-memory: its heap of 201 MiB is full at about 249 (try --max-memory 224M, or a larger --heap)",
		"--max-memory 249M --workers 2 --memory 512M":                         "",
	} {
		a := user{config: parsed(t, nil, strings.Fields(args))}
		p, err := a.plan(cgroup.Limits{Affinity: 4, MemTotal: 8 << 30, Memory: int64(a.config.Memory)}, []string{"node", "a.js"})
		if got := strings.Join(p.Warnings, "; "); err != nil || got != want {
			t.Errorf("%s: %v, %q, want %q", args, err, got, want)
		}
	}
}

func TestPlanAgent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args, argv string
		want       bool
	}{
		{"", "node a.js", true},
		{"--mode fork", "node a.js", true},
		{"--no-agent", "node a.js", false},
		{"--no-agent --mode fork", "node a.js", false},
		{"", "npx serve", true},
		{"", "redis-server", false},
		{"--mode per-core", "start.sh", true},
		{"--mode per-core --no-agent", "start.sh", false},
		{"--mode per-core", "deno run a.ts", false},
		{"", "node -e 1", false},
	} {
		a := user{config: parsed(t, nil, strings.Fields(c.args))}
		p, err := a.plan(cgroup.Limits{CPU: 2, Affinity: 8}, strings.Fields(c.argv))
		if err != nil || p.Agent != c.want {
			t.Errorf("%s -- %s: agent %v, %v, want %v", c.args, c.argv, p.Agent, err, c.want)
		}
	}
}

// A Node that takes no agent runs without it, and the log says so.
func TestPlanAgentOfAnOldNode(t *testing.T) {
	t.Parallel()
	const why = "Node 18.17 takes no --import in NODE_OPTIONS (Node 18.18 and later do)"
	dir := nodeOfVersion(t, 18, 17)
	a := user{config: parsed(t, nil, []string{"--hang-timeout", "9"}), environ: []string{"PATH=" + dir, "NODE_VERSION=26.10.0"}}
	p, err := a.plan(cgroup.Limits{CPU: 2, Affinity: 8}, []string{"node", "a.js"})
	if err != nil || p.Agent || p.NoAgentReason != why || !slices.Equal(p.Unused, []string{"--hang-timeout 9: " + why}) || p.Mode != "fork" {
		t.Errorf("%v: agent %v, %q, %q, %s", err, p.Agent, p.NoAgentReason, p.Unused, p.Mode)
	}
	if got := logged(func(log *logs.Logger) { p.Log(log, version) }); !strings.Contains(got, `"level":"warn","msg":"no agent","why":"`+why+`"}`) {
		t.Errorf("logged %s", got)
	}
	text := explained(t, a.environ, "--root", machine(t, "v2-private-1.5cpu-512m"), "node", "a.js")
	if !strings.Contains(text, "warning      no agent: "+why+"\n") {
		t.Errorf("explained %s", text)
	}
}

// nodeOfVersion returns a directory with a node that has headers of that version.
func nodeOfVersion(t *testing.T, major, minor int) string {
	t.Helper()
	top := t.TempDir()
	header := fmt.Sprintf("#define NODE_MAJOR_VERSION %d\n#define NODE_MINOR_VERSION %d\n", major, minor)
	for file, text := range map[string]string{"bin/node": "#!/bin/sh\n", "include/node/node_version.h": header} {
		file = filepath.Join(top, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(top, "bin")
}

// Where --import=data: would be in the way there is no agent, and so nothing that
// lets a worker end that has done its work: one process, unless the user says.
func TestPlanAgentInTheWay(t *testing.T) {
	t.Parallel()
	dir := nodeOfVersion(t, 26, 10)
	for _, c := range []struct{ argv, options, why string }{
		{"node --loader ./l.mjs a.js", "", "a custom loader (--loader) would be asked for it"},
		{"node --experimental_loader=./l.mjs a.js", "", "a custom loader (--experimental-loader) would be asked for it"},
		{"node a.js --loader", "", ""},
		{"node a.js", "--experimental-loader ./l.mjs", "a custom loader (--experimental-loader) would be asked for it"},
		{"node --experimental-policy=p.json a.js", "", "a policy (--experimental-policy) would have to allow it"},
		{"node --snapshot-blob s.blob a.js", "", "what starts from a snapshot (--snapshot-blob) imports nothing"},
		{"node --import ./l.mjs a.js", "", ""},
	} {
		a := user{config: parsed(t, nil, nil), environ: []string{"PATH=" + dir, "NODE_OPTIONS=" + c.options}}
		p, err := a.plan(cgroup.Limits{CPU: 2, Affinity: 8}, strings.Fields(c.argv))
		if err != nil || p.NoAgentReason != c.why || p.Agent != (c.why == "") || (p.Mode == "fork") != (c.why != "") {
			t.Errorf("%s, %s: %v, %s, agent %v, %q, want %q", c.argv, c.options, err, p.Mode, p.Agent, p.NoAgentReason, c.why)
		}
		a.config = parsed(t, nil, []string{"--mode=per-core"})
		if p, err = a.plan(cgroup.Limits{CPU: 2, Affinity: 8}, strings.Fields(c.argv)); err != nil || p.Mode != "per-core" || p.Agent != (c.why == "") {
			t.Errorf("--mode per-core -- %s: %v, %s, agent %v", c.argv, err, p.Mode, p.Agent)
		}
	}
	a := user{config: parsed(t, nil, nil), environ: []string{"PATH=" + dir}}
	p, err := a.plan(cgroup.Limits{CPU: 2, Affinity: 8}, []string{"sh", "-c", "node a.js && node --loader ./l.mjs b.js"})
	if err != nil || p.Agent || p.Mode != "fork" || !strings.Contains(p.Reason, "a custom loader (--loader)") {
		t.Errorf("below a shell: %v, %s, %s", err, p.Mode, p.Reason)
	}
}

// What means nothing is told in one line for each thing that is missing.
func TestUnused(t *testing.T) {
	t.Parallel()
	const (
		workers = "--reload-signal SIGHUP --max-memory 80% --max-age 1h"
		told    = "--reload-signal SIGHUP, --max-memory 80%, --max-age 1h: only for workers, "
		agent   = "--hang-timeout 9 --ready message --ready-timeout 5 --stop-order drain"
	)
	for _, c := range []struct {
		args, argv string
		want       []string
	}{
		{"", "redis-server", nil},
		{"--drain-delay 5 --no-resize --no-agent", "node a.js", nil},
		{workers + " " + agent, "node a.js", nil},
		{workers + " --mode fork", "node a.js", []string{told + "not with --mode fork (try --mode per-core)"}},
		{"--max-memory 300M", "redis-server", []string{"--max-memory 300M: only for workers, and the program is not Node"}},
		{workers, "", nil},
		{"--mode fork --workers 4", "node a.js", []string{"--workers 4: only for workers, not with --mode fork (try --mode per-core)"}},
		{"--workers 1 --max-crashes 3", "node a.js", []string{"--max-crashes 3: only for workers, and the limits allow one process (try --mode per-core --workers 1)"}},
		{agent + " --mode fork", "node a.js", nil},
		{agent + " --mode fork", "", nil},
		{agent + " --no-agent", "node a.js", []string{"--hang-timeout 9: not with --no-agent"}},
		{agent + " --no-agent --mode fork", "node a.js", []string{"--hang-timeout 9: not with --no-agent", "--ready message, --ready-timeout 5, --stop-order drain: not with --no-agent"}},
		{agent, "redis-server", []string{"--hang-timeout 9: only where the program is Node", "--ready message, --ready-timeout 5, --stop-order drain: only where the program is Node"}},
		{"--ready none --stop-order signal", "redis-server", nil},
		{workers + " " + agent, "redis-server", []string{told + "and the program is not Node", "--hang-timeout 9: only where the program is Node", "--ready message, --ready-timeout 5, --stop-order drain: only where the program is Node"}},
		{agent, "node -e 1", []string{"--hang-timeout 9: node -e runs no script (write node server.js)", "--ready message, --ready-timeout 5, --stop-order drain: node -e runs no script (write node server.js)"}},
		{"--no-multiline --strip-colors", "node a.js", []string{"--no-multiline, --strip-colors: only with --logs json"}},
		{"--no-multiline --strip-colors --log-fields ecs --logs json", "node a.js", nil},
		{"--log-fields ecs", "node a.js", nil},
		{"--log-fields ecs --log-format text", "node a.js", []string{"--log-fields ecs: only for JSON lines, and there are none"}},
		{"--metrics-app /metrics", "node a.js", []string{"--metrics-app /metrics: only with --metrics"}},
		{"--health-interval 1s --health-failures 1", "redis-server", []string{"--health-interval 1s, --health-failures 1: only with --health-path"}},
		{"--metrics 9464 --metrics-app /metrics --health-path / --health-interval 1s --health-failures 1", "node a.js", nil},
		{"--mode per-core " + agent, "deno run a.ts", []string{"--hang-timeout 9: only where the program is Node"}},
	} {
		a := user{config: parsed(t, nil, strings.Fields(c.args))}
		p, err := a.plan(cgroup.Limits{CPU: 2, Affinity: 8, Memory: 1 << 30}, strings.Fields(c.argv))
		if err != nil || !slices.Equal(p.Unused, c.want) {
			t.Errorf("%s -- %s: %q, %v, want %q", c.args, c.argv, p.Unused, err, c.want)
		}
	}
}

// WEB_CONCURRENCY is the user's word, if it is a number.
func TestTargetAndWebConcurrency(t *testing.T) {
	t.Parallel()
	for value, follow := range map[string]bool{"": true, "5": false, "many": true} {
		a := user{config: config.Default(), environ: []string{"WEB_CONCURRENCY=" + value}}
		p, err := a.plan(cgroup.Limits{CPU: 2, Affinity: 8}, []string{"node", "a.js"})
		if err != nil || p.Count.FromLimits != follow {
			t.Errorf("WEB_CONCURRENCY=%s: follows the limits: %v, %v, want %v", value, p.Count.FromLimits, err, follow)
		}
	}
}

func TestUnusedIsLogged(t *testing.T) {
	t.Parallel()
	p := Plan{Unused: []string{"one", "two"}, Mode: Fork, MaxMemory: 7}
	got := logged(func(log *logs.Logger) { p.Log(log, version) })
	if want := `"level":"warn","msg":"settings without effect","warning":"one"}
"level":"warn","msg":"settings without effect","warning":"two"}
`; !strings.HasPrefix(got, want) || !strings.Contains(got, `"max_memory_bytes":7`) {
		t.Errorf("got\n%s", got)
	}
}
