package main

import "testing"

func TestFormat(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		value float64
		unit  string
		want  string
	}{
		{0, "short", "0"}, {2, "short", "2"}, {0.25, "none", "0.25"}, {12345, "short", "12k"},
		{0.5, "percentunit", "50%"}, {0, "percentunit", "0%"},
		{512 << 20, "bytes", "512 MiB"}, {7.5 * (1 << 20), "bytes", "7.5 MiB"}, {0, "bytes", "0 B"},
		{0.035, "s", "35 ms"}, {1.5, "s", "1.5 s"}, {300, "s", "5 min"},
		{431, "reqps", "431 req/s"}, {20000, "reqps", "20k req/s"},
	} {
		if got := format(test.value, test.unit); got != test.want {
			t.Errorf("%v %s: %q, want %q", test.value, test.unit, got, test.want)
		}
	}
}

func TestAxis(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		value     float64
		unit      string
		end, step float64
	}{
		{0, "short", 1, 0.5}, {1, "short", 1, 0.5}, {2, "short", 2, 0.5}, {3, "short", 3, 1}, {7, "short", 8, 2}, {431, "reqps", 600, 200},
		{0.034, "s", 0.04, 0.01}, {500, "bytes", 512, 128}, {60 << 20, "bytes", 64 << 20, 16 << 20},
	} {
		end, step := axis(test.value, test.unit)
		if diff := end - test.end; diff > 1e-9 || diff < -1e-9 || step < test.step-1e-9 || step > test.step+1e-9 {
			t.Errorf("%v %s: up to %v by %v, want %v by %v", test.value, test.unit, end, step, test.end, test.step)
		}
	}
}
