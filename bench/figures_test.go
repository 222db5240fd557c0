package main

import "testing"

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
