package main

import (
	"errors"
	"slices"
	"testing"
)

func TestRatioPairsRounds(t *testing.T) {
	t.Parallel()
	f := figures{"x": {"ours": {2, 9, 4}, "theirs": {1, 3, 4}, "short": {1}}}
	want := stat{median: 4. / 3, min: 1, max: 3, rounds: 3}
	if got := f.ratio("x", "ours", "theirs"); got != want {
		t.Errorf("ratio is %+v, want %+v", got, want)
	}
	if got := f.ratio("x", "ours", "short"); got != (stat{}) {
		t.Errorf("ratio of series of different length is %+v, want nothing", got)
	}
}

func TestPlayTakesMedianOfTurns(t *testing.T) {
	t.Parallel()
	var order []string
	runs := trial{name: "x", rounds: 2, turns: 3, run: func(c contender, f figures) error {
		order = append(order, c.name)
		f.add("nth", c.name, float64(len(order)))
		return nil
	}}
	f := make(figures)
	if err := runs.play([]contender{fixed("a"), fixed("b")}, f); err != nil {
		t.Fatal(err)
	}
	// Once before them all; then each turn begins with the next contender.
	want := []string{"a", "b", "a", "b", "b", "a", "a", "b", "b", "a", "a", "b", "b", "a"}
	if !slices.Equal(order, want) {
		t.Errorf("order is %q, want %q", order, want)
	}
	if got, want := f["nth"]["a"], []float64{6, 11}; !slices.Equal(got, want) {
		t.Errorf("medians of a's turns are %v, want %v", got, want)
	}
}

func TestPlayDropsRoundThatFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	runs := trial{name: "x", rounds: 2, run: func(c contender, f figures) error {
		if c.name == "b" {
			return broken
		}
		f.add("x", c.name, 1)
		return nil
	}}
	f := make(figures)
	if err := runs.play([]contender{fixed("a"), fixed("b")}, f); !errors.Is(err, broken) {
		t.Errorf("error is %v, want %v", err, broken)
	}
	if len(f) != 0 {
		t.Errorf("figures of a round that failed were kept: %v", f)
	}
}

func TestTargetOf(t *testing.T) {
	t.Parallel()
	f := figures{"x": {"ours": {3}, "ours" + before: {6}, "theirs": {2}}}
	ratio, alone := target{figure: "x", ours: "ours", theirs: "theirs"}, target{figure: "x", ours: "ours"}
	for _, c := range []struct {
		target target
		ours   string
		want   float64
	}{
		{ratio, "ours", 1.5}, {ratio, "ours" + before, 3}, {alone, "ours", 3}, {alone, "ours" + before, 6},
	} {
		if got := c.target.of(f, c.ours).median; got != c.want {
			t.Errorf("%+v of %s is %v, want %v", c.target, c.ours, got, c.want)
		}
	}
}

// TestTargetsAreMeasured finds names that no contender has: their rows would say
// "not measured" for ever.
func TestTargetsAreMeasured(t *testing.T) {
	t.Parallel()
	o := options{programs: programs{earlier: "old", versions: []string{"20.20.2", "24.21.0"}}}
	measured := make(map[string]bool)
	for _, p := range o.initParts() {
		for _, c := range p.all {
			measured[c.name] = true
		}
	}
	for _, target := range initTargets(o.versions) {
		for _, name := range []string{target.ours, target.ours + before, target.theirs} {
			if name != "" && !measured[name] {
				t.Errorf("%q of %+v is not measured", name, target)
			}
		}
	}
	logs := logSuite{kinds: []string{"text", "pino"}, workers: []int{2}, logPrograms: logPrograms{programs: programs{pm2Runtime: "pm2"}}}
	for _, tool := range logs.logTools("text") {
		measured[tool.name] = true
	}
	for _, target := range logs.targets() {
		if !measured[target.ours] || !measured[target.theirs] {
			t.Errorf("%q or %q of %+v is not measured", target.ours, target.theirs, target)
		}
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	more, less := target{bound: 1}, target{bound: 1, atMost: true}
	for _, c := range []struct {
		target target
		ratio  stat
		want   string
	}{
		{more, stat{}, "not measured"},
		{more, stat{1, 0.5, 1.5, 3}, "met"},
		{more, stat{0.9, 0.5, 1.5, 3}, "missed (within the spread)"},
		{more, stat{0.9, 0.5, 0.95, 3}, "**missed**"},
		{less, stat{0.9, 0.5, 1.5, 3}, "met"},
		{less, stat{1.1, 0.5, 1.5, 3}, "missed (within the spread)"},
		{less, stat{1.1, 1.05, 1.5, 3}, "**missed**"},
	} {
		if got := c.target.verdict(c.ratio); got != c.want {
			t.Errorf("verdict of %+v on %+v is %q, want %q", c.target, c.ratio, got, c.want)
		}
	}
}
