package cluster

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
	dto "github.com/prometheus/client_model/go"
)

// A measured is testdata/app/metrics.js with --metrics-app.
type measured struct {
	served
	address string // of the application
}

// startMeasured starts it on a version of Node, and waits until all workers listen and are
// known to.
func startMeasured(t *testing.T, line, flags string, workers int, route string, env ...string) *measured {
	t.Helper()
	own, port := harness.ReservePort(t), harness.ReservePort(t)
	route = strings.ReplaceAll(route, "PORT", strconv.Itoa(port))
	c := harness.UnderInit(fmt.Sprintf("--metrics 127.0.0.1:%d --metrics-app %s %s", own, route, flags),
		harness.NodeBinary(t, line), "testdata/app/metrics.js")
	p := harness.WithEnv(c, append(env, fmt.Sprintf("TEST_PORT=%d", port))...).Start(t)
	m := &measured{served{&cluster{Process: p, t: t}, own}, harness.Local(port)}
	for range workers {
		p.Line()
	}
	m.untilSum("nodeinit_worker_up", float64(workers))
	return m
}

// byWorker returns the values of a family by the label worker.
func byWorker(families map[string]*dto.MetricFamily, name string) map[string]float64 {
	values := make(map[string]float64)
	for _, m := range families[name].GetMetric() {
		for _, label := range m.GetLabel() {
			if label.GetName() == "worker" {
				values[label.GetValue()] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return values
}

// One scrape has the counters of all workers, and to scrape changes no count and no turn,
// whatever the mode and the balance.
func TestAppMetrics(t *testing.T) {
	t.Parallel()
	for _, line := range harness.ReleaseLines {
		for _, flags := range []string{
			"--mode per-core --workers 2 --balance rr", "--mode per-core --workers 2 --balance shared", "--mode fork",
			"--mode fork --no-agent",
		} {
			t.Run(line+" "+flags, func(t *testing.T) {
				t.Parallel()
				workers, known := 2, !strings.Contains(flags, "no-agent")
				if strings.Contains(flags, "fork") {
					workers = 1
				}
				m := startMeasured(t, line, flags, workers, "/metrics")
				asked := make(map[string]float64)
				ask := func() {
					worker, err := harness.Get("http://" + m.address)
					if err != nil {
						t.Fatal(err)
					}
					asked[worker]++
				}
				for number := range 6 {
					ask()
					harness.WaitUntil(t, fmt.Sprintf("counters %v", asked), func() bool { // they may be a tenth of a second old
						families := m.families()
						hits := byWorker(families, "app_hits_total")
						if got := sum(families, "nodeinit_worker_requests_total"); got > float64(number+1) {
							t.Fatalf("%v requests are counted, of %d", got, number+1)
						}
						if from := families["app_hits_total"].GetMetric()[0].GetLabel(); len(from) != 2 {
							t.Fatalf("labels %v", from)
						}
						return len(hits) == workers && hits["0"] == asked["0"] && hits["1"] == asked["1"]
					})
				}
				if strings.HasSuffix(flags, "rr") && asked["0"] != asked["1"] {
					t.Errorf("asked %v, want them in turn", asked)
				}
				families := m.families()
				if failures := byWorker(families, "nodeinit_app_scrape_errors_total"); len(failures) != workers || sum(families, "nodeinit_app_scrape_errors_total") != 0 {
					t.Errorf("failures %v", failures)
				}
				if known {
					m.untilSum("nodeinit_worker_requests_total", 6)
					m.untilSum("nodeinit_worker_connections", 0)
				}
			})
		}
	}
}

// Workers that answer something else, too much or nothing are left out, and the log says
// why, once.
func TestAppMetricsOfBadWorkers(t *testing.T) {
	t.Parallel()
	const workers = 5
	m := startMeasured(t, harness.ReferenceLine, "--mode per-core --workers "+strconv.Itoa(workers), workers,
		"PORT/metrics?1=status&2=garbage&3=endless&4=stop")
	wants := map[int]string{
		1: `status "500 Internal Server Error"`, 2: `line 1 is no metric: "<html>"`, 3: "body is longer than 4 MiB", 4: "no answer within 3s",
	}
	harness.WaitUntil(t, "three failures of each", func() bool {
		families := m.families()
		if hits := byWorker(families, "app_hits_total"); len(hits) != 1 || hits["0"] != 0 {
			t.Errorf("hits %v, want those of worker 0", hits)
		}
		failures := byWorker(families, "nodeinit_app_scrape_errors_total")
		for worker := range wants {
			if failures[strconv.Itoa(worker)] < 3 {
				return false
			}
		}
		return failures["0"] == 0
	})
	causes := make(map[int][]string)
	for _, line := range harness.OwnLines(t, m.Output()) {
		if line.Msg == "no metrics from the application" {
			worker, cause := int(line.Facts["worker"].(float64)), line.Facts["error"].(string)
			causes[worker] = append(causes[worker], cause)
		}
	}
	for worker, want := range wants {
		if got := causes[worker]; len(got) == 0 || got[0] != want || worker < 4 && len(got) != 1 {
			t.Errorf("worker %d: %q, want %q", worker, got, want)
		}
	}
}

// What cannot be asked is named in the log.
func TestAppMetricsSaysWhy(t *testing.T) {
	t.Parallel()
	options, err := json.Marshal(newCertificate(t).options)
	if err != nil {
		t.Fatal(err)
	}
	tls := []string{"TEST_TLS=" + string(options)}
	for name, c := range map[string]struct {
		flags, route string
		env          []string
		want         string
	}{
		"TLS per core": {"--mode per-core --workers 1", "/metrics", tls, "speaks TLS"},
		"TLS fork":     {"--mode fork", "/metrics", tls, "without an answer, as a server does that speaks TLS"},
		"no server":    {"--mode per-core --workers 1", "1/metrics", nil, "it has no server on port 1"},
		"no such port": {"--mode fork", "1/metrics", nil, "it has no server on port 1"},
		"another path": {"--mode fork", "PORT/nothing", nil, `line 1 is no metric: "0"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startMeasured(t, harness.NewestLine, c.flags, 1, c.route, c.env...)
			m.families()
			line := harness.UntilLogged(t, m.Process, "no metrics from the application")
			if got, _ := line.Facts["error"].(string); !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// The metrics of unmodified applications with prom-client, express-prom-bundle and
// OpenTelemetry's exporter, which has a server of its own.
func TestAppMetricsOfLibraries(t *testing.T) {
	t.Parallel()
	dir := harness.AppDir(t, "metrics")
	for name, c := range map[string]struct{ file, port, env, histogram string }{
		"prom-client":    {"server.js", "", "", "http_request_duration_seconds"},
		"in OpenMetrics": {"server.js", "", "OPENMETRICS=1", "http_request_duration_seconds"},
		"OpenTelemetry":  {"otel.js", "METRICS_PORT", "", "app_answer_size"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own, port := harness.ReservePort(t), harness.ReservePort(t)
			env, route := append(strings.Fields(c.env), fmt.Sprintf("PORT=%d", port)), "/metrics"
			if c.port != "" {
				metrics := harness.ReservePort(t)
				env, route = append(env, fmt.Sprintf("%s=%d", c.port, metrics)), fmt.Sprintf("%d/metrics", metrics)
			}
			p := harness.WithEnv(harness.UnderInit(fmt.Sprintf("--mode per-core --workers 2 --metrics %d --metrics-app %s", own, route),
				harness.NodeBinary(t, harness.NewestLine), dir+"/"+c.file), env...).Start(t)
			harness.UntilLogged(t, p, "serving metrics")
			s := served{&cluster{Process: p, t: t}, own}
			s.untilSum("nodeinit_worker_up", 2)
			for range 4 {
				if _, err := harness.Get("http://" + harness.Local(port)); err != nil {
					t.Fatal(err)
				}
			}
			var families map[string]*dto.MetricFamily
			harness.WaitUntil(t, "two requests to each, of four", func() bool {
				families = s.families()
				hits := byWorker(families, "app_hits_total")
				return hits["0"] == 2 && hits["1"] == 2
			})
			if families["app_hits_total"].GetHelp() != "Requests." {
				t.Errorf("%v", families["app_hits_total"])
			}
			histogram := families[c.histogram]
			if histogram.GetType() != dto.MetricType_HISTOGRAM || len(histogram.GetMetric()) < 2 || histogram.GetMetric()[0].GetHistogram().GetSampleCount() == 0 {
				t.Errorf("%v", histogram)
			}
			open := s.curl("/metrics", "--header", "Accept: application/openmetrics-text;version=1.0.0")
			if strings.HasSuffix(open, "\n# EOF") != strings.Contains(c.env, "OPEN") {
				t.Errorf("the end is %q", open[max(0, len(open)-40):])
			}
		})
	}
}
