package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/nodeinit/nodeinit/test/harness"
)

const metricsDocument = "docs/observability.md"

var (
	documentedRow = regexp.MustCompile("(?m)^\\| `(nodeinit_\\w+)` \\| (counter|gauge) \\| (.*?) \\|")
	labelName     = regexp.MustCompile("`(\\w+)`")
	typeLine      = regexp.MustCompile(`(?m)^# TYPE (nodeinit_\w+) (\w+)$`)
	sampleLine    = regexp.MustCompile(`(?m)^(nodeinit_\w+)(?:\{(.*)\})? `)
	labelPair     = regexp.MustCompile(`(\w+)="`)
)

// testDocument: the metrics that the document lists, with their types and labels, are
// those that nodeinit has.
func (s *site) testDocument(t *testing.T) {
	documented := make(map[string]string)
	for _, row := range documentedRow.FindAllStringSubmatch(harness.Document(t, metricsDocument), -1) {
		var labels []string
		for _, label := range labelName.FindAllStringSubmatch(row[3], -1) {
			labels = append(labels, label[1])
		}
		documented[row[1]] = row[2] + " " + strings.Join(labels, " ")
	}
	text, err := harness.Get(s.metrics)
	if err != nil {
		t.Fatal(err)
	}
	served := make(map[string]string)
	for _, line := range typeLine.FindAllStringSubmatch(text, -1) {
		served[line[1]] = line[2] + " "
	}
	for _, sample := range sampleLine.FindAllStringSubmatch(text, -1) {
		var labels []string
		for _, label := range labelPair.FindAllStringSubmatch(sample[2], -1) {
			labels = append(labels, label[1])
		}
		kind, _, _ := strings.Cut(served[sample[1]], " ")
		served[sample[1]] = kind + " " + strings.Join(labels, " ")
	}
	_, err = os.Stat("/sys/fs/cgroup/cgroup.controllers") // only with cgroup v2
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		isAbsent := served[name] == "" && err != nil && strings.HasPrefix(name, pressure)
		if documented[name] != served[name] && !isAbsent {
			t.Errorf("%s: documented as %q, served as %q", name, documented[name], served[name])
		}
	}
	for name := range served {
		if documented[name] == "" {
			t.Errorf("%s is not in %s", name, metricsDocument)
		}
	}
}

// TestAlertTable: the document has the alerts of rules.yaml, in their order.
func TestAlertTable(t *testing.T) {
	t.Parallel()
	listed := regexp.MustCompile("(?m)^\\| `(Nodeinit\\w+)` \\| (\\w+) \\|").FindAllStringSubmatch(harness.Document(t, metricsDocument), -1)
	rules := regexp.MustCompile(`(?m)alert: (Nodeinit\w+)$[\s\S]*?severity: (\w+)`).FindAllStringSubmatch(harness.ReadFile(t, rulesFile), -1)
	if len(rules) == 0 || !slices.EqualFunc(listed, rules, func(a, b []string) bool { return a[1] == b[1] && a[2] == b[2] }) {
		t.Errorf("%s has the alerts %q, rules.yaml %q", metricsDocument, listed, rules)
	}
}

// TestScrapeExamples: what the document shows for Kubernetes, Datadog and OpenTelemetry is
// well-formed, and Prometheus takes what is its own.
func TestScrapeExamples(t *testing.T) {
	t.Parallel()
	text := harness.Document(t, metricsDocument)
	var jobs []any
	for i, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1) {
		var document struct {
			ScrapeConfigs []any `yaml:"scrape_configs"`
			Receivers     struct {
				Prometheus struct {
					Config struct {
						ScrapeConfigs []any `yaml:"scrape_configs"`
					}
				}
			}
			Metadata struct{ Annotations map[string]string }
		}
		if err := yaml.Unmarshal([]byte(block[1]), &document); err != nil {
			t.Errorf("block %d: %v", i, err)
		}
		jobs = append(append(jobs, document.ScrapeConfigs...), document.Receivers.Prometheus.Config.ScrapeConfigs...)
		for name, annotation := range document.Metadata.Annotations {
			if !json.Valid([]byte(annotation)) {
				t.Errorf("annotation %s is not JSON", name)
			}
		}
	}
	if len(jobs) != 2 {
		t.Fatalf("%d jobs, want one for Kubernetes and one for the Collector", len(jobs))
	}
	for i, job := range jobs {
		fields, _ := job.(map[string]any)
		delete(fields, "kubernetes_sd_configs") // Debian's Prometheus is built without
		fields["job_name"] = fmt.Sprint(fields["job_name"], i)
	}
	config, err := yaml.Marshal(map[string]any{"scrape_configs": jobs})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "prometheus.yml")
	harness.WriteFile(t, file, string(config), 0o644)
	if out, err := harness.Run("promtool", "check", "config", file); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
