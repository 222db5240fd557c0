package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/logs"
)

func TestPlanHeap(t *testing.T) {
	t.Parallel()
	const half = 512 << 20
	limited := cgroup.Limits{Affinity: 1, Memory: half, MemTotal: 8 << 30}
	for _, c := range []struct {
		name    string
		args    string // nodeinit's flags
		limits  cgroup.Limits
		options string // NODE_OPTIONS, "" for none
		argv    string
		added   string // to NODE_OPTIONS, "" for nothing
		heap    int64  // MiB
	}{
		{name: "limit", limits: limited, argv: "node a", added: "--max-old-space-size=306", heap: 306},
		{name: "no limit", limits: cgroup.Limits{Affinity: 1, MemTotal: 8 << 30}, argv: "node a"},
		{name: "memory.high below it", limits: cgroup.Limits{Affinity: 1, Memory: half, MemoryHigh: half / 2}, argv: "node a", added: "--max-old-space-size=114", heap: 114},
		{name: "memory.high above it", limits: cgroup.Limits{Affinity: 1, Memory: half, MemoryHigh: half * 2}, argv: "node a", added: "--max-old-space-size=306", heap: 306},
		{name: "memory.high alone", limits: cgroup.Limits{Affinity: 1, MemoryHigh: half / 2}, argv: "node a", added: "--max-old-space-size=114", heap: 114},
		{name: "with other options", limits: limited, options: "--no-warnings", argv: "node a", added: "--no-warnings --max-old-space-size=306", heap: 306},
		{name: "given to node", limits: limited, argv: "node --max-old-space-size=200 a", heap: 200},
		{name: "given in NODE_OPTIONS", limits: limited, options: "--max_old_space_size=200", argv: "node a", heap: 200},
		{name: "given as a percentage", limits: limited, options: "--max-old-space-size-percentage=50", argv: "node a"},
		{name: "off", args: "--heap off", limits: limited, argv: "node a"},
		{name: "fixed", args: "--heap 1G", limits: limited, argv: "node a", added: "--max-old-space-size=1024", heap: 1024},
		{name: "fixed without a limit", args: "--heap 300M", limits: cgroup.Limits{Affinity: 1}, argv: "node a", added: "--max-old-space-size=300", heap: 300},
		{name: "given twice", args: "--heap 300M", limits: limited, argv: "node --max-old-space-size=200 a", heap: 200},
		{name: "off, but given", args: "--heap off", limits: limited, argv: "node --max-old-space-size=200 a", heap: 200},
	} {
		environ := []string{"A=1"}
		if c.options != "" {
			environ = append(environ, "NODE_OPTIONS="+c.options)
		}
		a := app{config: parsed(t, nil, strings.Fields(c.args)), environ: environ}
		p := a.makePlan(c.limits, strings.Fields(c.argv))
		env, added := slices.Clone(environ), []string(nil)
		if c.added != "" {
			added = []string{"NODE_OPTIONS=" + c.added}
			env = append(env[:1], added...)
		}
		if !slices.Equal(p.envAdded, added) || !slices.Equal(p.env, env) || p.oldSpace != c.heap<<20 {
			t.Errorf("%s: added %q to make %q, heap %d MiB, want %q, %q, %d", c.name, p.envAdded, p.env, p.oldSpace>>20, added, env, c.heap)
		}
	}
}

func TestPlanWarnsOfAHeapThatDoesNotFit(t *testing.T) {
	t.Parallel()
	for memory, warns := range map[int64]bool{64: true, 103: true, 104: false, 512: false} {
		a := app{config: defaults()}
		p := a.makePlan(cgroup.Limits{Affinity: 1, Memory: memory << 20}, []string{"node"})
		if got := len(p.warnings) == 1 && strings.Contains(p.warnings[0], "does not fit"); got != warns {
			t.Errorf("%d MiB: warnings %q", memory, p.warnings)
		}
	}
}

func TestPlanMode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args    string
		cpus    float64
		workers int
		reason  string
	}{
		{"", 1.49, 1, "the limits allow one process"},
		{"", 1.5, 2, "the limits allow 2 workers, but this version runs one process"},
		{"--mode fork", 4, 4, "--mode fork"},
		{"--mode auto", 4, 4, "the limits allow 4 workers, but this version runs one process"},
	} {
		a := app{config: parsed(t, nil, strings.Fields(c.args))}
		p := a.makePlan(cgroup.Limits{CPU: c.cpus, Affinity: 8}, []string{"node"})
		if p.mode != "fork" || p.workers != c.workers || p.reason != c.reason {
			t.Errorf("%s, %v CPUs: %s, %d, %q, want %d, %q", c.args, c.cpus, p.mode, p.workers, p.reason, c.workers, c.reason)
		}
	}
}

