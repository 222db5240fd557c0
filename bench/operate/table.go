package operate

import (
	"fmt"
	"strings"
	"time"
)

// A row is what came of a cell.
type row struct {
	cell
	tally
	events int
	last   time.Time // when the last event was over
	notes  []string
	err    error // why there is no figure, or not each event
}

// bad returns whether a client would have noticed.
func (r row) bad() bool { return r.err != nil || r.failed() > 0 }

// Rows are the rows so far.
type rows []row

func (rows) printHead() {
	fmt.Println("\n| contender | app | Node | event | load | done | requests | failed | connect/read/write/timeout | no 2xx | notes |")
	fmt.Println("|---|---|---|---|---|---:|---:|---:|---:|---:|---|")
}

// add prints a row at once: a run takes long.
func (all *rows) add(r row) {
	*all = append(*all, r)
	notes := r.notes
	if r.err != nil {
		first, _, _ := strings.Cut(r.err.Error(), "\n")
		notes = append(notes, "**"+strings.ReplaceAll(first, "|", `\|`)+"**")
	}
	fmt.Printf("| %s | %s | %s | %s | %s | %d |%s %s |\n", r.name(), r.app, r.node, r.event, r.load, r.events,
		r.tally.columns(), strings.Join(notes, "; "))
}

func (t tally) columns() string {
	return fmt.Sprintf(" %d | %d | %d/%d/%d/%d | %d |", t.Requests, t.failed(), t.Connect, t.Read, t.Write, t.Timeout, t.Status)
}

func (t tally) plus(u tally) tally {
	return tally{
		t.Requests + u.Requests,
		t.Connect + u.Connect, t.Read + u.Read, t.Write + u.Write, t.Timeout + u.Timeout, t.Status + u.Status,
		t.Resent + u.Resent, t.Connections + u.Connections,
	}
}

// printSums prints a last line for each contender.
func (all rows) printSums() {
	for _, contender := range []string{byPM2, byCluster, byNodeinit} {
		var sum tally
		n, events, bad := 0, 0, 0
		for _, r := range all {
			if r.contender != contender {
				continue
			}
			n++
			events += r.events
			sum = sum.plus(r.tally)
			if r.bad() {
				bad++
			}
		}
		if n > 0 {
			fmt.Printf("| **%s, %d rows** | | | | | %d |%s %d rows with failures |\n", contender, n, events, sum.columns(), bad)
		}
	}
}

// dropped returns whether nodeinit has failed in a row.
func (all rows) dropped() bool {
	for _, r := range all {
		if r.contender == byNodeinit && r.bad() {
			return true
		}
	}
	return false
}
