package plan

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/logs"
)

// A container is a plan that is followed in a machine whose limits can be changed.
type container struct {
	*Current
	user
	t    *testing.T
	root string
	out  *bytes.Buffer
}

func inContainer(t *testing.T, name, args string, environ ...string) container {
	t.Helper()
	root := machine(t, name)
	u := user{config: parsed(t, nil, strings.Fields(args)), environ: append(environ, "A=1")}
	source := NewSource(cgroup.Find(os.DirFS(root)), u.config)
	source.Affinity = func() (int, error) { return 4, nil }
	for _, kv := range environ {
		if uri, ok := strings.CutPrefix(kv, "ECS_CONTAINER_METADATA_URI_V4="); ok {
			source.ECS = uri
		}
	}
	p, err := u.plan(source.Read(), []string{"node", "server.js"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	return container{Follow(logs.New(&out, logs.JSON, logs.LevelInfo, nil), source, p), u, t, root, &out}
}

// set writes a file of the cgroup.
func (c container) set(file, text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.root, "sys/fs/cgroup", file), []byte(text+"\n"), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// said returns what was logged since the last time.
func (c container) said() string {
	text := ""
	for _, line := range lines(c.out.String()) {
		_, after, _ := strings.Cut(line, `"level":`)
		text += after + "\n"
	}
	c.out.Reset()
	return text
}

func TestTargetFollowsTheLimits(t *testing.T) {
	t.Parallel()
	c := inContainer(t, "v2-private-1.5cpu-512m", "")
	for _, step := range []struct {
		file, text string
		want       int
	}{
		{"cpu.max", "150000 100000", 2},
		{"cpu.max", "100000 100000", 1},
		{"cpu.max", "20000 100000", 1},
		{"cpu.max", "400000 100000", 2},
		{"memory.max", "2147483648", 4},
		{"cpu.max", "max 100000", 4},
		{"memory.max", "536870912", 2},
		{"memory.max", "1048576", 1},
		{"memory.max", "max", 4},
		{"cpu.max", "250000 100000", 3},
	} {
		c.set(step.file, step.text)
		if got := c.Target(); got != step.want {
			t.Errorf("%s is %s: %d workers, want %d", step.file, step.text, got, step.want)
		}
		if now := c.Limits(); c.limits.CPU != now.CPU {
			t.Errorf("%+v is not kept", now)
		}
	}
	c.source.Affinity = func() (int, error) { return 2, nil }
	if got := c.Target(); got != 2 {
		t.Errorf("2 CPUs to run on: %d workers", got)
	}
}

// The target is that of a start: overrides stay, and what the plan comes to is
// what the target says.
func TestTargetIsThePlan(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"", "--cpus 3", "--memory 256M", "--cpus 1 --memory 1G"} {
		for _, cpu := range []string{"100000 100000", "240000 100000", "max 100000"} {
			c := inContainer(t, "v2-private-1.5cpu-512m", args)
			c.set("cpu.max", cpu)
			p, err := c.plan(c.source.Read(), []string{"node", "server.js"})
			if got := c.Target(); err != nil || got != p.Count.Allowed {
				t.Errorf("%s, %s: %d workers, %v, but a start has %d", args, cpu, got, err, p.Count.Allowed)
			}
		}
	}
}

// A change is one line, at the time when it is seen.
func TestLimitsChangedIsLogged(t *testing.T) {
	t.Parallel()
	c := inContainer(t, "v2-private-1.5cpu-512m", "")
	c.Target()
	c.Current.Plan(0, c.start.Workers, nil)
	if got := c.said(); got != "" {
		t.Errorf("nothing has changed, but: %s", got)
	}
	c.set("cpu.max", "100000 100000")
	c.Target()
	c.Target()
	want := `"info","logger":"nodeinit","msg":"limits changed","from":"1.5 CPUs rounds to 2, 4 in the affinity mask, 512 MiB / 256 MiB = 2","to":"1 CPU, 4 in the affinity mask, 512 MiB / 256 MiB = 2","affinity":4,"cpus":1,"cpus_from":"/sys/fs/cgroup/cpu.max","memory_bytes":536870912,"memory_from":"/sys/fs/cgroup/memory.max"}
`
	if got := c.said(); got != want {
		t.Errorf("got %s want %s", got, want)
	}
	c.set("memory.max", "104857600")
	c.set("memory.high", "73400320")
	c.Target() // which sees it first, and warns of nothing
	c.Current.Plan(0, c.start.Workers, nil)
	c.Current.Plan(0, c.start.Workers, nil)
	got := lines(c.said())
	if len(got) != 2 || !strings.Contains(got[0], `"memory_bytes":104857600,"memory_from":"/sys/fs/cgroup/memory.max","memory_high_bytes":73400320}`) || !strings.Contains(got[1], "do not fit") {
		t.Errorf("got %q", got)
	}
}

// What the start has warned of is not said again, until it is another thing.
func TestPlanNowDoesNotRepeatWarnings(t *testing.T) {
	t.Parallel()
	c := inContainer(t, "v2-private-1.5cpu-512m", "--workers 10")
	if len(c.start.Warnings) != 1 {
		t.Fatalf("warned of %q at the start", c.start.Warnings)
	}
	c.Current.Plan(0, c.start.Workers, nil)
	if got := c.said(); got != "" {
		t.Errorf("said again: %s", got)
	}
	c.set("memory.max", "268435456")
	c.Current.Plan(0, c.start.Workers, nil)
	c.Current.Plan(0, c.start.Workers, nil)
	if got := lines(c.said()); len(got) != 2 || !strings.Contains(got[1], "do not fit in 256 MiB") {
		t.Errorf("got %q", got)
	}
}

// A worker gets a heap for the limits at its own start, for the workers that
// there are to be then, and for its slot.
func TestPlanNow(t *testing.T) {
	t.Parallel()
	c := inContainer(t, "v2-private-1.5cpu-512m", "", "NODE_OPTIONS=--no-warnings")
	for _, step := range []struct {
		memory  string
		slot    int
		workers int
		heap    int64
	}{
		{"536870912", 0, 2, 406},
		{"536870912", 1, 2, 201},
		{"1073741824", 0, 2, 866},
		{"1073741824", 1, 2, 406},
		{"1073741824", 0, 1, 866},
		{"536870912", 0, 1, 406},
		{"536870912", 3, 4, 99},
		{"max", 3, 4, 0},
		{"536870912", 1, 2, 201},
	} {
		c.set("memory.max", step.memory)
		p := c.Current.Plan(step.slot, step.workers, nil)
		env := []string{"NODE_OPTIONS=--no-warnings", "A=1"}
		if step.heap > 0 {
			env = []string{"A=1", "NODE_OPTIONS=--no-warnings --max-old-space-size=" + fmt.Sprint(step.heap)}
		}
		if p.Workers != step.workers || p.Heap.OldSpace != step.heap<<20 || !slices.Equal(p.Program.Env, env) || (step.heap > 0) != (len(p.EnvAdded) == 1) {
			t.Errorf("%s, %d: %d workers, %d MiB, %q, %q, want %+v", step.memory, step.workers, p.Workers, p.Heap.OldSpace>>20, p.Program.Env, p.EnvAdded, step)
		}
		if !slices.Equal(p.Program.Argv, []string{"node", "server.js"}) || p.Mode != "per-core" {
			t.Errorf("%s, %q", p.Mode, p.Program.Argv)
		}
	}
	if got, ok := heapOf(c.start); !ok || got != "--no-warnings --max-old-space-size=406" {
		t.Errorf("the plan of the start has changed: %q", got)
	}
}

func heapOf(p Plan) (string, bool) {
	for _, kv := range p.Program.Env {
		if options, ok := strings.CutPrefix(kv, "NODE_OPTIONS="); ok {
			return options, true
		}
	}
	return "", false
}

// Where the user sizes the heap, no limit does.
func TestPlanNowWithAGivenHeap(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{"--heap 100M": "--max-old-space-size=100", "--heap off": ""} {
		c := inContainer(t, "v2-private-1.5cpu-512m", args)
		c.set("memory.max", "1073741824")
		if got, _ := heapOf(c.Current.Plan(0, c.start.Workers, nil)); got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
	c := inContainer(t, "v2-private-1.5cpu-512m", "", "NODE_OPTIONS=--max-old-space-size=77")
	c.set("memory.max", "1073741824")
	if p := c.Current.Plan(0, c.start.Workers, nil); p.Heap.OldSpace != 77<<20 || len(p.EnvAdded) != 0 {
		t.Errorf("%d MiB, %q", p.Heap.OldSpace>>20, p.EnvAdded)
	}
}

// What cannot be read for a while is no change of limits.
func TestUnreadableLimitsAreAsTheyWere(t *testing.T) {
	t.Parallel()
	c := inContainer(t, "v2-private-1.5cpu-512m", "")
	c.set("cpu.max", "rubbish")
	if got := c.Target(); got != 2 {
		t.Errorf("a malformed file: %d workers", got)
	}
	c.set("cpu.max", "150000 100000")
	c.source.Affinity = func() (int, error) { return 0, errors.New("no") }
	if got := c.Target(); got != 2 {
		t.Errorf("no affinity: %d workers", got)
	}
	if got := c.said(); got != "" {
		t.Errorf("said %s", got)
	}
	c.set("cpu.max", "100000 100000")
	if got := c.Target(); got != 1 {
		t.Errorf("good again: %d workers", got)
	}
}

// A warning of the start does not make blind.
func TestLimitsWithAnOldWarningAreFollowed(t *testing.T) {
	t.Parallel()
	c := inContainer(t, "v2-leaf-removed", "--memory 1G --mode per-core")
	if len(c.start.Limits.Warnings) == 0 {
		t.Fatal("no warning")
	}
	c.set("app/cpu.max", "400000 100000")
	if got := c.Target(); got != 4 {
		t.Errorf("%d workers, want 4", got)
	}
}

// What ECS told at the start counts on, and it is not asked again, not even when
// the cgroup has no limit any more.
func TestLimitsNowDoNotAskECS(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		machine string
		asked   int32
		want    int
	}{
		"told":      {"v2-private-no-limits", 1, 2},
		"not asked": {"v2-private-1.5cpu-512m", 0, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				_, _ = w.Write([]byte(`{"Limits":{"CPU":2,"Memory":1024}}`))
			}))
			defer server.Close()
			k := inContainer(t, c.machine, "", "ECS_CONTAINER_METADATA_URI_V4="+server.URL)
			k.set("cpu.max", "max 100000")
			k.set("memory.max", "max")
			if got := k.Target(); got != c.want || asked.Load() != c.asked {
				t.Errorf("%d workers, asked %d times, want %d, %d", got, asked.Load(), c.want, c.asked)
			}
		})
	}
}