// LISTEN_PID that names nodeinit is not the program's; its NODEINIT_ settings are.
func TestPlanEnvironment(t *testing.T) {
	t.Parallel()
	own := fmt.Sprintf("LISTEN_PID=%d", os.Getpid())
	a := app{config: defaults(), environ: []string{"B=2", own, "LISTEN_FDS=1", "NODEINIT_GRACE=3", "A=1", "A=2"}}
	p := a.makePlan(cgroup.Limits{Affinity: 1}, []string{"node"})
	if want := []string{"B=2", "LISTEN_FDS=1", "NODEINIT_GRACE=3", "A=1", "A=2"}; !slices.Equal(p.env, want) || len(p.envAdded) != 0 {
		t.Errorf("the program gets %q, of it added %q, want %q", p.env, p.envAdded, want)
	}
}

func TestLevel(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]zerolog.Level{
		"": zerolog.InfoLevel, "-v": zerolog.DebugLevel, "-vv": zerolog.TraceLevel, "-vvv": zerolog.TraceLevel,
		"--log-level warn": zerolog.WarnLevel, "--log-level error": zerolog.ErrorLevel, "--log-level off": zerolog.Disabled,
		"--log-level trace": zerolog.TraceLevel, "--log-level trace -v": zerolog.TraceLevel, "--log-level off -v": zerolog.DebugLevel,
		"--log-level error -vv": zerolog.TraceLevel, "--log-level debug --verbose=0": zerolog.DebugLevel,
	} {
		if got := parsed(t, nil, strings.Fields(args)).level(); got != want {
			t.Errorf("%q logs at %v, want %v", args, got, want)
		}
	}
}

// logged returns what write logs, without time and logger.
func logged(write func(*logs.Logger)) string {
	var out bytes.Buffer
	write(logs.New(&out, logs.JSON, zerolog.DebugLevel))
	var all []string
	for _, line := range lines(out.String()) {
		_, after, _ := strings.Cut(line, ",")
		all = append(all, strings.Replace(after, `,"logger":"nodeinit"`, "", 1))
	}
	return strings.Join(all, "\n")
}

func TestWarnUnknown(t *testing.T) {
	t.Parallel()
	a := app{environ: []string{"NODEINIT_MODES=1", "NODEINIT_GRACE=1", "NODEINIT_GRASE=1", "PATH=/"}}
	want := `"level":"warn","msg":"unknown setting","name":"NODEINIT_GRASE","did_you_mean":"NODEINIT_GRACE"}
"level":"warn","msg":"unknown setting","name":"NODEINIT_MODES","did_you_mean":"NODEINIT_MODE"}`
	if got := logged(a.warnUnknown); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOrphanLevel(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"": `"level":"debug","msg":"orphan reaped","pid":7}`, "-w": `"level":"warn","msg":"orphan reaped","pid":7}`,
	} {
		a := app{config: parsed(t, nil, strings.Fields(args))}
		if got := logged(func(log *logs.Logger) { a.orphanReaped(log, 7).Send() }); got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
}

func TestStartLine(t *testing.T) {
	t.Parallel()
	p := plan{
		limits:  cgroup.Limits{CPU: 1.5, CPUFrom: "/cpu", Memory: 512, MemoryFrom: "/mem", MemoryHigh: 256, Affinity: 4},
		workers: 2, arithmetic: "sums", mode: "fork", reason: "because", argv: []string{"node", "a b"},
		oldSpace: 128, warnings: []string{"one", "two"},
	}
	want := `"level":"warn","msg":"check the limits","warning":"one"}
"level":"warn","msg":"check the limits","warning":"two"}
"level":"info","msg":"starting","version":"` + version + `","mode":"fork","reason":"because","workers_allowed":2,"arithmetic":"sums","affinity":4,"cpus":1.5,"cpus_from":"/cpu","memory_bytes":512,"memory_from":"/mem","memory_high_bytes":256,"old_space_bytes":128,"argv":"node a b"}`
	if got := logged(p.log); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	bare := plan{limits: cgroup.Limits{Affinity: 1}, mode: "fork", argv: []string{"node"}}
	want = `"level":"info","msg":"starting","version":"` + version + `","mode":"fork","reason":"","workers_allowed":0,"arithmetic":"","affinity":1,"argv":"node"}`
	if got := logged(bare.log); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Whatever the names in it, the start line is one that no pipe tears.
func TestStartLineFits(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\x00", 1<<16)
	l := cgroup.Limits{CPU: 1.23456789, CPUFrom: long, Memory: 1 << 62, MemoryFrom: long, MemoryHigh: 1 << 61, Affinity: 1 << 13, Warnings: []string{long}}
	a := app{config: defaults()}
	var out bytes.Buffer
	a.makePlan(l, []string{"node", long}).log(logs.New(&out, logs.JSON, zerolog.InfoLevel))
	for _, line := range lines(out.String()) {
		if len(line) >= 4096 {
			t.Errorf("%d bytes: %.200s", len(line), line)
		}
	}
}
