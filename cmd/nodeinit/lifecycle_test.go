package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/supervisor"
)

func TestMaxMemory(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]maxMemory{
		"off": {}, "512M": {fixed: 512 << 20}, "1M": {fixed: 1 << 20}, "80%": {percent: 80}, "0.5%": {percent: 0.5}, "100%": {percent: 100},
	} {
		m := maxMemory{fixed: 7, percent: 7}
		if err := m.UnmarshalText([]byte(text)); err != nil || m != want {
			t.Errorf("%q is %v, %v, want %v", text, m, err, want)
		}
	}
}

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
		a := app{config: parsed(t, nil, strings.Fields(c.args))}
		c.limits.Affinity = 4
		if c.limits.Memory == 0 {
			c.limits.MemTotal = 8 << 30
		}
		if a.config.Memory > 0 {
			c.limits.Memory = int64(a.config.Memory)
		}
		p, err := a.makePlan(c.limits, []string{"node", "a.js"})
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != c.err || p.maxMemory>>20 != c.want {
			t.Errorf("%s, %d MiB: %d MiB, %q, want %d, %q", c.args, c.limits.Memory>>20, p.maxMemory>>20, text, c.want, c.err)
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
	} {
		a := app{config: parsed(t, nil, strings.Fields(args))}
		p, err := a.makePlan(cgroup.Limits{Affinity: 4, MemTotal: 8 << 30, Memory: int64(a.config.Memory)}, []string{"node", "a.js"})
		if got := strings.Join(p.warnings, "; "); err != nil || got != want {
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
		a := app{config: parsed(t, nil, strings.Fields(c.args))}
		p, err := a.makePlan(cgroup.Limits{CPU: 2, Affinity: 8}, strings.Fields(c.argv))
		if err != nil || p.agent != c.want {
			t.Errorf("%s -- %s: agent %v, %v, want %v", c.args, c.argv, p.agent, err, c.want)
		}
	}
}

// A Node that takes no agent runs without it, and the log says so.
func TestPlanAgentOfAnOldNode(t *testing.T) {
	t.Parallel()
	const why = "Node 18.17 takes no --import in NODE_OPTIONS (Node 18.18 and later do)"
	dir := nodeOfVersion(t, 18, 17)
	a := app{config: parsed(t, nil, []string{"--hang-timeout", "9"}), environ: []string{"PATH=" + dir, "NODE_VERSION=26.10.0"}}
	p, err := a.makePlan(cgroup.Limits{CPU: 2, Affinity: 8}, []string{"node", "a.js"})
	if err != nil || p.agent || p.agentless != why || !slices.Equal(p.unused, []string{"--hang-timeout 9s: " + why}) || p.mode != "fork" {
		t.Errorf("%v: agent %v, %q, %q, %s", err, p.agent, p.agentless, p.unused, p.mode)
	}
	if got := logged(p.log); !strings.Contains(got, `"level":"warn","msg":"no agent","why":"`+why+`"}`) {
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
		a := app{config: parsed(t, nil, nil), environ: []string{"PATH=" + dir, "NODE_OPTIONS=" + c.options}}
		p, err := a.makePlan(cgroup.Limits{CPU: 2, Affinity: 8}, strings.Fields(c.argv))
		if err != nil || p.agentless != c.why || p.agent != (c.why == "") || (p.mode == "fork") != (c.why != "") {
			t.Errorf("%s, %s: %v, %s, agent %v, %q, want %q", c.argv, c.options, err, p.mode, p.agent, p.agentless, c.why)
		}
		a.config = parsed(t, nil, []string{"--mode=per-core"})
		if p, err = a.makePlan(cgroup.Limits{CPU: 2, Affinity: 8}, strings.Fields(c.argv)); err != nil || p.mode != "per-core" || p.agent != (c.why == "") {
			t.Errorf("--mode per-core -- %s: %v, %s, agent %v", c.argv, err, p.mode, p.agent)
		}
	}
	a := app{config: parsed(t, nil, nil), environ: []string{"PATH=" + dir}}
	p, err := a.makePlan(cgroup.Limits{CPU: 2, Affinity: 8}, []string{"sh", "-c", "node a.js && node --loader ./l.mjs b.js"})
	if err != nil || p.agent || p.mode != "fork" || !strings.Contains(p.reason, "a custom loader (--loader)") {
		t.Errorf("below a shell: %v, %s, %s", err, p.mode, p.reason)
	}
}

