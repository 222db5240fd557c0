package admin

import (
	"strconv"
	"strings"
)

// A column is one of the table of workers.
type column struct {
	title string
	left  bool // aligned
	// rank says which columns stay where there is no room for all: those with the
	// lowest ranks.
	rank int
	cell func(*Worker) string
}

// columns are those before the last one, which is for restarts.
func columns() []column {
	return []column{
		{"SLOT", false, 0, func(w *Worker) string { return strconv.Itoa(w.Slot) }},
		{"PID", false, 1, func(w *Worker) string { return ifRuns(w, strconv.Itoa(w.PID)) }},
		{"STATE", true, 0, func(w *Worker) string { return printable(w.State) }},
		{"UPTIME", false, 5, func(w *Worker) string { return ifRuns(w, humanTime(w.Uptime)) }},
		{"CPU", false, 2, func(w *Worker) string { return ifKnown(w.CPU, humanShare) }},
		{"RSS", false, 3, func(w *Worker) string { return ifKnown(w.Resident, humanSize) }},
		{"HEAP", false, 7, heapCell},
		{"LOOP", false, 4, func(w *Worker) string { return ifKnown(w.Utilization, humanShare) }},
		{"P99", false, 8, func(w *Worker) string { return ifKnown(w.DelayP99, humanDelay) }},
		{"CONN", false, 6, func(w *Worker) string { return ifKnown(w.Connections, humanCount) }},
		{"REQS", false, 6, func(w *Worker) string { return ifKnown(w.Requests, humanCount) }},
	}
}

func ifRuns(w *Worker, text string) string {
	if w.PID == 0 {
		return none
	}
	return text
}

func ifKnown[T any](value *T, text func(T) string) string {
	if value == nil {
		return none
	}
	return text(*value)
}

func heapCell(w *Worker) string {
	used := ifKnown(w.HeapUsed, humanSize)
	if w.HeapLimit == nil {
		return used
	}
	return used + "/" + humanSize(*w.HeapLimit)
}

// maxCell is how many columns of a cell are shown. No state that there is has more.
const maxCell = 9

// Table returns the table of the workers, in their order in d: its title, a row for
// each, and lines that stand below it. No line has more than width columns, if that is
// at least 20: columns are left out where there is no room. At 80 and more all are
// there.
func (d *Document) Table(width int) (title string, rows, notes []string) {
	lines := make([][]byte, 1+len(d.Workers))
	used := 0
	for _, c := range fitting(d.Workers, width-len(restartsTitle)-1) {
		for i, cell := range c.cells {
			if used > 0 {
				lines[i] = append(lines[i], ' ')
			}
			lines[i] = c.append(lines[i], cell)
		}
		used += c.width + 1
	}
	restarts, notes := restartCells(d.Workers, width-used, width)
	for i, line := range lines {
		line = append(append(line, ' '), restarts[i]...)
		rows = append(rows, strings.TrimRight(string(line), " "))
	}
	return rows[0], rows[1:], notes
}

// A filledColumn is a column with its cells, of which the first is the title.
type filledColumn struct {
	column
	cells []string
	width int
}

// fitting returns the columns that have room in a width.
func fitting(workers []Worker, width int) (list []filledColumn) {
	total := -1
	for _, c := range columns() {
		f := filledColumn{c, make([]string, 0, 1+len(workers)), len(c.title)}
		f.cells = append(f.cells, c.title)
		for i := range workers {
			cell := c.cell(&workers[i])
			cell = cell[:prefix(cell, maxCell)]
			f.cells, f.width = append(f.cells, cell), max(f.width, displayWidth(cell))
		}
		list, total = append(list, f), total+f.width+1
	}
	for total > width && len(list) > 1 {
		last := 0
		for i, c := range list {
			if c.rank >= list[last].rank {
				last = i
			}
		}
		total -= list[last].width + 1
		list = append(list[:last], list[last+1:]...)
	}
	return list
}

func (c *filledColumn) append(dst []byte, cell string) []byte {
	padding := strings.Repeat(" ", c.width-displayWidth(cell))
	if c.left {
		return append(append(dst, cell...), padding...)
	}
	return append(append(dst, padding...), cell...)
}

func displayWidth(text string) (columns int) {
	for _, r := range text {
		columns += runeWidth(r)
	}
	return columns
}
