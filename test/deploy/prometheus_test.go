package deploy

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/test/grafana"
	"github.com/nodeinit/nodeinit/test/harness"
)

// TestPromtool: the alerts fire when they are to, and not before, in promtool's eyes.
func TestPromtool(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"check", "rules", rulesFile},
		{"test", "rules", "../../deploy/prometheus/rules_test.yaml"},
		{"check", "config", scrapeConfig},
	} {
		if out, err := harness.Run("promtool", args...); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	names := regexp.MustCompile(`(?m)(?:alert|- name): (Nodeinit\w+)$`)
	alerts := names.FindAllStringSubmatch(harness.ReadFile(t, rulesFile), -1)
	cases := names.FindAllStringSubmatch(harness.ReadFile(t, "../../deploy/prometheus/rules_test.yaml"), -1)
	if len(alerts) == 0 || !slices.EqualFunc(alerts, cases, func(a, b []string) bool { return a[1] == b[1] }) {
		t.Errorf("the alerts are %q, the cases %q", alerts, cases)
	}
}

// TestPrometheus: a Prometheus scrapes a container in which a worker crashes, another
// is replaced because of its health, and all by a reload. Each query of the dashboard
// and of the alerts runs on that.
func TestPrometheus(t *testing.T) {
	s := newSite(t)
	s.until(total(`nodeinit_workers{state="ready"}`, "== 2"))
	_, _ = harness.Get(s.app + "/crash") // its connection breaks
	s.until(total("nodeinit_worker_crashes_total", "> 0"))
	s.until(total(`nodeinit_workers{state="ready"}`, "== 2"))
	s.docker("exec", s.container, "/nodeinit", "reload")
	s.until(total(`nodeinit_reloads_total{result="completed"}`, "> 0"))
	if _, err := harness.Get(s.app + "/sick"); err != nil {
		t.Fatal(err)
	}
	s.until(total("nodeinit_worker_health_check_failures_total", "> 0"))
	s.until(total(`nodeinit_worker_starts_total{reason="health"}`, "> 0"))
	s.until("count(app_requests_total{worker=~\"0|1\"} > 0) == 2")
	s.until("count(rate(nodeinit_worker_requests_total[1m]) > 0) == 2")
	s.until(`count(nodeinit_worker_heartbeat_age_seconds) == 2 and sum(nodeinit_workers) == 2 and sum(nodeinit_workers{state="ready"}) == 2`)

	t.Run("targets", s.testTargets)
	t.Run("dashboard", s.testDashboard)
	t.Run("variables", s.testVariables)
	t.Run("rules", s.testRules)
	t.Run("document", s.testDocument)
}

// testTargets: Prometheus has no complaint, but perhaps that an answer took more than the
// second between two scrapes.
func (s *site) testTargets(t *testing.T) {
	var data struct {
		ActiveTargets []struct{ Health, LastError string }
	}
	harness.WaitUntil(t, "a scrape in time", func() bool {
		if err := s.prometheus.Get("targets", url.Values{}, &data); err != nil || len(data.ActiveTargets) != 1 {
			t.Fatalf("%v: targets %v, want one", err, data.ActiveTargets)
		}
		target := data.ActiveTargets[0]
		if target.LastError != "" && !strings.Contains(target.LastError, "deadline exceeded") {
			t.Fatal(target.LastError)
		}
		return target.Health == "up"
	})
}

// pressure are the metrics that need cgroup v2, which this machine may not have.
const pressure = "nodeinit_pressure_"

// testDashboard: each query of each panel runs and has data.
func (s *site) testDashboard(t *testing.T) {
	dashboard := s.dashboard(t)
	queries := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries++
			expr, err := dashboard.Expand(target.Expr, time.Minute, 5*time.Minute)
			if err != nil {
				t.Fatalf("%s: %v", panel.Title, err)
			}
			now := time.Now()
			graph, err := s.prometheus.QueryRange(expr, now.Add(-5*time.Minute), now, time.Second)
			if err != nil {
				t.Errorf("%s: %v", panel.Title, err)
				continue
			}
			if len(graph) == 0 && !strings.Contains(expr, pressure) {
				t.Errorf("%s: no data of %s", panel.Title, expr)
			}
			for _, series := range graph {
				if name := target.Legend(series.Metric); name == "" || strings.Contains(name, "{") {
					t.Errorf("%s: a series of %v has the name %q", panel.Title, series.Metric, name)
				}
			}
		}
	}
	if queries < 30 {
		t.Errorf("%d queries only", queries)
	}
}

// testVariables: what each variable of the dashboard chooses from is there, but for
// the pod, which a container of Docker does not have.
func (s *site) testVariables(t *testing.T) {
	dashboard := s.dashboard(t)
	definition := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	for _, variable := range dashboard.Templating.List {
		if variable.Type != "query" {
			continue
		}
		match := definition.FindStringSubmatch(variable.Definition)
		if match == nil {
			t.Errorf("%s: %q is not known here", variable.Name, variable.Definition)
			continue
		}
		selector, err := dashboard.Expand(match[1], 0, 0)
		if err != nil {
			t.Errorf("%s: %v", variable.Name, err)
			continue
		}
		values := s.query("group by (" + match[2] + ") (last_over_time(" + selector + "[5m]))")
		if len(values) != 1 || (values[0].Metric[match[2]] == "") != (variable.Name == "pod") {
			t.Errorf("%s: the values are %v", variable.Name, values)
		}
	}
}

func (s *site) dashboard(t *testing.T) grafana.Dashboard {
	t.Helper()
	dashboard, err := grafana.Load(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	return dashboard
}

// testRules: Prometheus has evaluated each alert, without an error.
func (s *site) testRules(t *testing.T) {
	var data struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	harness.WaitUntil(t, "Prometheus to evaluate all rules", func() bool {
		if err := s.prometheus.Get("rules", url.Values{}, &data); err != nil {
			t.Fatal(err)
		}
		for _, group := range data.Groups {
			for _, rule := range group.Rules {
				if rule.Health == "err" {
					t.Fatalf("%s: %s", rule.Name, rule.LastError)
				}
				if rule.Health != "ok" {
					return false
				}
			}
		}
		return true
	})
	if len(data.Groups) != 1 || len(data.Groups[0].Rules) < 10 {
		t.Errorf("%v is not all", data.Groups)
	}
}
