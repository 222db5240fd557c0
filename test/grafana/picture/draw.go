package main

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/nodeinit/nodeinit/test/grafana"
)

// Sizes in pixels. A column and a row are those of Grafana's grid, which has 24 columns.
const (
	column, row = 50, 28
	gap         = 4
	headHeight  = 44
)

const (
	pageColor  = "#111217"
	panelColor = "#181b1f"
	gridColor  = "#2c3235"
	textColor  = "#ccccdc"
	smallColor = "#8e8ea0"
)

// palette is Grafana's "classic" one.
var palette = []string{"#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#b877d9", "#8ab8ff", "#e0b400", "#c0d8ff", "#fade2a", "#96d98d"}

// limitColor is that of series which an override makes a dashed line.
const limitColor = "#f2495c"

// A canvas is an SVG that is being written.
type canvas struct{ strings.Builder }

func (c *canvas) text(class string, x, y float64, text string) {
	fmt.Fprintf(c, `<text class="%s" x="%.0f" y="%.0f">%s</text>`+"\n", class, x, y, html.EscapeString(text))
}

func (c *canvas) box(x, y, width, height float64, color string) {
	fmt.Fprintf(c, `<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="3" fill="%s"/>`+"\n", x, y, width, height, color)
}

// draw returns the whole picture.
func draw(title string, plots []plot, w window) string {
	bottom := 0
	for _, p := range plots {
		bottom = max(bottom, p.GridPos.Y+p.GridPos.H)
	}
	width, height := 24*column, headHeight+bottom*row+gap
	var c canvas
	fmt.Fprintf(&c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&c, "<title>%s: a dashboard</title>\n", html.EscapeString(title))
	fmt.Fprintf(&c, "<style>text { font: 13px sans-serif; fill: %s; } .title { font-size: 14px; font-weight: bold; } "+
		".small { font-size: 11px; fill: %s; } .end { font-size: 11px; fill: %s; text-anchor: end; } .mid { font-size: 11px; fill: %s; text-anchor: middle; } "+
		".big { font-size: 26px; text-anchor: middle; } path { fill: none; stroke-width: 1.2; }</style>\n", textColor, smallColor, smallColor, smallColor)
	c.box(0, 0, float64(width), float64(height), pageColor)
	c.text("title", 12, 27, title)
	c.text("end", float64(width)-12, 27, fmt.Sprintf("%s minutes of real data, drawn by a script", strings.TrimPrefix(clock(w.to.Sub(w.from)), "-")))
	for i := range plots {
		plots[i].draw(&c, w)
	}
	c.WriteString("</svg>\n")
	return c.String()
}

// draw draws a panel.
func (p plot) draw(c *canvas, w window) {
	x, y := float64(p.GridPos.X*column+gap), float64(headHeight+p.GridPos.Y*row+gap)
	width, height := float64(p.GridPos.W*column-2*gap), float64(p.GridPos.H*row-gap)
	if p.Type == "row" {
		c.text("title", x+4, y+17, p.Title)
		return
	}
	c.box(x, y, width, height, panelColor)
	c.text("title", x+10, y+20, p.Title)
	switch p.Type {
	case "stat":
		p.drawFigures(c, x, y, width, height)
	case "timeseries":
		p.drawGraph(c, area{x + 62, y + 34, width - 76, height - 34 - 36}, w)
		p.drawLegend(c, x+10, y+height-9, width-20)
	default:
		c.text("small", x+10, y+40, "a panel of type "+p.Type)
	}
}

// drawFigures draws the last value of each series, side by side.
func (p plot) drawFigures(c *canvas, x, y, width, height float64) {
	if len(p.lines) == 0 {
		c.text("mid", x+width/2, y+height/2+10, "no data")
		return
	}
	each := width / float64(len(p.lines))
	for i, l := range p.lines {
		middle := x + (float64(i)+0.5)*each
		c.text("big", middle, y+height/2+18, format(l.points[len(l.points)-1].Value, p.FieldConfig.Defaults.Unit))
		c.text("mid", middle, y+height-10, l.name)
	}
}

// charWidth is how wide a character of a legend is, about.
const charWidth = 6.1

// drawLegend draws as many names as there is room for, and those of series that are 0
// all the time last.
func (p plot) drawLegend(c *canvas, x, y, width float64) {
	at := x
	for n, i := range p.legend() {
		l := p.lines[i]
		needs := 18 + charWidth*float64(len(l.name))
		if at+needs > x+width {
			c.text("small", at, y, fmt.Sprintf("+%d", len(p.lines)-n))
			return
		}
		color, _ := p.look(i)
		c.box(at, y-5, 10, 3, color)
		c.text("small", at+14, y, l.name)
		at += needs + 8
	}
}

// legend returns the order of the names.
func (p plot) legend() (order []int) {
	var zero []int
	for i, l := range p.lines {
		if slices.ContainsFunc(l.points, func(p grafana.Point) bool { return p.Value != 0 }) {
			order = append(order, i)
		} else {
			zero = append(zero, i)
		}
	}
	return append(order, zero...)
}
