package admin

import (
	"strconv"
	"strings"
)

const restartsTitle = "RESTARTS"

// restartCells returns the last column of the table: how many workers the slot has had
// before, and how the last of them ended. Where that has no room in so many columns,
// it is shortened to the cause, and where that has none either, it is in notes of
// width columns instead.
func restartCells(workers []Worker, columns, width int) (cells, notes []string) {
	digits, long, short := 1, 0, 0
	for _, w := range workers {
		digits = max(digits, len(restarts(&w)))
		long = max(long, displayWidth(printable(w.LastExit)))
		short = max(short, displayWidth(cause(w.LastExit)))
	}
	room := columns - digits - len(": ")
	text := func(exit string) string { return "" }
	switch {
	case long <= room:
		text = printable
	case short <= room:
		text = cause
	default:
		notes = exitNotes(workers, width)
	}
	cells = append(cells, restartsTitle)
	for _, w := range workers {
		number := restarts(&w)
		cell := strings.Repeat(" ", digits-len(number)) + number
		if exit := text(w.LastExit); exit != "" {
			cell += ": " + exit
		}
		cells = append(cells, cell)
	}
	return cells, notes
}

func restarts(w *Worker) string { return humanCount(int64(w.Restarts)) }

// cause returns what is in parentheses at the end of text, which says all:
// "SIGKILL (oom_kill)" is "oom_kill".
func cause(text string) string {
	text = printable(text)
	if i := strings.LastIndexByte(text, '('); i >= 0 && strings.HasSuffix(text, ")") {
		return text[i+1 : len(text)-1]
	}
	return text
}

// exitNotes returns a line for each end of a last worker, with its slots.
func exitNotes(workers []Worker, width int) (lines []string) {
	label := "last exit"
	for i, w := range workers {
		exit := w.LastExit
		if exit == "" || exitIndex(workers, exit) < i {
			continue
		}
		lines = appendWrapped(lines, label, printable(exit)+": "+slotList(workers, exit), width)
		label = ""
	}
	return lines
}

// exitIndex returns the first worker with that end of the one before it.
func exitIndex(workers []Worker, exit string) int {
	for i, w := range workers {
		if w.LastExit == exit {
			return i
		}
	}
	return len(workers)
}

// slotList returns the slots whose last worker had that end: "slots 0-3, 7".
func slotList(workers []Worker, exit string) string {
	var list []byte
	slots := 0
	for i := 0; i < len(workers); i++ {
		if workers[i].LastExit != exit {
			continue
		}
		first := i
		for i+1 < len(workers) && workers[i+1].LastExit == exit && follows(workers[i+1].Slot, workers[i].Slot) {
			i++
		}
		if slots > 0 {
			list = append(list, ", "...)
		}
		list = strconv.AppendInt(list, int64(workers[first].Slot), 10)
		if last := workers[i].Slot; last > workers[first].Slot {
			list, slots = strconv.AppendInt(append(list, '-'), int64(last), 10), slots+1
		}
		slots++
	}
	if slots == 1 {
		return "slot " + string(list)
	}
	return "slots " + string(list)
}

// follows reports whether a slot is the same as the one before it or the next: a slot
// may have two workers.
func follows(slot, before int) bool { return slot == before || slot == before+1 }
