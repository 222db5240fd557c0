package main

import (
	"fmt"
	"html"
	"strings"

	"github.com/hinshun/vt10x"
)

// Sizes in pixels. The font is whatever monospaced one there is; textLength makes each
// run as wide as its columns.
const (
	fontSize   = 14
	cellWidth  = 8.4
	cellHeight = 18
	margin     = 14
	barHeight  = 32
)

// bold is an attribute of a glyph, which the emulator does not export.
const bold = 1 << 2

// colors are the first 8 of the terminal on a dark background.
var colors = []string{"#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4"}

const (
	foreground = "#e6edf3"
	background = "#0d1117"
)

// draw draws a terminal with a bar above it.
func draw(screen vt10x.Terminal, title string) string {
	columns, rows := screen.Size()
	width := int(float64(columns)*cellWidth+0.5) + 2*margin
	height := rows*cellHeight + 2*margin + barHeight
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(title))
	fmt.Fprintf(&b, "<style>text { font: %dpx ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; }</style>\n", fontSize)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" fill="%s"/>`+"\n", width, height, background)
	fmt.Fprintf(&b, `<path d="M0 %d V8 a8 8 0 0 1 8 -8 H%d a8 8 0 0 1 8 8 V%d z" fill="#21262d"/>`+"\n", barHeight, width-8, barHeight)
	fmt.Fprintf(&b, `<text x="%d" y="21" text-anchor="middle" fill="%s">%s</text>`+"\n", width/2, foreground, html.EscapeString(title))
	for row := range rows {
		drawRow(&b, screen, row, columns)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// drawRow draws runs of glyphs that look alike. Block characters are rectangles: fonts
// draw them with gaps, and some have none.
func drawRow(b *strings.Builder, screen vt10x.Terminal, row, columns int) {
	for column := 0; column < columns; {
		first := screen.Cell(column, row)
		end := column
		var text strings.Builder
		for end < columns && alike(first, screen.Cell(end, row)) {
			text.WriteRune(screen.Cell(end, row).Char)
			end++
		}
		drawRun(b, first, text.String(), column, row)
		column = end
	}
}

func alike(a, b vt10x.Glyph) bool {
	return a.Mode&bold == b.Mode&bold && a.FG == b.FG && (level(a.Char) > 0) == (level(b.Char) > 0)
}

// level returns how many eighths of a cell a block character fills, 0 if it is none.
func level(char rune) int {
	if char < '▁' || char > '█' {
		return 0
	}
	return int(char-'▁') + 1
}

func drawRun(b *strings.Builder, glyph vt10x.Glyph, text string, column, row int) {
	x, top := margin+float64(column)*cellWidth, barHeight+margin+row*cellHeight
	color := foreground
	if int(glyph.FG) < len(colors) {
		color = colors[glyph.FG]
	}
	switch trimmed := strings.TrimRight(text, " "); {
	case level(glyph.Char) > 0:
		fmt.Fprintf(b, `<path fill="%s" d="`, color)
		for i, char := range []rune(text) {
			height := float64(level(char)) / 8 * (cellHeight - 2)
			fmt.Fprintf(b, "M%.1f %.1fh%.1fv%.1fh-%.1fz", x+float64(i)*cellWidth, float64(top+cellHeight-1)-height, cellWidth-1, height, cellWidth-1)
		}
		b.WriteString("\"/>\n")
	case trimmed != "":
		weight := ""
		if glyph.Mode&bold != 0 {
			weight = ` font-weight="bold"`
		}
		text = text[:len(trimmed)]
		fmt.Fprintf(b, `<text x="%.1f" y="%d" textLength="%.1f" fill="%s"%s>%s</text>`+"\n",
			x, top+14, float64(len([]rune(text)))*cellWidth, color, weight, html.EscapeString(text))
	}
}
