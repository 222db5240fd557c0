// Package grafana reads a dashboard of Grafana and gets its data from Prometheus,
// for a machine without Grafana.
package grafana

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
)

// A Dashboard is what this package needs of Grafana's JSON.
type Dashboard struct {
	Title      string
	Panels     []Panel
	Templating struct{ List []Variable }
}

// A Variable is a choice that a user of the dashboard has.
type Variable struct {
	Name, Type string
	Definition string // a query; "" if it is none
	AllValue   string // what all values together match
}

// A Panel is a graph ("timeseries"), a figure ("stat") or the heading of a row ("row").
type Panel struct {
	Title, Type, Description string
	GridPos                  struct{ X, Y, W, H int } // of 24 columns
	FieldConfig              struct {
		Defaults  Field
		Overrides []Override
	}
	Options struct{ TextMode string }
	Targets []Target
}

// A Field is how values are shown.
type Field struct {
	Unit     string
	Min, Max *float64
	Decimals *int
	Custom   struct {
		DrawStyle string // line or bars
		Stacking  struct{ Mode string }
	}
}

// An Override is another look for the series whose name matches.
type Override struct {
	Matcher    struct{ ID, Options string }
	Properties []struct {
		ID    string
		Value any
	}
}

// A Target is a query of a panel.
type Target struct {
	Expr, LegendFormat string
	Instant            bool
}

// Load reads a dashboard from its file.
func Load(path string) (d Dashboard, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// Expand returns an expression or the query of a variable with the values that
// Grafana would put in: all of each variable that can have several, and these times.
// An error names what has no value.
func (d Dashboard) Expand(text string, rateInterval, timeRange time.Duration) (string, error) {
	text = strings.ReplaceAll(text, "$__rate_interval", seconds(rateInterval))
	text = strings.ReplaceAll(text, "$__range", seconds(timeRange))
	for _, v := range d.Templating.List {
		if v.AllValue != "" {
			text = regexp.MustCompile(`\$`+v.Name+`\b`).ReplaceAllLiteralString(text, v.AllValue)
		}
	}
	if i := strings.IndexByte(text, '$'); i >= 0 {
		return "", fmt.Errorf("no value for what begins at %q", text[i:])
	}
	return text, nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%ds", int(d.Seconds())) }

var placeholder = regexp.MustCompile(`{{\s*(\w+)\s*}}`)

// Legend returns the name of a series: a text with its labels.
func (t Target) Legend(labels map[string]string) string {
	name := placeholder.ReplaceAllStringFunc(t.LegendFormat, func(match string) string {
		return labels[placeholder.FindStringSubmatch(match)[1]]
	})
	return strings.Join(strings.Fields(name), " ")
}
