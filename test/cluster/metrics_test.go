package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// A served is what --metrics serves.
type served struct {
	*cluster
	port int
}

// probe asks as the kubelet does (pkg/probe/http, pkg/probe/util.go): it keeps no
// connection, has SO_LINGER of a second, takes anything, and closes the connection itself.
// Its time-out of a second is left out here: it would decide on a busy machine. As the
// kubelet does, it asks again where there is no answer: one that is slow to send its request
// makes room for others.
func (s served) probe(path string) (status, body string) {
	s.t.Helper()
	harness.WaitUntil(s.t, "an answer to "+path, func() bool {
		status, body = s.probeOnce(path)
		return status != ""
	})
	return status, body
}

func (s served) probeOnce(path string) (status, body string) {
	s.t.Helper()
	c, err := net.Dial("tcp", harness.Local(s.port))
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	_ = c.(*net.TCPConn).SetLinger(1)
	_ = c.SetDeadline(time.Now().Add(testproc.HangLimit))
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: kube-probe/1.37\r\nAccept: */*\r\nConnection: close\r\n\r\n", path, harness.Local(s.port))
	answer, err := io.ReadAll(c)
	if len(answer) == 0 {
		return "", ""
	}
	head, body, ok := strings.Cut(string(answer), "\r\n\r\n")
	if err != nil || !ok {
		s.t.Fatalf("%s: %q, %v", path, answer, err)
	}
	first, _, _ := strings.Cut(head, "\r\n")
	return strings.TrimPrefix(first, "HTTP/1.1 "), strings.TrimSuffix(body, "\n")
}

// expectProbe has /readyz answer so; /livez is well all the time.
func (s served) expectProbe(status, body string) {
	s.t.Helper()
	if gotStatus, got := s.probe("/readyz"); gotStatus != status || got != body {
		s.t.Errorf("/readyz: %s: %s, want %s: %s", gotStatus, got, status, body)
	}
	if status, got := s.probe("/livez"); status != "200 OK" {
		s.t.Errorf("/livez: %s: %s", status, got)
	}
}

// curl returns what curl prints for a path.
func (s served) curl(path string, args ...string) string {
	s.t.Helper()
	out, err := harness.Run("curl", slices.Concat([]string{"--silent", "--show-error", "--http1.1"}, args, []string{"http://" + harness.Local(s.port) + path})...)
	if err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	return out
}

// families are the metrics as Prometheus' own parser reads them.
func (s served) families() map[string]*dto.MetricFamily {
	s.t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(s.curl("/metrics") + "\n"))
	if err != nil {
		s.t.Fatal(err)
	}
	return families
}

// sum returns the sum of a family.
func sum(families map[string]*dto.MetricFamily, name string) (sum float64) {
	for _, m := range families[name].GetMetric() {
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return sum
}

// untilSum waits until the sum of a family is so much.
func (s served) untilSum(name string, want float64) {
	s.t.Helper()
	harness.WaitUntil(s.t, fmt.Sprint(name, " ", want), func() bool { return sum(s.families(), name) == want })
}

// threads is how many threads nodeinit has.
func (s served) threads() int {
	s.t.Helper()
	for line := range strings.Lines(harness.ReadFile(s.t, "/proc", strconv.Itoa(s.PID), "status")) {
		if n, ok := strings.CutPrefix(line, "Threads:"); ok {
			threads, err := strconv.Atoi(strings.TrimSpace(n))
			if err != nil {
				s.t.Fatal(err)
			}
			return threads
		}
	}
	s.t.Fatal("no threads")
	return 0
}

// What --metrics serves is right from before the first worker is ready until the end, over
// a reload, and under load. Nothing can be done over it.
func TestMetrics(t *testing.T) {
	schema := statusSchema(t)
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		metrics := harness.ReservePort(t)
		a := servants(2, fmt.Sprintf("--metrics 127.0.0.1:%d --drain-delay 1h --reload-signal HUP --heap 100M", metrics))
		a.args = []string{"s3cret"}
		k := startCluster(t, p, a)
		s := served{k, metrics}
		workers, port := k.all(2), harness.ReservePort(t)
		s.expectProbe("503 Service Unavailable", "no worker is ready, starting, starting")
		for _, w := range workers {
			w.do("serve", object{"port": port, "host": "127.0.0.1"}, nil)
		}
		k.untilLogged(2, "worker ready")
		s.expectProbe("200 OK", "2 of 2 workers ready")

		const requests = 12
		for range requests {
			s.request(port)
		}
		s.untilSum("nodeinit_worker_requests_total", requests)
		s.untilSum("nodeinit_worker_handovers_total", requests)
		s.expectFormats()
		s.expectStatus(schema)
		s.expectLoad()

		s.expectReload(workers, port, requests)
		k.Signal(unix.SIGTERM)
		k.untilLogged(1, "stopping")
		s.expectProbe("503 Service Unavailable", "stopping: the drain delay is running")
		held := s.hold(port)
		k.Signal(unix.SIGTERM)
		k.untilLogged(1, "drain delay over")
		s.expectProbe("503 Service Unavailable", "stopping")
		held.Close()
		k.WaitCode(harness.Terminated)
	})
}

// request asks the application.
func (s served) request(port int) {
	s.t.Helper()
	if _, err := harness.Get("http://" + harness.Local(port)); err != nil {
		s.t.Fatal(err)
	}
}

// hold asks the application for what does not end, and returns when the answer has begun.
func (s served) hold(port int) net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", harness.Local(port))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(testproc.HangLimit))
	fmt.Fprint(c, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, err := c.Read(make([]byte, 1)); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// expectReload replaces workers, and expects that no counter falls.
func (s served) expectReload(workers []*worker, port, requests int) {
	s.t.Helper()
	s.Signal(unix.SIGHUP)
	for slot, old := range workers {
		workers[slot] = s.nextIn(slot)
		workers[slot].do("serve", object{"port": port, "host": "127.0.0.1"}, nil)
		old.rest()
	}
	s.untilLogged(1, "reload done")
	s.request(port)
	s.untilSum("nodeinit_worker_requests_total", float64(requests)+1)
	families := s.families()
	for name, want := range map[string]float64{
		"nodeinit_worker_starts_total": 4, "nodeinit_worker_crashes_total": 0, "nodeinit_reloads_total": 1, "nodeinit_signals_received_total": 1,
		"nodeinit_worker_restarts_total": 2, "nodeinit_worker_up": 2, "nodeinit_workers": 2, "nodeinit_ready": 1,
	} {
		if got := sum(families, name); got != want {
			s.t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// expectFormats checks /metrics with Prometheus' own tools.
func (s served) expectFormats() {
	s.t.Helper()
	for accept, kind := range map[string]string{
		"*/*": "text/plain; version=0.0.4; charset=utf-8",
		"application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1": "application/openmetrics-text; version=1.0.0; charset=utf-8",
	} {
		text := s.curl("/metrics", "--header", "Accept: "+accept, "--output", "-", "--write-out", "%{content_type}")
		body, got := text[:strings.LastIndexByte(text, '\n')+1], text[strings.LastIndexByte(text, '\n')+1:]
		if open := strings.Contains(kind, "openmetrics"); got != kind || strings.HasSuffix(body, "\n# EOF\n") != open {
			s.t.Errorf("%s: %s, %q", accept, got, body)
		}
	}
	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = strings.NewReader(s.curl("/metrics") + "\n")
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		s.t.Errorf("promtool: %v; test/setup.sh brings it\n%s", err, out)
	}
	families := s.families()
	for _, name := range []string{
		"build_info", "start_time_seconds", "resident_memory_bytes", "cpu_seconds_total", "open_fds", "max_fds", "workers_wanted",
		"accept_queue_connections", "accept_queue_limit", "worker_start_time_seconds", "worker_resident_memory_bytes",
		"worker_cpu_seconds_total", "worker_open_fds", "worker_max_fds", "worker_heap_size_used_bytes", "worker_heap_size_limit_bytes",
		"worker_eventloop_utilization_ratio", "worker_eventloop_lag_p50_seconds", "worker_eventloop_lag_p99_seconds",
		"worker_heartbeat_age_seconds", "worker_connections",
	} {
		f := families["nodeinit_"+name]
		want := 1
		if strings.HasPrefix(name, "worker_") {
			want = 2
		}
		if kind := f.GetType(); len(f.GetMetric()) != want || (kind == dto.MetricType_COUNTER) != strings.HasSuffix(name, "_total") {
			s.t.Errorf("%s: %v", name, f)
		}
	}
}

