package plan

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/config"
)

// The task's limits are asked for only where nothing else has said, and what
// the user says beats all.
func TestLimitsFromECS(t *testing.T) {
	t.Parallel()
	const ecs = "ECS task metadata"
	for _, c := range []struct {
		name, machine, args, answer string
		asked                       bool
		cpus                        float64
		memory                      int64 // MiB
		cpusFrom, memoryFrom        string
	}{
		{"both", "v2-private-no-limits", "", `{"Limits":{"CPU":0.5,"Memory":1024}}`, true, 0.5, 1024, ecs, ecs},
		{"none", "v2-private-no-limits", "", `{}`, true, 0, 0, "", ""},
		{"the cgroup knows", "v2-private-1.5cpu-512m", "", `{"Limits":{"CPU":0.5}}`, false, 1.5, 512, "/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/memory.max"},
		{"the user knows", "v2-private-no-limits", "--cpus 2 --memory 3G", `{"Limits":{"CPU":0.5}}`, false, 2, 3072, "--cpus", "--memory"},
		{"the user knows one", "v2-private-no-limits", "--cpus 2", `{"Limits":{"CPU":0.5,"Memory":1024}}`, true, 2, 1024, "--cpus", ecs},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Bool
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Store(r.URL.Path == "/v4/id/task")
				_, _ = w.Write([]byte(c.answer))
			}))
			defer server.Close()
			source := NewSource(cgroup.Find(os.DirFS(machine(t, c.machine))), parsed(t, nil, strings.Fields(c.args)))
			source.ECS = server.URL + "/v4/id"
			l := source.Read()
			if l.CPU != c.cpus || l.Memory != c.memory<<20 || l.CPUFrom != c.cpusFrom || l.MemoryFrom != c.memoryFrom || len(l.Warnings) > 0 {
				t.Errorf("got %+v", l)
			}
			if asked.Load() != c.asked {
				t.Errorf("asked: %v, want %v", asked.Load(), c.asked)
			}
		})
	}
}

func TestLimitsWithoutAnAnswerFromECS(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	source := NewSource(cgroup.Find(os.DirFS(machine(t, "v2-private-no-limits"))), config.Default())
	source.ECS = server.URL
	l := source.Read()
	if l.CPU != 0 || l.Memory != 0 || len(l.Warnings) != 1 || !strings.HasPrefix(l.Warnings[0], "no limits from ECS: ") {
		t.Errorf("got %+v", l)
	}
	if l := source.Read(); len(l.Warnings) > 0 {
		t.Errorf("asked, though it must not: %q", l.Warnings)
	}
}
