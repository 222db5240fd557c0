package plan

import (
	"testing"
)

func TestExplainJSON(t *testing.T) {
	t.Parallel()
	got := explained(t, []string{"NODE_OPTIONS=--no-warnings"}, "--json", "--root", machine(t, "v2-private-1.5cpu-512m"), "--", "node", "a<b>.js")
	want := `{
  "cpus": 1.5,
  "memory_bytes": 536870912,
  "memory_high_bytes": null,
  "affinity": 4,
  "cpus_from": "/sys/fs/cgroup/cpu.max",
  "memory_from": "/sys/fs/cgroup/memory.max",
  "approximate": false,
  "workers": 2,
  "mode": "per-core",
  "reason": "the program is Node, and there are to be 2 workers",
  "start": "1, then 2 when it listens",
  "balance": "rr",
  "argv": [
    "node",
    "a<b>.js"
  ],
  "env_added": [
    "NODE_OPTIONS=--no-warnings --max-old-space-size=406"
  ],
  "max_memory_bytes": null,
  "logs": "lines",
  "logs_stderr": "lines",
  "warnings": []
}
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestExplainJSONWithoutLimits(t *testing.T) {
	t.Parallel()
	got := explained(t, nil, "--root", machine(t, "v2-private-no-limits"), "--json", "--mode", "fork")
	want := `{
  "cpus": null,
  "memory_bytes": null,
  "memory_high_bytes": null,
  "affinity": 4,
  "cpus_from": null,
  "memory_from": null,
  "approximate": false,
  "workers": 4,
  "mode": "fork",
  "reason": "--mode fork",
  "start": null,
  "balance": null,
  "argv": [],
  "env_added": [],
  "max_memory_bytes": null,
  "logs": "raw",
  "logs_stderr": "raw",
  "warnings": []
}
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// What nodeinit explain prints, for a case that package cgroup is tested with.
var explanations = []struct {
	name, machine string
	environ, args []string
	want          string
}{
	{"limits", "v2-private-1.5cpu-512m", nil, []string{"--", "node", "server.js", "a b"}, `cpus         1.5  (/sys/fs/cgroup/cpu.max)
memory       512 MiB  (/sys/fs/cgroup/memory.max)
affinity     4 CPUs
workers      2  (1.5 CPUs rounds to 2, 4 in the affinity mask, 512 MiB / 256 MiB = 2)
mode         per-core  (the program is Node, and there are to be 2 workers)
start        1, then 2 when it listens
balance      rr
would start  ["node" "server.js" "a b"]
heap         406 MiB in worker 0, which may stay alone, 201 MiB in the others
with         NODE_OPTIONS=--max-old-space-size=406
logs         lines  (workers tear each other's lines on a pipe)
stop signal  the one that nodeinit gets
grace        9s
reload       no signal is set (--reload-signal HUP)
ready        listen, within 30s
crashes      the first ends the container (--max-crashes 0)
`},
	{"no limits", "v2-private-no-limits", nil, nil, `cpus         no limit  (no file sets one)
memory       no limit  (no file sets one)
affinity     4 CPUs
workers      4  (no CPU quota, 4 in the affinity mask, 4096 MiB / 256 MiB = 16)
mode         per-core  (the program is Node, and there are to be 4 workers)
start        1, then 4 when it listens
balance      rr
logs         lines  (workers tear each other's lines on a pipe)
stop signal  the one that nodeinit gets
grace        9s
reload       no signal is set (--reload-signal HUP)
ready        listen, within 30s
crashes      the first ends the container (--max-crashes 0)
`},
	{"overridden", "v2-private-no-limits", []string{"NODEINIT_CPUS=1", "NODEINIT_MEMORY=1G"}, []string{"--memory", "512M", "node"}, `cpus         1  (--cpus)
memory       512 MiB  (--memory)
affinity     4 CPUs
workers      1  (1 CPU, 4 in the affinity mask, 512 MiB / 256 MiB = 2)
mode         fork  (the limits allow one process)
would start  ["node"]
heap         406 MiB
with         NODE_OPTIONS=--max-old-space-size=406
logs         raw  (one process)
stop signal  the one that nodeinit gets
grace        9s
`},
	{"recycling", "v2-private-1.5cpu-512m", nil, []string{"--max-memory=50%", "--hang-timeout=9", "--no-agent", "node", "a.js"}, `cpus         1.5  (/sys/fs/cgroup/cpu.max)
memory       512 MiB  (/sys/fs/cgroup/memory.max)
affinity     4 CPUs
workers      2  (1.5 CPUs rounds to 2, 4 in the affinity mask, 512 MiB / 256 MiB = 2)
mode         per-core  (the program is Node, and there are to be 2 workers)
start        1, then 2 when it listens
balance      rr
would start  ["node" "a.js"]
max memory   128 MiB each
heap         406 MiB in worker 0, which may stay alone, 201 MiB in the others
with         NODE_OPTIONS=--max-old-space-size=406
logs         lines  (workers tear each other's lines on a pipe)
stop signal  the one that nodeinit gets
grace        9s
reload       no signal is set (--reload-signal HUP)
ready        listen, within 30s
crashes      the first ends the container (--max-crashes 0)
warning      --hang-timeout 9: not with --no-agent
`},
	{"memory.high", "v2-memory-high-below-max", nil, []string{"--heap=off", "node"}, `cpus         no limit  (no file sets one)
memory       200 MiB  (/sys/fs/cgroup/memory.max)
memory.high  100 MiB
affinity     4 CPUs
workers      1  (no CPU quota, 4 in the affinity mask, 200 MiB / 256 MiB is at least 1)
mode         fork  (the limits allow one process)
would start  ["node"]
logs         raw  (one process)
stop signal  the one that nodeinit gets
grace        9s
`},
	{"asking the program", "v2-private-no-limits", []string{"NODEINIT_METRICS=9464", "NODEINIT_METRICS_APP=/metrics"}, []string{"--health-path=9100/health", "--", "node", "a.js"}, `cpus         no limit  (no file sets one)
memory       no limit  (no file sets one)
affinity     4 CPUs
workers      4  (no CPU quota, 4 in the affinity mask, 4096 MiB / 256 MiB = 16)
mode         per-core  (the program is Node, and there are to be 4 workers)
start        1, then 4 when it listens
balance      rr
would start  ["node" "a.js"]
logs         lines  (workers tear each other's lines on a pipe)
stop signal  the one that nodeinit gets
grace        9s
metrics      :9464, with /metrics of each worker
health       9100/health of each worker, every 5s; one that fails 3 times in a row is replaced
reload       no signal is set (--reload-signal HUP)
ready        listen, within 30s
crashes      the first ends the container (--max-crashes 0)
`},
	{"approximate", "v2-leaf-removed", nil, nil, `cpus         1.5  (/sys/fs/cgroup/app/cpu.max)
memory       64 MiB  (/sys/fs/cgroup/app/memory.max)
affinity     4 CPUs
approximate  this process's own cgroup is out of sight; the nearest in sight was read
workers      1  (1.5 CPUs rounds to 2, 4 in the affinity mask, 64 MiB / 256 MiB is at least 1)
mode         fork  (the limits allow one process)
heap         40 MiB
with         NODE_OPTIONS=--max-old-space-size=40
logs         raw  (one process)
stop signal  the one that nodeinit gets
grace        9s
warning      cgroup "/app/old (deleted)" is not visible, reading /sys/fs/cgroup/app instead
`},
}

func TestExplainText(t *testing.T) {
	t.Parallel()
	for _, c := range explanations {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := explained(t, c.environ, append([]string{"--root", machine(t, c.machine)}, c.args...)...); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}
