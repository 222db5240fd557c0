package cluster

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

const schemaFile = "docs/status.schema.json"

// A statusDocument is what these tests read of the document.
type statusDocument struct {
	Mode, State, Change                   string
	Ready, Want, Starts, Crashes, Reloads int
	Argv                                  []string
	Nodeinit                              struct {
		PID      int
		Resident *int64 `json:"resident_memory_bytes"`
	}
	Listen []struct {
		Address        string
		Queue, Backlog *int
	}
	Workers []statusWorker
}

type statusWorker struct {
	Slot, PID, Restarts   int
	State                 string
	LastExit              string   `json:"last_exit"`
	HealthFailures        int      `json:"health_failures"`
	HealthError           string   `json:"health_error"`
	CPU                   *float64 `json:"cpu_ratio"`
	CPUSeconds            *float64 `json:"cpu_seconds"`
	Resident              *int64   `json:"resident_memory_bytes"`
	HeapUsed              *int64   `json:"heap_used_bytes"`
	HeapLimit             *int64   `json:"heap_limit_bytes"`
	Utilization           *float64 `json:"loop_utilization"`
	DelayP99              *float64 `json:"loop_delay_p99_seconds"`
	Connections, Requests *int64
}

// statusSchema returns the schema of the status document, for which keys that it does not
// name are errors.
func statusSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(harness.Document(t, schemaFile)))
	if err != nil {
		t.Fatal(err)
	}
	allowNoOthers(document)
	c := jsonschema.NewCompiler()
	if err := c.AddResource("status", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("status")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func allowNoOthers(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, value := range v {
			allowNoOthers(value)
		}
		if _, ok := v["properties"].(map[string]any); ok {
			v["additionalProperties"] = false
		}
	case []any:
		for _, value := range v {
			allowNoOthers(value)
		}
	}
}

// status returns the document that status prints, which the schema describes.
func status(k *cluster, schema *jsonschema.Schema) (d statusDocument, text string) {
	k.t.Helper()
	p := k.subcommand("status", "--json")
	p.WaitCode(0)
	text = p.Output()
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err == nil {
		err = schema.Validate(instance)
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &d)
	}
	if err != nil {
		k.t.Fatalf("%v\n%s", err, text)
	}
	if strings.Count(text, "\n") != 1 {
		k.t.Errorf("not one line: %q", text)
	}
	return d, text
}

// untilStatus waits for a document that is as wanted.
func untilStatus(k *cluster, schema *jsonschema.Schema, what string, wanted func(d statusDocument) bool) (d statusDocument) {
	k.t.Helper()
	harness.WaitUntil(k.t, what, func() bool {
		d, _ = status(k, schema)
		return wanted(d)
	})
	return d
}

// statusText returns what status prints, which fits a terminal of 80 columns.
func statusText(k *cluster) string {
	k.t.Helper()
	p := k.subcommand("status")
	p.WaitCode(0)
	for line := range strings.Lines(p.Output()) {
		line = strings.TrimSuffix(line, "\n")
		if utf8.RuneCountInString(line) > 80 || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			k.t.Errorf("%q does not fit a terminal", line)
		}
	}
	return p.Output()
}

// workerStates are the slots with their states.
func workerStates(d statusDocument) (list []string) {
	for _, w := range d.Workers {
		list = append(list, fmt.Sprint(w.Slot, " ", w.State))
	}
	return list
}

// loggedPIDs returns the process IDs of the last workers that got ready, by slot.
func loggedPIDs(k *cluster, slots int) []int {
	pids := make([]int, slots)
	for _, l := range k.logged("worker ready") {
		pids[int(l.Facts["worker"].(float64))] = int(l.Facts["pid"].(float64))
	}
	return pids
}

