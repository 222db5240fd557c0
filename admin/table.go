package admin

import (
	"strconv"
	"strings"
)

// The columns of the table of workers.
var (
	titles = [...]string{"SLOT", "PID", "STATE", "UPTIME", "CPU", "RSS", "HEAP", "LOOP", "P99", "CONN", "REQS", "RESTARTS"}
	// ranks says which stay where there is no room for all: those with the lowest.
	ranks = [...]byte{0, 1, 0, 6, 3, 4, 9, 5, 10, 8, 7, 2}
)

const (
	stateColumn    = 2 // which is aligned to the left
	restartsColumn = len(titles) - 1

	// maxCell is how many columns of a cell are shown. No state that there is has more.
	maxCell = 9
)

// A row is the cells of a worker, or the titles.
type row [len(titles)]string

// cells returns the row of w, without how the worker before it ended.
func (w *Worker) cells() row {
	r := row{
		strconv.Itoa(w.Slot), none, printable(w.State), none,
		floatCell(w.CPU, humanShare), intCell(w.Resident, humanSize), intCell(w.HeapUsed, humanSize),
		floatCell(w.Utilization, humanShare), floatCell(w.DelayP99, humanDelay),
		intCell(w.Connections, humanCount), intCell(w.Requests, humanCount), humanCount(int64(w.Restarts)),
	}
	if w.PID != 0 { // else the slot waits for its next worker
		r[1], r[3] = strconv.Itoa(w.PID), humanTime(w.Uptime)
	}
	if w.HeapLimit != nil {
		r[6] += "/" + humanSize(*w.HeapLimit)
	}
	for i := range r {
		r[i] = r[i][:prefix(r[i], maxCell)]
	}
	return r
}

func intCell(value *int64, text func(int64) string) string {
	if value == nil {
		return none
	}
	return text(*value)
}

func floatCell(value *float64, text func(float64) string) string {
	if value == nil {
		return none
	}
	return text(*value)
}

// Table returns the table of the workers, in their order in d: its title, a row for
// each, and lines that stand below it. No line has more than width columns, if that is
// at least 20: columns are left out where there is no room. At 80 and more all are
// there.
func (d *Document) Table(width int) (title string, rows, notes []string) {
	table := make([]row, 1, 1+len(d.Workers))
	table[0] = titles
	for i := range d.Workers {
		table = append(table, d.Workers[i].cells())
	}
	widths := columnWidths(table, width)
	digits := 1
	for _, r := range table[1:] {
		digits = max(digits, len(r[restartsColumn]))
	}
	room := width - digits - len(": ")
	for _, w := range widths[:restartsColumn] {
		if w > 0 {
			room -= w + 1
		}
	}
	exits, notes := exitCells(d.Workers, room, width)
	widths[restartsColumn] = min(digits, widths[restartsColumn])
	for i := range table {
		line := table[i].line(&widths)
		if i > 0 && exits[i-1] != "" {
			line += ": " + exits[i-1]
		}
		rows = append(rows, line)
	}
	return rows[0], rows[1:], append(notes, healthNotes(d.Workers, width)...)
}

// healthNotes returns a line for each worker that fails its health checks.
func healthNotes(workers []Worker, width int) (lines []string) {
	label := "unhealthy"
	for i := range workers {
		if w := &workers[i]; w.HealthFailures > 0 {
			text := "slot " + strconv.Itoa(w.Slot) + ", " + counted(int64(w.HealthFailures), "failure") + ": " + printable(w.HealthError)
			lines, label = appendWrapped(lines, label, text, width), ""
		}
	}
	return lines
}

// columnWidths returns the widths of the columns, 0 for one that is left out.
func columnWidths(table []row, width int) (widths [len(titles)]int) {
	for i := range table {
		for c, cell := range table[i] {
			widths[c] = max(widths[c], displayWidth(cell))
		}
	}
	for {
		total, last := -1, 0
		for c, w := range widths {
			if w > 0 {
				total += w + 1
				if ranks[c] > ranks[last] {
					last = c
				}
			}
		}
		if total <= width || ranks[last] == 0 {
			return widths
		}
		widths[last] = 0
	}
}

// line returns the row with its cells aligned.
func (r *row) line(widths *[len(titles)]int) string {
	line := ""
	for c, cell := range r {
		if widths[c] == 0 {
			continue
		}
		if c > 0 {
			line += " "
		}
		padding := strings.Repeat(" ", max(widths[c]-displayWidth(cell), 0))
		if c == stateColumn {
			line += cell + padding
		} else {
			line += padding + cell
		}
	}
	return line
}

// exitCells returns for each worker how the one before it ended. Where that does not fit
// in so many columns, it is the cause alone, and where that does not either, it is in
// notes of width columns.
func exitCells(workers []Worker, room, width int) (cells, notes []string) {
	long, short := 0, 0
	cells = make([]string, len(workers))
	for i := range workers {
		cells[i] = printable(workers[i].LastExit)
		long, short = max(long, displayWidth(cells[i])), max(short, displayWidth(cause(cells[i])))
	}
	if long <= max(room, 0) {
		return cells, nil
	}
	if short > room {
		notes = exitNotes(cells, workers, width)
	}
	for i, exit := range cells {
		if cells[i] = cause(exit); short > room {
			cells[i] = ""
		}
	}
	return cells, notes
}

// exitNotes returns the slots for each of exits.
func exitNotes(exits []string, workers []Worker, width int) (lines []string) {
	label := "last exit"
	for i, exit := range exits {
		text := exit + ": slot"
		for j := range exits {
			if exits[j] != exit {
				continue
			}
			if text += " " + strconv.Itoa(workers[j].Slot); j < i {
				text = "" // it is there already
				break
			}
		}
		if exit != "" && text != "" {
			lines, label = appendWrapped(lines, label, text, width), ""
		}
	}
	return lines
}

// cause returns what is in parentheses at the end of text, which says all:
// "SIGKILL (oom_kill)" is "oom_kill".
func cause(text string) string {
	if i := strings.LastIndexByte(text, '('); i >= 0 && strings.HasSuffix(text, ")") {
		return text[i+1 : len(text)-1]
	}
	return text
}
