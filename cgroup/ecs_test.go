package cgroup

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const ecsTask = `{"Cluster":"c","Limits":{"CPU":0.5,"Memory":1024},"Containers":[{"Name":"web","Limits":{"CPU":256,"Memory":64}}]}`

func serve(t *testing.T, handler http.HandlerFunc) (uri string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL + "/v4/0123"
}

func answer(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

func TestECS(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	uri := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/v4/0123/task" {
			t.Errorf("asked for %s %s", r.Method, r.URL)
		}
		io.WriteString(w, ecsTask)
	})
	if cpus, memory, err := ECS(t.Context(), uri); cpus != 0.5 || memory != 1<<30 || err != nil {
		t.Errorf("%v CPUs, %d bytes, %v", cpus, memory, err)
	}
}

// The error names the value, once.
func TestECSSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		`{"Limits":{"CPU":"1"}}`: "the value of Limits.CPU is wrong",
		`{"Limits":[]}`:          "the value of Limits is wrong",
		`[]`:                     "it is no JSON object",
	} {
		if _, _, err := ECS(t.Context(), serve(t, answer(text))); err == nil || !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestECSWithoutLimits(t *testing.T) {
	for _, text := range []string{`{}`, `{"Limits":{}}`, `{"Limits":null,"Containers":[{"Limits":{"CPU":256}}]}`} {
		if cpus, memory, err := ECS(t.Context(), serve(t, answer(text))); cpus != 0 || memory != 0 || err != nil {
			t.Errorf("%s: %v CPUs, %d bytes, %v", text, cpus, memory, err)
		}
	}
}

func TestECSRefuses(t *testing.T) {
	elsewhere := serve(t, answer(ecsTask)) + "/task"
	for name, uri := range map[string]string{
		"garbage":      serve(t, answer("<html>")),
		"empty":        serve(t, answer("")),
		"half":         serve(t, answer(ecsTask[:50])),
		"a string":     serve(t, answer(`{"Limits":{"CPU":"1"}}`)),
		"negative CPU": serve(t, answer(`{"Limits":{"CPU":-1}}`)),
		"overflow":     serve(t, answer(`{"Limits":{"Memory":9223372036854775807}}`)),
		"infinite":     serve(t, answer(`{"Limits":{"CPU":1e999}}`)),
		"huge":         serve(t, answer(strings.Repeat(" ", 2<<20)+ecsTask)),
		"status 500":   serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, ecsTask, http.StatusInternalServerError) }),
		"redirect":     serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, http.StatusFound) }),
		"nobody":       "http://127.0.0.1:1",
		"no URI":       "",
		"bad URI":      "http://a b:x",
		"a file":       "file:///etc",
	} {
		cpus, memory, err := ECS(t.Context(), uri)
		if err == nil || cpus != 0 || memory != 0 || !strings.Contains(err.Error(), "ECS task metadata: ") {
			t.Errorf("%s: %v CPUs, %d bytes, %v; want an error", name, cpus, memory, err)
		}
	}
}

func TestECSIsSlow(t *testing.T) {
	uri := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := ECS(ctx, uri); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want a deadline that passed", err)
	}
}

func TestWithECS(t *testing.T) {
	for name, c := range map[string]struct {
		before           Limits
		cpu              float64
		memory           int64
		cpuFrom, memFrom string
	}{
		"no limits":       {Limits{}, 0.5, 1 << 30, ecsMetadata, ecsMetadata},
		"higher limits":   {Limits{CPU: 4, CPUFrom: "/c", Memory: 4 << 30, MemoryFrom: "/m"}, 0.5, 1 << 30, ecsMetadata, ecsMetadata},
		"lower limits":    {Limits{CPU: 0.25, CPUFrom: "/c", Memory: 1 << 20, MemoryFrom: "/m"}, 0.25, 1 << 20, "/c", "/m"},
		"a small machine": {Limits{MemTotal: 900 << 20}, 0.5, 900 << 20, ecsMetadata, meminfo},
	} {
		l := c.before.WithECS(0.5, 1<<30)
		if l.CPU != c.cpu || l.Memory != c.memory || l.CPUFrom != c.cpuFrom || l.MemoryFrom != c.memFrom {
			t.Errorf("%s: %+v", name, l)
		}
		if got := c.before.WithECS(0, 0); got.CPU != c.before.CPU || got.Memory != c.before.Memory {
			t.Errorf("%s: nothing from ECS makes it %+v", name, got)
		}
	}
}