// status says what is, as the schema describes it: at the start, with figures of each
// worker, in a reload, and after a crash. The environment is not in it.
func TestStatus(t *testing.T) {
	schema := statusSchema(t)
	harness.UnderEach(t, onNewest(nodeinits("rr", "reuseport")), func(t *testing.T, p harness.Primary) {
		a := servants(2, onHUP+" --max-crashes 5 --heap 100M")
		a.args, a.env = []string{"\x1b[2J\xff\""}, []string{"API_TOKEN=s3cret"}
		k := startCluster(t, p, a)
		workers, port := k.all(2), harness.ReservePort(t)
		d, _ := status(k, schema)
		if !slices.Equal(workerStates(d), []string{"0 starting", "1 starting"}) || d.Ready != 0 || d.Want != 2 || d.Mode != "per-core" || len(d.Listen) != 0 {
			t.Errorf("at the start: %+v", d)
		}
		for _, w := range workers {
			w.do("serve", object{"port": port, "host": "127.0.0.1"}, nil)
		}
		k.untilLogged(2, "worker ready")
		const requests = 12
		for range requests {
			if _, err := harness.Get("http://" + harness.Local(port)); err != nil {
				t.Fatal(err)
			}
		}
		d = untilStatus(k, schema, "all requests", func(d statusDocument) bool {
			sum := int64(0)
			for _, w := range d.Workers {
				if w.Requests == nil || w.Utilization == nil || w.HeapUsed == nil || w.DelayP99 == nil || w.Connections == nil {
					return false
				}
				sum += *w.Requests
			}
			return sum == requests
		})
		for slot, w := range d.Workers {
			if w.State != "ready" || w.PID != loggedPIDs(k, 2)[slot] || w.Restarts != 0 || w.LastExit != "" || w.HeapLimit == nil || *w.HeapLimit != 100<<20 {
				t.Errorf("%+v", w)
			}
			if w.Resident == nil || *w.Resident < 10<<20 || w.CPU == nil || w.CPUSeconds == nil || *w.CPUSeconds <= 0 || *w.HeapUsed < 1<<20 {
				t.Errorf("figures of slot %d are wrong", slot)
			}
		}
		sockets := 1
		if p.Balance == "reuseport" {
			sockets = 2
		}
		for _, l := range d.Listen {
			if l.Address != harness.Local(port) || l.Queue == nil || *l.Backlog != 511 {
				t.Errorf("%+v", l)
			}
		}
		if len(d.Listen) != sockets || d.Nodeinit.PID != 1 || d.Nodeinit.Resident == nil || d.State != "running" || d.Ready != 2 || d.Change != "" {
			t.Errorf("%+v", d)
		}
		if last := d.Argv[len(d.Argv)-1]; last != "\x1b[2J\\xff\"" {
			t.Errorf("the last word of argv is %q", last)
		}
		duringReload(k, schema, workers, port)
		afterCrash(k, schema)
		k.stopWith(harness.Terminated)
	})
}

// duringReload checks the status while slot 0 has two workers.
func duringReload(k *cluster, schema *jsonschema.Schema, workers []*worker, port int) {
	k.t.Helper()
	k.Signal(unix.SIGHUP)
	replacement := k.nextIn(0)
	d := untilStatus(k, schema, "a second worker", func(d statusDocument) bool { return len(d.Workers) == 3 })
	if !slices.Equal(workerStates(d), []string{"0 ready", "0 starting", "1 ready"}) || d.Change != "reload" || d.Ready != 2 || d.Reloads != 0 {
		k.t.Errorf("in a reload: %+v", d)
	}
	replacement.do("serve", object{"port": port, "host": "127.0.0.1"}, nil)
	workers[0].rest()
	replacement = k.nextIn(1)
	replacement.do("serve", object{"port": port, "host": "127.0.0.1"}, nil)
	workers[1].rest()
	k.untilLogged(1, "reload done")
	workers[1] = replacement
	d, text := status(k, schema)
	for _, w := range d.Workers {
		if w.Restarts != 1 || w.LastExit != "reload" || w.State != "ready" {
			k.t.Errorf("after a reload: %+v", w)
		}
	}
	if d.Reloads != 1 || d.Starts != 4 || d.Crashes != 0 || len(d.Workers) != 2 {
		k.t.Errorf("after a reload: %s", text)
	}
	workers[1].kill()
}

// afterCrash checks the status after slot 1 has crashed.
func afterCrash(k *cluster, schema *jsonschema.Schema) {
	k.t.Helper()
	d := untilStatus(k, schema, "a crash", func(d statusDocument) bool { return d.Crashes == 1 })
	if last := d.Workers[1]; last.Restarts != 2 || last.LastExit != "SIGKILL" {
		k.t.Errorf("after a crash: %+v", last)
	}
	k.nextIn(1)
	_, document := status(k, schema)
	text := statusText(k)
	for _, part := range []string{
		"mode      per-core, running, 1 of 2 ready; 5 starts, 1 crash, 1 reload\n", `"\x1b[2J\\xff\""`,
		" 1: reload\n", " starting ", " 2: SIGKILL\n",
	} {
		if !strings.Contains(text, part) {
			k.t.Errorf("no %q in\n%s", part, text)
		}
	}
	if strings.Contains(text+document, "s3cret") || strings.Contains(text+document, "API_TOKEN") {
		k.t.Errorf("the environment is in\n%s\n%s", text, document)
	}
}

