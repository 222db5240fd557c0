package main

import (
	"fmt"
	"slices"
	"strings"
)

// A column shows a figure of each contender, with base as its ratio to that one.
// of is appended to the contender's name.
type column struct{ head, figure, base, of string }

// loadColumns are what is shown of a load. Seconds per million requests are as
// many microseconds per request; with perConn each is a connection passed on.
func loadColumns(name string) []column {
	return []column{
		{head: "requests/s", figure: name + rate},
		{head: "/ " + clusterRR, figure: name + rate, base: clusterRR},
		{head: "p99 (ms)", figure: name + p99},
		{head: "/ " + clusterRR, figure: name + p99, base: clusterRR},
		{head: "CPU outside workers (s per million = µs each)", figure: name + outsideCPU},
		{head: "/ " + clusterRR, figure: name + outsideCPU, base: clusterRR},
		{head: "CPU in workers", figure: name + workersCPU},
	}
}

func memoryColumns() []column {
	return []column{
		{head: "Pss outside workers (MiB)", figure: outsideMiB},
		{head: "/ " + pm2, figure: outsideMiB, base: pm2},
		{head: "Pss of all (MiB)", figure: allMiB},
		{head: "/ " + clusterRR, figure: allMiB, base: clusterRR},
	}
}

func firstColumns() []column {
	return []column{
		{head: "start to first answer (ms)", figure: first},
		{head: "/ " + nodeAlone, figure: first, base: nodeAlone},
		{head: "/ " + clusterRR, figure: first, base: clusterRR},
		{head: "minor faults until then", figure: firstFault},
	}
}

// print prints a table with a row for each contender that has such figures.
func (f figures) print(title string, all []contender, columns []column) {
	if len(f[columns[0].figure]) == 0 {
		return // left out by -measure
	}
	fmt.Printf("\n| %s |", title)
	for _, c := range columns {
		fmt.Printf(" %s |", c.head)
	}
	fmt.Printf("\n|---|%s\n", strings.Repeat("---:|", len(columns)))
	for _, s := range all {
		if len(f[columns[0].figure][s.name]) == 0 {
			continue
		}
		fmt.Printf("| %s |", s.name)
		for _, c := range columns {
			if c.base == "" {
				fmt.Printf(" %s |", f.stat(c.figure, s.name+c.of))
			} else {
				fmt.Printf(" %s |", f.ratio(c.figure, s.name+c.of, c.base))
			}
		}
		fmt.Println()
	}
}

// printBeside prints a table in which the earlier nodeinit, if it was measured, has
// columns of its own and no rows.
func (f figures) printBeside(title string, all []contender, columns []column) {
	all = slices.DeleteFunc(slices.Clone(all), func(c contender) bool { return strings.HasSuffix(c.name, before) })
	if f.hasBefore() {
		var earlier, now []column
		for _, c := range columns {
			earlier = append(earlier, column{"before: " + c.head, c.figure, c.base, before})
			now = append(now, column{"now: " + c.head, c.figure, c.base, ""})
		}
		columns = append(earlier, now...)
	}
	f.print(title, all, columns)
}

// hasBefore returns whether the earlier nodeinit was measured.
func (f figures) hasBefore() bool {
	for _, values := range f {
		for name := range values {
			if strings.HasSuffix(name, before) {
				return true
			}
		}
	}
	return false
}

// printSpread prints the extremes of all rounds: a median would hide them.
func (f figures) printSpread(all []contender) {
	if len(f[oneByOne+fewest]) == 0 {
		return
	}
	fmt.Printf("\n| 64 open connections on 8 workers: min..max of a worker in all rounds | %s | %s |\n|---|---:|---:|\n", oneByOne, atOnce)
	for _, c := range all {
		if len(f[oneByOne+fewest][c.name]) == 0 {
			continue
		}
		fmt.Printf("| %s |", c.name)
		for _, way := range []string{oneByOne, atOnce} {
			fmt.Printf(" %.0f..%.0f |", f.stat(way+fewest, c.name).min, f.stat(way+greatest, c.name).max)
		}
		fmt.Println()
	}
}

// printErrors names what wrk could not connect, read or write, or had no 200.
func (f figures) printErrors(all []contender) {
	runs, none := 0, true
	for _, load := range []string{perConn, keepAlive, blocked} {
		for _, c := range all {
			s := f.stat(load+failed, c.name)
			runs += s.rounds
			if s.max > 0 {
				none = false
				fmt.Printf("\nErrors: %s, %s: median %.0f, at most %.0f of a round.\n", c.name, load, s.median, s.max)
			}
		}
	}
	if none && runs > 0 {
		fmt.Println("\nErrors: none in any run.")
	}
}

// printQuiet tells how much of the CPUs other processes used during the loads:
// figures of a machine that was not quiet are worth little.
func (f figures) printQuiet(all []contender) {
	var runs []float64
	for _, load := range []string{perConn, keepAlive, blocked} {
		for _, c := range all {
			runs = append(runs, f[load+elsewhere][c.name]...)
		}
	}
	if len(runs) == 0 {
		return
	}
	s := summary(runs)
	fmt.Printf("\nCPU that neither wrk nor the contender used: median %.1f %% of the machine, at most %.1f %%, in %d runs.\n",
		s.median, s.max, s.rounds)
}

// String is the median and the spread; nothing where there are no values or,
// as the CPU time of no process, nothing but zeros.
func (s stat) String() string {
	if s.rounds == 0 || s.max == 0 || s.median != s.median { // NaN: zero by zero
		return ""
	}
	return fmt.Sprintf("%s (%s..%s)", digits(s.median), digits(s.min), digits(s.max))
}

// digits shows three digits, and no rounding of what has more before the point.
func digits(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}