// What means nothing is told in one line for each thing that is missing.
func TestUnused(t *testing.T) {
	t.Parallel()
	const (
		workers = "--reload-signal SIGHUP --max-memory 80% --max-age 1h"
		told    = "--reload-signal SIGHUP, --max-memory 80%, --max-age 1h0m0s: only for workers (--mode per-core)"
		agent   = "--hang-timeout 9 --ready message --ready-timeout 5 --stop-order drain"
	)
	for _, c := range []struct {
		args, argv string
		want       []string
	}{
		{"", "redis-server", nil},
		{"--drain-delay 5 --no-resize --no-agent", "node a.js", nil},
		{workers + " " + agent, "node a.js", nil},
		{workers + " --mode fork", "node a.js", []string{told}},
		{"--max-memory 300M", "redis-server", []string{"--max-memory 314572800: only for workers (--mode per-core)"}},
		{workers, "", nil},
		{agent + " --mode fork", "node a.js", nil},
		{agent + " --mode fork", "", nil},
		{agent + " --no-agent", "node a.js", []string{"--hang-timeout 9s: not with --no-agent"}},
		{agent + " --no-agent --mode fork", "node a.js", []string{"--hang-timeout 9s: not with --no-agent", "--ready message, --ready-timeout 5s, --stop-order drain: not with --no-agent"}},
		{agent, "redis-server", []string{"--hang-timeout 9s: only where the program is Node", "--ready message, --ready-timeout 5s, --stop-order drain: only where the program is Node"}},
		{"--ready none --stop-order signal", "redis-server", nil},
		{workers + " " + agent, "redis-server", []string{told, "--hang-timeout 9s: only where the program is Node", "--ready message, --ready-timeout 5s, --stop-order drain: only where the program is Node"}},
		{agent, "node -e 1", []string{"--hang-timeout 9s: node -e runs no script (write node server.js)", "--ready message, --ready-timeout 5s, --stop-order drain: node -e runs no script (write node server.js)"}},
		{"--mode per-core " + agent, "deno run a.ts", []string{"--hang-timeout 9s: only where the program is Node"}},
	} {
		a := app{config: parsed(t, nil, strings.Fields(c.args))}
		p, err := a.makePlan(cgroup.Limits{CPU: 2, Affinity: 8, Memory: 1 << 30}, strings.Fields(c.argv))
		if err != nil || !slices.Equal(p.unused, c.want) {
			t.Errorf("%s -- %s: %q, %v, want %q", c.args, c.argv, p.unused, err, c.want)
		}
	}
}

const all = "--ready message --ready-timeout 5 --drain-delay 6 --stop-order drain --reload-signal HUP --max-memory 50% --max-age 7 --hang-timeout 8 --max-crashes 3 --crash-window 9"

