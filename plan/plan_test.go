package plan

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/config"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/node"
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
		{name: "limit", limits: limited, argv: "node a", added: "--max-old-space-size=406", heap: 406},
		{name: "no limit", limits: cgroup.Limits{Affinity: 1, MemTotal: 8 << 30}, argv: "node a"},
		{name: "memory.high below it", limits: cgroup.Limits{Affinity: 1, Memory: half, MemoryHigh: half / 2}, argv: "node a", added: "--max-old-space-size=201", heap: 201},
		{name: "memory.high above it", limits: cgroup.Limits{Affinity: 1, Memory: half, MemoryHigh: half * 2}, argv: "node a", added: "--max-old-space-size=406", heap: 406},
		{name: "memory.high alone", limits: cgroup.Limits{Affinity: 1, MemoryHigh: half / 2}, argv: "node a", added: "--max-old-space-size=201", heap: 201},
		{name: "with other options", limits: limited, options: "--no-warnings", argv: "node a", added: "--no-warnings --max-old-space-size=406", heap: 406},
		{name: "a larger young generation", limits: limited, options: "--max-semi-space-size=64", argv: "node a", added: "--max-semi-space-size=64 --max-old-space-size=310", heap: 310},
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
		a := user{config: parsed(t, nil, strings.Fields(c.args)), environ: environ}
		p, err := a.plan(c.limits, strings.Fields(c.argv))
		if err != nil {
			t.Fatal(err)
		}
		env, added := slices.Clone(environ), []string(nil)
		if c.added != "" {
			added = []string{"NODE_OPTIONS=" + c.added}
			env = append(env[:1], added...)
		}
		if !slices.Equal(p.EnvAdded, added) || !slices.Equal(p.Program.Env, env) || p.Heap.OldSpace != c.heap<<20 {
			t.Errorf("%s: added %q to make %q, heap %d MiB, want %q, %q, %d", c.name, p.EnvAdded, p.Program.Env, p.Heap.OldSpace>>20, added, env, c.heap)
		}
	}
}

func TestPlanWarnsOfAHeapThatDoesNotFit(t *testing.T) {
	t.Parallel()
	for memory, warns := range map[int64]bool{40: true, 55: true, 56: false, 64: false, 512: false} {
		a := user{config: config.Default()}
		p, err := a.plan(cgroup.Limits{Affinity: 1, Memory: memory << 20}, []string{"node"})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(p.Warnings) == 1 && strings.Contains(p.Warnings[0], "do not fit"); got != warns {
			t.Errorf("%d MiB: warnings %q", memory, p.Warnings)
		}
	}
}