// One process has its own socket. Without an agent, what only that reports is not known.
func TestStatusOfOneProcess(t *testing.T) {
	schema := statusSchema(t)
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		for _, flags := range []string{"", "--no-agent"} {
			k := startCluster(t, p, inForkMode(servants(1, flags)))
			w, port := k.next(), harness.ReservePort(t)
			w.listens(listenTo(port, "127.0.0.1"))
			d := untilStatus(k, schema, "heartbeats", func(d statusDocument) bool {
				return len(d.Workers) == 1 && d.Ready == 1 && (flags != "" || d.Workers[0].Utilization != nil)
			})
			one := d.Workers[0]
			if d.Mode != "fork" || one.State != "ready" || one.Resident == nil || one.CPU == nil || d.Starts != 1 {
				t.Errorf("%+v", d)
			}
			if agent := flags == ""; (one.HeapUsed != nil) != agent || (one.Connections != nil) != agent || (one.DelayP99 != nil) != agent {
				t.Errorf("%q: %+v", flags, one)
			}
			if len(d.Listen) != 1 || d.Listen[0].Address != harness.Local(port) {
				t.Errorf("listens on %+v", d.Listen)
			}
			if text := statusText(k); !strings.Contains(text, "mode      fork, running, 1 of 1 ready; 1 start, 0 crashes, 0 reloads\n") {
				t.Error(text)
			}
			k.stopWith(harness.Terminated)
		}
	})
}

// A slot that waits for its next worker has no process.
func TestStatusOfASlotThatWaits(t *testing.T) {
	schema := statusSchema(t)
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(1, "--max-crashes 100 --crash-window 1h"))
		port := harness.ReservePort(t)
		waiting := false
		for !waiting { // each time the slot is empty for longer
			w := k.next()
			w.listens(listenTo(port, "127.0.0.1"))
			untilStatus(k, schema, "a worker", func(d statusDocument) bool { return d.Ready == 1 })
			w.kill()
			untilStatus(k, schema, "the next one", func(d statusDocument) bool {
				if s := d.Workers[0]; s.State == "waiting" {
					waiting = true
					if s.PID != 0 || s.LastExit != "SIGKILL" || s.Resident != nil || s.Restarts != d.Crashes {
						t.Errorf("%+v", d)
					}
				}
				return len(d.Workers) == 1 && d.Workers[0].State == "starting"
			})
		}
		k.next()
		k.stopWith(harness.Terminated)
	})
}

// Where none runs, or it takes no commands, status fails with one line.
func TestStatusOfNothing(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(1, "--control off"))
		k.next()
		k.expectSubcommand(k.subcommand("status"), 1, "nodeinit: status: that nodeinit takes no commands .*")
		alone := testproc.Command{PID1: true, Argv: []string{harness.Nodeinit, "status"}}.Start(t)
		k.expectSubcommand(alone, 1, "nodeinit: status: no nodeinit runs here .*")
		k.expectSubcommand(k.subcommand("status", "x"), 2, `nodeinit: status: "x": takes no arguments .*`)
	})
}

// The states that the schema names are those of docs/lifecycle.md.
func TestStatusSchema(t *testing.T) {
	t.Parallel()
	var schema struct {
		Properties struct {
			State   struct{ Enum []string }
			Workers struct {
				Items struct {
					Properties struct{ State struct{ Enum []string } }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(harness.Document(t, schemaFile)), &schema); err != nil {
		t.Fatal(err)
	}
	lifecycle := harness.Document(t, "docs/lifecycle.md")
	states := slices.Concat(schema.Properties.State.Enum, schema.Properties.Workers.Items.Properties.State.Enum)
	for _, state := range states {
		if !regexp.MustCompile(`\b` + state + `\b`).MatchString(lifecycle) {
			t.Errorf("docs/lifecycle.md does not name the state %s", state)
		}
	}
	if len(states) != 17 {
		t.Errorf("%d states, want 17", len(states))
	}
}
