package main

import "fmt"

// A target is what a ratio of medians is to reach.
type target struct {
	figure, ours, theirs string
	bound                float64
	atMost               bool
}

func targets() []target {
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
		all = append(all,
			target{outsideMiB, ours, pm2, 0.2, true},
			target{first, ours, nodeAlone, 1.3, true})
	}
	return all
}

// reached returns whether a ratio is as good as the target asks.
func (t target) reached(ratio float64) bool {
	if t.atMost {
		return ratio <= t.bound
	}
	return ratio >= t.bound
}

// verdict says whether the ratio of the medians reaches the target, and where
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

func (f figures) printTargets() {
	fmt.Println("\n| target | wanted | seen (min..max of rounds) | |\n|---|---:|---:|---|")
	for _, t := range targets() {
		sign := ">="
		if t.atMost {
			sign = "<="
		}
		r := f.ratio(t.figure, t.ours, t.theirs)
		fmt.Printf("| %s, %s / %s | %s %.1f | %s | %s |\n", t.figure, t.ours, t.theirs, sign, t.bound, r, t.verdict(r))
	}
}