func TestPlanMode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args    string
		env     string
		cpus    float64
		argv    string
		mode    Mode
		workers int
		reason  string
		balance string
		caveat  string // how it begins
	}{
		{cpus: 1.49, mode: "fork", workers: 1, reason: "the limits allow one process"},
		{cpus: 1.5, mode: "per-core", workers: 2, reason: "the program is Node, and there are to be 2 workers", balance: "rr"},
		{cpus: 4, argv: "redis-server", mode: "fork", workers: 1, reason: "the program is not Node"},
		{args: "--mode fork", cpus: 4, mode: "fork", workers: 1, reason: "--mode fork"},
		{args: "--mode auto", cpus: 4, mode: "per-core", workers: 4, reason: "the program is Node, and there are to be 4 workers", balance: "rr"},
		{args: "--mode per-core", cpus: 1, mode: "per-core", workers: 1, reason: "--mode per-core", balance: "rr"},
		{args: "--mode per-core --balance ip-hash", cpus: 2, mode: "per-core", workers: 2, reason: "--mode per-core", balance: "ip-hash"},
		{args: "--workers 3", cpus: 1, mode: "per-core", workers: 3, reason: "the program is Node, and there are to be 3 workers", balance: "rr"},
		{args: "--workers 1", cpus: 4, mode: "fork", workers: 1, reason: "the limits allow one process"},
		{args: "--workers max", cpus: 1, mode: "per-core", workers: 8, reason: "the program is Node, and there are to be 8 workers", balance: "rr"},
		{cpus: 4, argv: "bun ../examples/server.js", mode: "fork", workers: 1, reason: "the program is for bun: not all of it works as workers (try --mode per-core)"},
		{args: "--mode per-core", cpus: 2, argv: "bun ../examples/server.js", mode: "per-core", workers: 2, reason: "--mode per-core", balance: "rr", caveat: "Bun binds"},
		{args: "--mode per-core --balance shared", cpus: 2, argv: "deno run server.ts", mode: "per-core", workers: 2, reason: "--mode per-core", balance: "rr", caveat: "Deno takes"},
		{cpus: 4, argv: "node -e 1", mode: "fork", workers: 1, reason: "node -e runs no script (write node server.js)"},
		{env: "WEB_CONCURRENCY=5", cpus: 2, mode: "per-core", workers: 5, reason: "the program is Node, and there are to be 5 workers", balance: "rr"},
		{env: "WEB_CONCURRENCY=5", args: "--workers 2", cpus: 4, mode: "per-core", workers: 2, reason: "the program is Node, and there are to be 2 workers", balance: "rr"},
		{env: "WEB_CONCURRENCY=many", cpus: 2, mode: "per-core", workers: 2, reason: "the program is Node, and there are to be 2 workers", balance: "rr"},
		{env: "NODE_CLUSTER_SCHED_POLICY=none", cpus: 2, mode: "per-core", workers: 2, reason: "the program is Node, and there are to be 2 workers", balance: "shared"},
		{env: "NODE_CLUSTER_SCHED_POLICY=none", args: "--balance rr", cpus: 2, mode: "per-core", workers: 2, reason: "the program is Node, and there are to be 2 workers", balance: "rr"},
	} {
		a := user{config: parsed(t, nil, strings.Fields(c.args)), environ: strings.Fields(c.env)}
		argv := strings.Fields(c.argv)
		if len(argv) == 0 {
			argv = []string{"node", "server.js"}
		}
		p, err := a.plan(cgroup.Limits{CPU: c.cpus, Affinity: 8}, argv)
		if err != nil || p.Mode != c.mode || p.Workers != c.workers || p.Reason != c.reason || p.Balance != c.balance || !strings.HasPrefix(p.Caveat, c.caveat) || (c.caveat == "") != (p.Caveat == "") {
			t.Errorf("%s %s, %v CPUs: %v, %s, %d, %q, %s, want %s, %d, %q, %s", c.env, c.args, c.cpus, err, p.Mode, p.Workers, p.Reason, p.Balance, c.mode, c.workers, c.reason, c.balance)
		}
	}
}

// Each of several workers gets its share of the memory.
func TestPlanDividesTheHeap(t *testing.T) {
	t.Parallel()
	for workers, want := range map[string]int64{"1": 866, "2": 406, "4": 201, "20": 32} {
		a := user{config: parsed(t, nil, []string{"--mode=per-core", "--workers", workers})}
		p, err := a.plan(cgroup.Limits{Affinity: 16, Memory: 1 << 30}, []string{"node", "server.js"})
		if err != nil || p.Heap.OldSpace != want<<20 || p.Heap.Others != 0 {
			t.Errorf("%s workers: a heap of %d MiB each, others %d, %v, want %d", workers, p.Heap.OldSpace>>20, p.Heap.Others>>20, err, want)
		}
		if warned := len(p.Warnings) > 0; warned != (workers == "20") {
			t.Errorf("%s workers: warnings %q", workers, p.Warnings)
		}
	}
}

