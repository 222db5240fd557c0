package grafana

import (
	"testing"
	"time"
)

func TestExpand(t *testing.T) {
	t.Parallel()
	var d Dashboard
	d.Templating.List = []Variable{{Name: "job", AllValue: ".*"}, {Name: "jobs", AllValue: ".+"}, {Name: "datasource"}}
	for text, want := range map[string]string{
		`up{job=~"$job",jobs=~"$jobs"}`:  `up{job=~".*",jobs=~".+"}`,
		`rate(x[$__rate_interval])`:      `rate(x[4s])`,
		`increase(x[$__range])`:          `increase(x[60s])`,
		`up{instance=~"$instance"}`:      "",
		`rate(x[$__interval])`:           "",
		`up{datasource=~"$datasource"} `: "", // has no value for all
	} {
		got, err := d.Expand(text, 4*time.Second, time.Minute)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestLegend(t *testing.T) {
	t.Parallel()
	target := Target{LegendFormat: "{{instance}} {{ pod }} worker {{worker}}"}
	if got := target.Legend(map[string]string{"instance": "app", "worker": "0"}); got != "app worker 0" {
		t.Errorf("%q", got)
	}
}
