// Command picture prints a dashboard of Grafana as an SVG, with the data of a
// Prometheus. It is no Grafana: it draws graphs and figures as plainly as it can.
//
//	picture [flags] DASHBOARD URL
package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"github.com/nodeinit/nodeinit/test/grafana"
)

func main() {
	timeRange := flag.Duration("range", 5*time.Minute, "how far the graphs go back")
	scrape := flag.Duration("scrape", time.Second, "the interval between two scrapes")
	flag.Parse()
	text, err := run(flag.Args(), *timeRange, *scrape)
	if err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
	fmt.Print(text)
}

// points is how many values a graph has from left to right.
const points = 100

func run(args []string, timeRange, scrape time.Duration) (string, error) {
	if len(args) != 2 {
		return "", errors.New("give a dashboard and the URL of a Prometheus")
	}
	dashboard, err := grafana.Load(args[0])
	if err != nil {
		return "", err
	}
	to := time.Now().Truncate(time.Second)
	w := window{from: to.Add(-timeRange), to: to, step: max(scrape, timeRange/points).Truncate(time.Second)}
	// As Grafana has it: https://grafana.com/docs/grafana/latest/datasources/prometheus/template-variables/
	w.rateInterval = max(w.step+scrape, 4*scrape)
	var drawn []plot
	for _, panel := range dashboard.Panels {
		p, err := w.load(dashboard, panel, grafana.Prometheus(args[1]))
		if err != nil {
			return "", fmt.Errorf("%s: %w", panel.Title, err)
		}
		drawn = append(drawn, p)
	}
	return draw(dashboard.Title, drawn, w), nil
}

// A window is the time that all graphs show.
type window struct {
	from, to           time.Time
	step, rateInterval time.Duration
}

// A plot is a panel with its data.
type plot struct {
	grafana.Panel
	lines []line
}

// A line is a series with a name.
type line struct {
	name   string
	points []grafana.Point
}

// load gets the data of a panel.
func (w window) load(d grafana.Dashboard, panel grafana.Panel, from grafana.Prometheus) (plot, error) {
	p := plot{Panel: panel}
	for _, target := range panel.Targets {
		expr, err := d.Expand(target.Expr, w.rateInterval, w.to.Sub(w.from))
		if err != nil {
			return p, err
		}
		var all []grafana.Series
		if target.Instant {
			all, err = from.Query(expr)
		} else {
			all, err = from.QueryRange(expr, w.from, w.to, w.step)
		}
		if err != nil {
			return p, err
		}
		for _, series := range all {
			series.Points = slices.DeleteFunc(series.Points, func(p grafana.Point) bool { return math.IsNaN(p.Value) })
			if len(series.Points) > 0 {
				p.lines = append(p.lines, line{target.Legend(series.Metric), series.Points})
			}
		}
	}
	return p, nil
}