// The first of several workers may turn out to be a job that stays alone.
func TestPlanGivesTheFirstWorkerTheHeapOfAJob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args, argv   string
		memory       int64 // MiB
		heap, others int64 // MiB
		heapSums     string
	}{
		{"", "node a.js", 512, 406, 201, "406 MiB in worker 0, which may stay alone, 201 MiB in the others"},
		{"", "node a.js", 1024, 866, 201, "866 MiB in worker 0, which may stay alone, 201 MiB in the others"},
		{"--workers=2", "node a.js", 1024, 866, 406, "866 MiB in worker 0, which may stay alone, 406 MiB in the others"},
		{"--mode=per-core", "node a.js", 1024, 201, 0, "201 MiB"},
		{"--mode=fork", "node a.js", 1024, 866, 0, "866 MiB"},
		{"", "node -e 1", 1024, 866, 0, "866 MiB"},
		{"--heap=300M", "node a.js", 1024, 300, 0, ""},
		{"--heap=off", "node a.js", 1024, 0, 0, ""},
		{"", "node --max-old-space-size=99 a.js", 1024, 99, 0, ""},
	} {
		a := user{config: parsed(t, nil, strings.Fields(c.args))}
		p, err := a.plan(cgroup.Limits{CPU: 4, Affinity: 8, Memory: c.memory << 20}, strings.Fields(c.argv))
		if err != nil {
			t.Fatal(err)
		}
		if p.Heap.OldSpace != c.heap<<20 || p.Heap.Others != c.others<<20 || p.Heap.Text != c.heapSums {
			t.Errorf("%s %s in %d MiB: %d MiB, others %d, %q, want %d, %d, %q", c.args, c.argv, c.memory, p.Heap.OldSpace>>20, p.Heap.Others>>20, p.Heap.Text, c.heap, c.others, c.heapSums)
		}
	}
}

func TestStartLine(t *testing.T) {
	t.Parallel()
	p := Plan{
		Limits:  cgroup.Limits{CPU: 1.5, CPUFrom: "/cpu", Memory: 512, MemoryFrom: "/mem", MemoryHigh: 256, Affinity: 4},
		Workers: 2, Count: Count{Arithmetic: "sums"}, Mode: Fork, Reason: "because", Program: node.Program{Argv: []string{"node", "a b"}},
		Heap: Heap{OldSpace: 128}, Warnings: []string{"one", "two"},
	}
	want := `"level":"warn","msg":"check the limits","warning":"one"}
"level":"warn","msg":"check the limits","warning":"two"}
"level":"info","msg":"starting","version":"` + version + `","mode":"fork","reason":"because","workers":2,"arithmetic":"sums","affinity":4,"cpus":1.5,"cpus_from":"/cpu","memory_bytes":512,"memory_from":"/mem","memory_high_bytes":256,"old_space_bytes":128,"argv":"node a b"}`
	if got := logged(func(log *logs.Logger) { p.Log(log, version) }); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	bare := Plan{Limits: cgroup.Limits{Affinity: 1}, Mode: Fork, Program: node.Program{Argv: []string{"node"}}}
	want = `"level":"info","msg":"starting","version":"` + version + `","mode":"fork","reason":"","workers":0,"arithmetic":"","affinity":1,"argv":"node"}`
	if got := logged(func(log *logs.Logger) { bare.Log(log, version) }); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Whatever the names in it, the start line is one that no pipe tears.
func TestStartLineFits(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\x00", 1<<16)
	l := cgroup.Limits{CPU: 1.23456789, CPUFrom: long, Memory: 1 << 62, MemoryFrom: long, MemoryHigh: 1 << 61, Affinity: 1 << 13, Warnings: []string{long}}
	a := user{config: config.Default()}
	var out bytes.Buffer
	p, err := a.plan(l, []string{"node", long})
	if err != nil {
		t.Fatal(err)
	}
	p.Log(logs.New(&out, logs.JSON, logs.LevelInfo, nil), version)
	for _, line := range lines(out.String()) {
		if len(line) >= 4096 {
			t.Errorf("%d bytes: %.200s", len(line), line)
		}
	}
}
