package main

import (
	"fmt"
	"strings"
)

// A target is what a ratio of medians is to reach, or without theirs a median.
type target struct {
	figure, ours, theirs string
	bound                float64
	atMost               bool
}

// initTargets are those of nodeinit's own start and of what it costs Node's.
func initTargets(versions []string) []target {
	all := []target{
		{whole, ourTrue, tiniTrue, 2.3, true},
		{wholeFaults, ourTrue, "", 400, true},
	}
	for _, version := range versions {
		node := nodeName(version)
		all = append(all,
			target{whole, node + forkBare, node, 1.08, true},
			target{whole, node + forkMode, node, 1.1, true})
	}
	all = append(all,
		target{first, serverFork, serverAlone, 1.12, true},
		target{first, serverOneFirst, serverAlone, 1.15, true},
		target{latency, ourInit, tiniInit, 1.2, true},
		target{binary, ourInit, "", 4.5, true},
		target{resident, ourInit, "", 5.5, true},
		target{resident, serverTwo, "", 6, true},
		target{anonymous, serverTwo, "", 3, true})
	for _, ours := range []string{ourInit, serverFork, serverTwo} {
		all = append(all, target{threads, ours, "", 8, true})
	}
	return all
}

// clusterTargets are those of per-core mode.
func clusterTargets() []target {
	all := []target{
		{perConn + rate, ourRR, clusterRR, 1.1, false},
		{perConn + rate, ourShared, clusterNone, 1, false},
		{perConn + rate, ourPort, clusterNone, 1, false},
		{perConn + rate, ourShared, clusterRR, 1.8, false},
		{perConn + rate, ourPort, clusterRR, 1.8, false},
		{perConn + outsideCPU, ourRR, clusterRR, 0.5, true},
	}
	// Each is held against the one of Node's that balances as it does.
	like := []struct{ ours, theirs string }{{ourRR, clusterRR}, {ourShared, clusterNone}, {ourPort, clusterNone}}
	for _, figure := range []string{keepAlive + rate, perConn + p99, keepAlive + p99} {
		for _, l := range like {
			all = append(all, target{figure, l.ours, l.theirs, 1, figure != keepAlive+rate})
		}
	}
	for _, ours := range []string{ourRR, ourShared, ourPort, ourHash} {
		start := 1.3
		if ours == ourRR {
			start = 1.15
		}
		all = append(all,
			target{outsideMiB, ours, pm2, 0.2, true},
			target{first, ours, nodeAlone, start, true})
	}
	return all
}

// of returns what is held against the target.
func (t target) of(f figures, ours string) stat {
	if t.theirs == "" {
		return f.stat(t.figure, ours)
	}
	return f.ratio(t.figure, ours, t.theirs)
}

// reached returns whether a value is as good as the target asks.
func (t target) reached(value float64) bool {
	if t.atMost {
		return value <= t.bound
	}
	return value >= t.bound
}

// verdict says whether what was seen reaches the target, and where
// it does not, whether some round does: then a quieter machine may decide.
func (t target) verdict(r stat) string {
	switch {
	case r.rounds == 0:
		return "not measured"
	case t.reached(r.median):
		return "met"
	case t.reached(r.min) || t.reached(r.max):
		return "missed (within the spread)"
	default:
		return "**missed**"
	}
}

// printTargets prints a row for each target, with the earlier nodeinit beside the
// present one if it was measured.
func (f figures) printTargets(all []target) {
	seen := []string{""}
	fmt.Print("\n| target | wanted |")
	if f.hasBefore() {
		seen = []string{before, ""}
		fmt.Print(" before |")
	}
	fmt.Printf(" seen (min..max of rounds) | |\n|---|%s---|\n", strings.Repeat("---:|", 1+len(seen)))
	for _, t := range all {
		fmt.Printf("| %s, %s", t.figure, t.ours)
		if t.theirs != "" {
			fmt.Printf(" / %s", t.theirs)
		}
		sign := ">="
		if t.atMost {
			sign = "<="
		}
		fmt.Printf(" | %s %g |", sign, t.bound)
		for _, suffix := range seen {
			fmt.Printf(" %s |", t.of(f, t.ours+suffix))
		}
		fmt.Printf(" %s |\n", t.verdict(t.of(f, t.ours)))
	}
}
