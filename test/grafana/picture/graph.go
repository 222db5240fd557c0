package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nodeinit/nodeinit/test/grafana"
)

// An area is where the values of a graph are drawn.
type area struct{ x, y, width, height float64 }

// look returns the color of a series, and whether it is one of those that an override
// makes a dashed line, such as a limit.
func (p plot) look(i int) (color string, dashed bool) {
	n := 0 // of the others before it
	for j := 0; j <= i; j++ {
		if dashed = p.isDashed(p.lines[j].name); !dashed && j < i {
			n++
		}
	}
	if dashed {
		return limitColor, true
	}
	return palette[n%len(palette)], false
}

func (p plot) isDashed(name string) bool {
	for _, o := range p.FieldConfig.Overrides {
		if o.Matcher.ID == "byRegexp" && regexp.MustCompile(strings.Trim(o.Matcher.Options, "/")).MatchString(name) {
			return true
		}
	}
	return false
}

// drawGraph draws the axes, and each series.
func (p plot) drawGraph(c *canvas, a area, w window) {
	stacks := p.FieldConfig.Defaults.Custom.Stacking.Mode == "normal"
	lines := make([][]grafana.Point, len(p.lines))
	sums := make(map[time.Time]float64)
	highest := 0.0
	for i, l := range p.lines {
		_, dashed := p.look(i)
		for _, point := range l.points {
			if stacks && !dashed {
				sums[point.At] += point.Value
				point.Value = sums[point.At]
			}
			highest = max(highest, point.Value)
			lines[i] = append(lines[i], point)
		}
	}
	end, step := axis(highest, p.FieldConfig.Defaults.Unit)
	p.drawAxes(c, a, end, step, w)
	// The last one first: in a stack it is behind the others.
	for i := len(lines) - 1; i >= 0; i-- {
		color, dashed := p.look(i)
		switch {
		case p.FieldConfig.Defaults.Custom.DrawStyle == "bars":
			drawBars(c, a, lines[i], end, w, color)
		case dashed:
			drawLine(c, a, lines[i], end, w, color, ` stroke-dasharray="6 4"`)
		default:
			drawLine(c, a, lines[i], end, w, color, "")
		}
	}
}

func (p plot) drawAxes(c *canvas, a area, end, step float64, w window) {
	for value := 0.0; value <= end*1.001; value += step {
		y := a.y + a.height*(1-value/end)
		fmt.Fprintf(c, `<path stroke="%s" d="M%.0f %.1fh%.0f"/>`+"\n", gridColor, a.x, y, a.width)
		c.text("end", a.x-6, y+4, format(value, p.FieldConfig.Defaults.Unit))
	}
	for _, share := range []float64{0, 0.5, 1} {
		at := time.Duration(share * float64(w.to.Sub(w.from)))
		c.text("mid", a.x+share*a.width, a.y+a.height+14, clock(w.to.Sub(w.from)-at))
	}
	if len(p.lines) == 0 {
		c.text("mid", a.x+a.width/2, a.y+a.height/2, "no data")
	}
}

// clock returns how long ago something was.
func clock(ago time.Duration) string {
	if ago == 0 {
		return "now"
	}
	return fmt.Sprintf("-%d:%02d", int(ago.Minutes()), int(ago.Seconds())%60)
}

// place returns where a point is in an area.
func (a area) place(p grafana.Point, end float64, w window) (x, y float64) {
	return a.x + a.width*float64(p.At.Sub(w.from))/float64(w.to.Sub(w.from)), a.y + a.height*(1-min(p.Value/end, 1))
}

// drawLine draws a line, with a gap where a value is missing.
func drawLine(c *canvas, a area, points []grafana.Point, end float64, w window, color, dashes string) {
	var path strings.Builder
	for i, point := range points {
		x, y := a.place(point, end, w)
		verb := "L"
		if i == 0 || point.At.Sub(points[i-1].At) > w.step {
			verb = "M"
		}
		fmt.Fprintf(&path, "%s%.0f %.1f", verb, x, y)
	}
	if path.Len() > 0 {
		fmt.Fprintf(c, `<path stroke="%s"%s d="%s"/>`+"\n", color, dashes, path.String())
	}
}

// drawBars draws a bar for each value that is not 0.
func drawBars(c *canvas, a area, points []grafana.Point, end float64, w window, color string) {
	width := max(2, a.width*float64(w.step)/float64(w.to.Sub(w.from))-1)
	for _, point := range points {
		if point.Value <= 0 {
			continue
		}
		x, y := a.place(point, end, w)
		fmt.Fprintf(c, `<rect x="%.0f" y="%.1f" width="%.0f" height="%.1f" fill="%s"/>`+"\n", x-width/2, y, width, a.y+a.height-y, color)
	}
}