func TestTend(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args   string
		tend   func(*run, *supervisor.Supervisor)
		want   *supervisor.Supervisor
		follow bool
	}{
		"fork": {all, (*run).tend, &supervisor.Supervisor{
			Ready: supervisor.ReadyMessage, ReadyTimeout: 5 * time.Second, DrainDelay: 6 * time.Second, StopOrder: supervisor.DrainFirst,
			ReloadSignal: unix.SIGHUP, HangTimeout: 8 * time.Second,
		}, false},
		"workers": {all, (*run).tendWorkers, &supervisor.Supervisor{
			Ready: supervisor.ReadyMessage, ReadyTimeout: 5 * time.Second, DrainDelay: 6 * time.Second, StopOrder: supervisor.DrainFirst,
			ReloadSignal: unix.SIGHUP, HangTimeout: 8 * time.Second,
			PerCore: true, MaxMemory: func() int64 { return 128 << 20 }, MaxAge: 7 * time.Second, MaxCrashes: 3, CrashWindow: 9 * time.Second,
		}, true},
		"no agent": {all + " --no-agent --stop-order signal --ready none", (*run).tend, &supervisor.Supervisor{
			Ready: supervisor.ReadyNone, ReadyTimeout: 5 * time.Second, DrainDelay: 6 * time.Second, StopOrder: supervisor.SignalFirst,
			ReloadSignal: unix.SIGHUP,
		}, false},
		"by default": {"", (*run).tendWorkers, &supervisor.Supervisor{
			ReadyTimeout: 30 * time.Second, PerCore: true, CrashWindow: time.Minute,
		}, true},
		"not resized":   {"--no-resize", (*run).tendWorkers, &supervisor.Supervisor{ReadyTimeout: 30 * time.Second, PerCore: true, CrashWindow: time.Minute}, false},
		"fixed workers": {"--workers 3", (*run).tendWorkers, &supervisor.Supervisor{ReadyTimeout: 30 * time.Second, PerCore: true, CrashWindow: time.Minute}, false},
		"most workers":  {"--workers max", (*run).tendWorkers, &supervisor.Supervisor{ReadyTimeout: 30 * time.Second, PerCore: true, CrashWindow: time.Minute}, false},
	} {
		a := app{config: parsed(t, nil, strings.Fields(c.args))}
		p, err := a.makePlan(cgroup.Limits{CPU: 2, Affinity: 8, Memory: 512 << 20}, []string{"node", "a.js"})
		if err != nil {
			t.Fatal(err)
		}
		r := run{
			app: &a, plan: p, group: cgroup.Find(os.DirFS(machine(t, "v2-private-1.5cpu-512m"))),
			affinity: func() (int, error) { return 8, nil }, task: new(task),
			log: logs.New(io.Discard, logs.JSON, zerolog.InfoLevel),
		}
		var s supervisor.Supervisor
		c.tend(&r, &s)
		w := c.want
		if s.Ready != w.Ready || s.ReadyTimeout != w.ReadyTimeout || s.DrainDelay != w.DrainDelay || s.StopOrder != w.StopOrder ||
			s.ReloadSignal != w.ReloadSignal || s.HangTimeout != w.HangTimeout || s.PerCore != w.PerCore || (s.MaxMemory == nil) != (w.MaxMemory == nil) || s.MaxMemory != nil && s.MaxMemory() != w.MaxMemory() ||
			s.MaxAge != w.MaxAge || s.MaxCrashes != w.MaxCrashes || s.CrashWindow != w.CrashWindow || (s.Target != nil) != c.follow {
			t.Errorf("%s: %+v", name, &s)
		}
	}
}

// WEB_CONCURRENCY is the user's word, if it is a number.
func TestTargetAndWebConcurrency(t *testing.T) {
	t.Parallel()
	for value, follow := range map[string]bool{"": true, "5": false, "many": true} {
		a := app{config: defaults(), environ: []string{"WEB_CONCURRENCY=" + value}}
		p, err := a.makePlan(cgroup.Limits{CPU: 2, Affinity: 8}, []string{"node", "a.js"})
		if err != nil || p.fromLimits != follow {
			t.Errorf("WEB_CONCURRENCY=%s: follows the limits: %v, %v, want %v", value, p.fromLimits, err, follow)
		}
	}
}

// Before the program runs there is nothing to reload.
func TestPreRules(t *testing.T) {
	t.Parallel()
	rules := parsed(t, nil, []string{"--reload-signal", "HUP", "-r", "USR1:USR2"}).preRules()
	for sig, want := range map[unix.Signal]unix.Signal{unix.SIGHUP: 0, unix.SIGUSR1: unix.SIGUSR2, unix.SIGTERM: unix.SIGTERM} {
		if got, _ := rules.Apply(sig); got != want {
			t.Errorf("%v becomes %v, want %v", sig, got, want)
		}
	}
	if got, _ := parsed(t, nil, nil).preRules().Apply(unix.SIGHUP); got != unix.SIGHUP {
		t.Errorf("without a reload signal SIGHUP becomes %v", got)
	}
}

func TestUnusedIsLogged(t *testing.T) {
	t.Parallel()
	p := plan{unused: []string{"one", "two"}, mode: "fork", maxMemory: 7}
	got := logged(func(log *logs.Logger) { p.log(log) })
	if want := `"level":"warn","msg":"settings without effect","warning":"one"}
"level":"warn","msg":"settings without effect","warning":"two"}
`; !strings.HasPrefix(got, want) || !strings.Contains(got, `"max_memory_bytes":7`) {
		t.Errorf("got\n%s", got)
	}
}
