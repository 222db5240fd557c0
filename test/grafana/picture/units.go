package main

import (
	"math"
	"strconv"
)

// A scale is a part of a unit's range: from a value on, it is divided and has a suffix.
type scale struct {
	from, divisor float64
	suffix        string
}

// scales of Grafana's units, the largest first.
var scales = map[string][]scale{
	"bytes":       {{1 << 30, 1 << 30, " GiB"}, {1 << 20, 1 << 20, " MiB"}, {1 << 10, 1 << 10, " KiB"}, {0, 1, " B"}},
	"s":           {{7200, 3600, " h"}, {120, 60, " min"}, {1, 1, " s"}, {0, 1e-3, " ms"}},
	"percentunit": {{0, 0.01, "%"}},
	"reqps":       {{1e3, 1e3, "k req/s"}, {0, 1, " req/s"}},
	"cps":         {{1e3, 1e3, "k/s"}, {0, 1, "/s"}},
	"":            {{1e3, 1e3, "k"}, {0, 1, ""}},
}

// format returns a value with its unit, in three digits or so.
func format(value float64, unit string) string {
	list, ok := scales[unit]
	if !ok {
		list = scales[""]
	}
	s := list[len(list)-1]
	for _, candidate := range list {
		if value >= candidate.from && value != 0 {
			s = candidate
			break
		}
	}
	value /= s.divisor
	digits := 0
	if math.Abs(value) < 10 {
		digits = 1
	}
	if math.Abs(value) < 1 {
		digits = 2
	}
	text := strconv.FormatFloat(value, 'f', digits, 64)
	if short, err := strconv.ParseFloat(text, 64); err == nil { // without zeros at the end
		text = strconv.FormatFloat(short, 'f', -1, 64)
	}
	return text + s.suffix
}

// axis returns the end of an axis from 0 that has room for a value, and the distance of
// its marks, of which there are two to four.
func axis(value float64, unit string) (end, step float64) {
	if value <= 0 {
		return 1, 0.5
	}
	base, factors := 10.0, []float64{1, 2, 5}
	if unit == "bytes" {
		base, factors = 2, []float64{1}
	}
	for power := math.Floor(math.Log(value)/math.Log(base)) - 2; ; power++ {
		for _, factor := range factors {
			if step = factor * math.Pow(base, power); value/step <= 4 {
				return math.Ceil(value/step) * step, step
			}
		}
	}
}