// expectStatus checks /status: the document of status, without the command line.
func (s served) expectStatus(schema *jsonschema.Schema) {
	s.t.Helper()
	text := s.curl("/status")
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err == nil {
		err = schema.Validate(instance)
	}
	var d statusDocument
	if err == nil {
		err = json.Unmarshal([]byte(text), &d)
	}
	if err != nil || d.Ready != 2 || len(d.Listen) != 1 || d.Argv != nil || strings.Contains(text, "s3cret") {
		s.t.Errorf("%v: %s", err, text)
	}
	if d, _ := status(s.cluster, schema); len(d.Argv) == 0 {
		s.t.Error("the command line is not in status")
	}
}

// expectLoad has it serve many at once, and answer probes while others send nothing, or go
// away. All that leaves nothing behind.
func (s served) expectLoad() {
	s.t.Helper()
	before := s.openFiles()
	var loads []*exec.Cmd
	outs := make([]bytes.Buffer, 2)
	for i, path := range []string{"/livez", "/metrics"} {
		load := exec.Command("wrk", "--threads", "1", "--connections", "6", "--duration", "2s", "http://"+harness.Local(s.port)+path)
		load.Stdout, load.Stderr = &outs[i], &outs[i]
		if err := load.Start(); err != nil {
			s.t.Fatalf("%v; test/setup.sh brings wrk", err)
		}
		loads = append(loads, load)
	}
	for i, load := range loads {
		s.expectProbe("200 OK", "2 of 2 workers ready")
		var failed *exec.ExitError
		if err := load.Wait(); err != nil && !errors.As(err, &failed) {
			s.t.Fatal(err)
		}
		if out := outs[i].String(); strings.Contains(out, "Non-2xx") || strings.Contains(out, "Socket errors") || !strings.Contains(out, "Requests/sec") {
			s.t.Errorf("wrk:\n%s", out)
		}
	}
	for range 50 {
		silent, err := net.Dial("tcp", harness.Local(s.port))
		if err != nil {
			s.t.Fatal(err)
		}
		defer silent.Close()
		gone, err := net.Dial("tcp", harness.Local(s.port))
		if err != nil {
			s.t.Fatal(err)
		}
		_ = gone.(*net.TCPConn).SetLinger(0)
		fmt.Fprint(gone, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
		gone.Close() // with a reset
		s.expectProbe("200 OK", "2 of 2 workers ready")
		if n := s.threads(); n > 8 {
			s.t.Errorf("%d threads", n)
		}
	}
	harness.WaitUntil(s.t, "the descriptors to be back", func() bool { return s.openFiles() <= before })
}

// Before the program is started it is not ready, and nodeinit is alive.
func TestMetricsBeforeTheProgram(t *testing.T) {
	t.Parallel()
	port := harness.ReservePort(t)
	p := harness.WithEnv(harness.UnderInit(fmt.Sprintf("--metrics 127.0.0.1:%d", port), "true"), "NODEINIT_PRE=cat").Start(t)
	harness.UntilLogged(t, p, "running before the program")
	s := served{&cluster{Process: p, t: t}, port}
	s.expectProbe("503 Service Unavailable", "not started yet")
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(s.curl("/status")))
	if err == nil {
		err = statusSchema(t).Validate(instance)
	}
	if err != nil {
		t.Error(err)
	}
	if got := sum(s.families(), "nodeinit_ready"); got != 0 {
		t.Errorf("ready is %v", got)
	}
	p.CloseStdin()
	p.WaitCode(0)
}

// Where the address is taken nothing is started.
func TestMetricsAddressTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	p := harness.WithEnv(harness.UnderInit("--metrics "+taken.Addr().String(), "touch", "started"), "NODEINIT_PRE=touch before")
	p.Dir = t.TempDir()
	started := p.Start(t)
	started.WaitCode(125)
	want := fmt.Sprintf("nodeinit: --metrics: cannot listen at %s: address already in use (try another port, or off)\n", taken.Addr())
	if got := started.Errors(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if entries, err := os.ReadDir(p.Dir); err != nil || len(entries) > 0 {
		t.Errorf("something was started: %v, %v", entries, err)
	}
}
