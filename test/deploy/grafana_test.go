package deploy

import (
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	schema "github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/nodeinit/nodeinit/test/grafana"
	"github.com/nodeinit/nodeinit/test/harness"
)

// TestGrafanaSchema: the dashboard has no field that Grafana's own types do not, none of
// another type, and all that they demand.
func TestGrafanaSchema(t *testing.T) {
	t.Parallel()
	plugins.RegisterDefaultPlugins()
	//lint:ignore SA1019 the newer schema is not for Grafana 10 to 12
	var dashboard schema.Dashboard
	// What it returns is a list of errors, and not nil where the list is empty.
	if err := dashboard.UnmarshalJSONStrict([]byte(harness.ReadFile(t, dashboardFile))); err != nil && err.Error() != "" {
		t.Fatal(err)
	}
	if err := dashboard.Validate(); err != nil {
		t.Error(err)
	}
}

// allVariables is in the selector of each metric.
const allVariables = `job=~"$job",instance=~"$instance",pod=~"$pod"`

// TestGrafanaPanels: each panel explains itself, has a unit and a legend, and a place of its own.
func TestGrafanaPanels(t *testing.T) {
	t.Parallel()
	dashboard, err := grafana.Load(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	taken := make(map[[2]int]string)
	for _, p := range dashboard.Panels {
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%q has the place of %q, or one that is none", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || !strings.HasSuffix(p.Description, ".") || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
			t.Errorf("panel %q lacks a title, a description, a unit or a query", p.Title)
		}
		for _, target := range p.Targets {
			if target.LegendFormat == "" || strings.Count(target.Expr, allVariables) != strings.Count(target.Expr, "nodeinit_") {
				t.Errorf("panel %q: %q has no legend, or a metric without the variables", p.Title, target.Expr)
			}
		}
	}
}
