package deploy

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/grafana"
	"github.com/nodeinit/nodeinit/test/harness"
)

const (
	scrapeConfig  = "../../deploy/prometheus/prometheus.yml"
	rulesFile     = "../../deploy/prometheus/rules.yaml"
	dashboardFile = "../../deploy/grafana/nodeinit.json"
)

// A site is a container with two workers, and a Prometheus that scrapes it.
type site struct {
	t          *testing.T
	container  string
	app        string // URL of the application
	metrics    string // URL of nodeinit's metrics
	prometheus grafana.Prometheus
}

// newSite starts both.
func newSite(t *testing.T) *site {
	t.Helper()
	app, err := filepath.Abs("testdata/app.js")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, container: harness.UniqueName(t)}
	t.Cleanup(func() { s.removeContainer() })
	s.docker("run", "--detach", "--label", "nodeinit-test", "--name", s.container, "--cpus", "2", "--memory", "512m",
		"--publish", "127.0.0.1::3000", "--publish", "127.0.0.1::9464",
		"--volume", harness.Nodeinit+":/nodeinit:ro", "--volume", app+":/app.js:ro", "--entrypoint", "/nodeinit",
		"node:20-bookworm-slim", "--workers", "2", "--max-crashes", "5", "--metrics", "9464", "--metrics-app", "/metrics",
		"--health-path", "/health", "--health-interval", "1s", "--", "node", "/app.js")
	s.app = "http://" + s.docker("port", s.container, "3000")
	address := s.docker("port", s.container, "9464")
	s.metrics = "http://" + address + "/metrics"
	harness.WaitUntil(t, "the application to answer", func() bool {
		_, err := harness.Get(s.app)
		return err == nil
	})
	s.prometheus = startPrometheus(t, address)
	return s
}

func (s *site) removeContainer() {
	if s.t.Failed() {
		logs, err := harness.Run("docker", "logs", s.container)
		s.t.Logf("container: %v\n%s", err, logs)
	}
	if _, err := harness.Run("docker", "rm", "--force", "--volumes", s.container); err != nil {
		s.t.Error(err)
	}
}

func (s *site) docker(args ...string) string {
	s.t.Helper()
	out, err := harness.Run("docker", args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// startPrometheus starts one with the configuration that users copy, but for the
// address, and with intervals of a second.
func startPrometheus(t *testing.T, target string) grafana.Prometheus {
	t.Helper()
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	config := harness.ReadFile(t, scrapeConfig)
	for from, to := range map[string]string{
		"scrape_interval: 15s": "scrape_interval: 1s\n  evaluation_interval: 1s",
		"[rules.yaml]":         "[" + rules + "]",
		"app:9464":             target,
	} {
		if strings.Count(config, from) != 1 {
			t.Fatalf("%s does not have %q once", scrapeConfig, from)
		}
		config = strings.Replace(config, from, to, 1)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	harness.WriteFile(t, file, config, 0o644)
	address := harness.Local(harness.ReservePort(t))
	testproc.Command{Argv: []string{"prometheus", "--config.file", file, "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", address}}.Start(t)
	url := "http://" + address
	harness.WaitUntil(t, "Prometheus to be ready", func() bool {
		_, err := harness.Get(url + "/-/ready")
		return err == nil
	})
	return grafana.Prometheus(url)
}

// query returns the values of an expression now.
func (s *site) query(expr string) []grafana.Series {
	s.t.Helper()
	series, err := s.prometheus.Query(expr)
	if err != nil {
		s.t.Fatal(err)
	}
	return series
}

// until asks the application again and again until a comparison is true of what
// Prometheus has. No request may fail.
func (s *site) until(comparison string) {
	s.t.Helper()
	harness.WaitUntil(s.t, comparison, func() bool {
		if _, err := harness.Get(s.app); err != nil {
			s.t.Fatal(err)
		}
		return len(s.query(comparison)) > 0
	})
}

// total is the sum of all series of a metric, with a comparison.
func total(metric, comparison string) string { return fmt.Sprintf("sum(%s) %s", metric, comparison) }
