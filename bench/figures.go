package main

import (
	"fmt"
	"os"
	"slices"
)

// Figures are what was measured: by its name, by contender, a value per round.
type figures map[string]map[string][]float64

func (f figures) add(name, contender string, value float64) {
	if f[name] == nil {
		f[name] = make(map[string][]float64)
	}
	f[name][contender] = append(f[name][contender], value)
}

// A stat is the median of several values and their range.
type stat struct {
	median, min, max float64
	rounds           int
}

func summary(values []float64) stat {
	if len(values) == 0 {
		return stat{}
	}
	sorted := slices.Sorted(slices.Values(values))
	return stat{middle(sorted), sorted[0], sorted[len(sorted)-1], len(sorted)}
}

// middle returns the median of sorted values.
func middle(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func (f figures) stat(name, contender string) stat { return summary(f[name][contender]) }

// ratio compares two contenders: the ratio of their medians, and the smallest and
// the greatest of the ratios within a round.
func (f figures) ratio(name, contender, base string) stat {
	ours, theirs := f[name][contender], f[name][base]
	if len(ours) == 0 || len(ours) != len(theirs) {
		return stat{}
	}
	paired := make([]float64, len(ours))
	for i := range ours {
		paired[i] = ours[i] / theirs[i]
	}
	r := summary(paired)
	r.median = summary(ours).median / summary(theirs).median
	return r
}

// A trial measures a contender once.
type trial struct {
	name   string
	rounds int
	run    func(c contender, f figures) error

	// turns is how often a contender is measured in a round, of which the median
	// counts; 0 is once. With turns each is run once before them all, so that what
	// it reads is in the page cache.
	turns int
}

// play runs each contender once per turn, in an order that turns, so that what
// the machine does besides falls on all alike.
func (t trial) play(all []contender, f figures) error {
	if t.turns > 0 {
		if err := t.once(all, 0, make(figures)); err != nil {
			return err
		}
	}
	for round := range t.rounds {
		fmt.Fprintf(os.Stderr, "bench: %s: round %d of %d\n", t.name, round+1, t.rounds)
		seen := make(figures)
		for turn := range max(1, t.turns) {
			if err := t.once(all, round+turn, seen); err != nil {
				return err
			}
		}
		f.addMedians(seen)
	}
	return nil
}

// once runs each contender once, from the given one on.
func (t trial) once(all []contender, from int, f figures) error {
	for i := range all {
		c := all[(i+from)%len(all)]
		if err := t.run(c, f); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// addMedians adds the median of each contender's values.
func (f figures) addMedians(seen figures) {
	for name, values := range seen {
		for contender := range values {
			f.add(name, contender, seen.stat(name, contender).median)
		}
	}
}
