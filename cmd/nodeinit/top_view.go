package main

import (
	"strconv"
	"strings"

	"github.com/nodeinit/nodeinit/admin"
)

// A view is what top shows, without the terminal.
type view struct {
	document *admin.Document // the last one; its workers in order
	history  history
	order    int // index of orders
	help     bool
	question string // waits for y or n; "" is none
	notice   string // stands in place of the keys; "" is none
}

// orders are those of the workers.
var orders = [...]string{"slot", "CPU", "memory", "loop", "requests/s"}

const topKeysHelp = `nodeinit top

q, ^C  quit
r      reload: replace the workers, one by one; asks first
s      sort by slot, CPU, memory, loop, requests/s
^L     draw the screen anew
^Z     suspend
h      this help

LOOP: how busy the event loop is. At 100% requests wait.
P99: a timer in a hundred is later than that.
REQS: since the worker started. RESTARTS: workers that the slot had before.
In the graphs a sample is a second, and a gap one that is not known.

Any key goes back.`

// update takes a new document.
func (v *view) update(d *admin.Document) {
	v.document = d
	v.history.add(d)
	v.sort()
}

// sort sorts the workers. Those that are alike stay in the order of their slots.
func (v *view) sort() {
	workers := v.document.Workers
	for i := range workers {
		for j := i; j > 0; j-- {
			a, b := v.rank(&workers[j-1]), v.rank(&workers[j])
			if a > b || a == b && workers[j-1].Slot <= workers[j].Slot {
				break
			}
			workers[j-1], workers[j] = workers[j], workers[j-1]
		}
	}
}

// rank returns the number by which a worker is sorted, the largest first.
func (v *view) rank(w *admin.Worker) float64 {
	var value *float64
	switch v.order {
	case 1:
		value = w.CPU
	case 2:
		if w.Resident != nil {
			return float64(*w.Resident)
		}
	case 3:
		value = w.Utilization
	case 4:
		return v.history.find(w).rate.last()
	}
	if value == nil {
		return unknown
	}
	return *value
}

// draw draws all rows. The last one has the keys, or a question, or news.
func (v *view) draw(s *screen) {
	s.limit = s.rows - 1
	if v.help {
		for text := range strings.SplitSeq(topKeysHelp, "\n") {
			s.println(stylePlain, text)
		}
	} else {
		v.drawWorkers(s)
	}
	for s.row < s.limit {
		s.newline()
	}
	s.row, s.limit = s.limit, s.rows
	switch {
	case v.question != "":
		s.print(styleNews, v.question)
	case v.notice != "":
		s.print(styleNews, v.notice)
	default:
		s.print(styleKeys, "q quit  r reload  s sort: "+orders[v.order]+"  h help")
	}
	s.newline()
}

// fewWorkers is how many workers stay where there is no room for the rest. Graphs and
// the header have to make room for these.
const fewWorkers = 4

// drawWorkers draws the header, the table and the graphs, or what of them has room.
func (v *view) drawWorkers(s *screen) {
	d, workers := v.document, v.document.Workers
	header, all := d.Header(s.columns), len(workers)
	room := s.rows - 1 - len(header) - 2 // for what comes after the title of the table
	shown, graphs := all, 2*all+2 <= room && v.hasGraphs(s)
	if !graphs && v.hasGraphs(s) && 2*fewWorkers+3 <= room && all > fewWorkers {
		shown, graphs = (room-3)/2, true
	}
	if !graphs && all > room {
		shown = max(room-1, min(all, fewWorkers))
		header = header[:max(0, min(len(header), len(header)+room-1-shown))]
	}
	d.Workers = d.Workers[:shown]
	for _, text := range header {
		s.println(stylePlain, text)
	}
	if len(header) > 0 {
		s.newline()
	}
	title, rows, notes := d.Table(s.columns)
	d.Workers = workers
	s.println(styleTitle, title)
	for i, text := range rows {
		style := styleNotReady
		if d.Workers[i].State == "ready" {
			style = stylePlain
		}
		s.println(style, text)
	}
	if shown < all {
		s.println(styleKeys, strconv.Itoa(all-shown)+" more, for which there is no room")
	}
	for _, text := range notes {
		s.println(stylePlain, text)
	}
	if graphs {
		s.newline()
		v.drawGraphs(s, workers[:shown])
	}
}

// The widths of what is in a row of graphs besides these, and of a graph at least.
const (
	slotWidth  = len("SLOT  ")
	loopWidth  = len(" 100%   ")
	ratesWidth = len(" 1234567")
	minGraph   = 8
)

func graphWidth(columns int) int { return (columns - slotWidth - loopWidth - ratesWidth) / 2 }

func (v *view) hasGraphs(s *screen) bool { return graphWidth(s.columns) >= minGraph }

// drawGraphs draws a row for each worker. The requests are on one scale for all.
func (v *view) drawGraphs(s *screen, workers []admin.Worker) {
	width, top := min(graphWidth(s.columns), maxSamples), 0.0
	for _, t := range v.history.tracks {
		for _, rate := range t.rate.tail(width) {
			top = max(top, rate)
		}
	}
	s.print(styleTitle, padded("SLOT", slotWidth))
	s.print(styleTitle, padded("EVENT LOOP", width+loopWidth))
	s.println(styleTitle, "REQUESTS/S max"+rounded(top, ""))
	for i := range workers {
		t := v.history.find(&workers[i])
		slot := strconv.Itoa(t.slot)
		s.print(stylePlain, padded("", len("SLOT")-len(slot)))
		s.print(stylePlain, padded(slot, len(slot)+slotWidth-len("SLOT")))
		s.print(styleLoop, sparkline(t.loop, width, 1, s.utf8))
		s.print(stylePlain, padded(rounded(100*t.loop.last(), "%"), loopWidth))
		s.print(styleRequests, sparkline(t.rate, width, top, s.utf8))
		s.println(stylePlain, rounded(t.rate.last(), ""))
	}
}

// padded returns text with blanks after it up to a width.
func padded(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-len(text)))
}

// rounded returns a sample with a unit, after a blank.
func rounded(sample float64, unit string) string {
	if !(sample >= 0) {
		return " -"
	}
	return " " + strconv.FormatInt(int64(sample+0.5), 10) + unit
}
