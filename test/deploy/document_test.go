package deploy

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

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
