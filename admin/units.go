package admin

import (
	"math"
	"strconv"
)

// none stands in a table for a value that is not known.
const none = "-"

// humanSize returns a number of bytes in four columns, with the units of du and top:
// K is 1024.
func humanSize(n int64) string { return scaled(n, 1024, "BKMGTPE") }

// humanCount returns a number in four columns: k is 1000.
func humanCount(n int64) string {
	if n < 10000 {
		return strconv.FormatInt(n, 10)
	}
	return scaled(n, 1000, " kMGTPE")
}

// scaled returns n in the largest of units, base apart, in which it is 1 or more, with
// a decimal below 10.
func scaled(n int64, base float64, units string) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + units[:1]
	}
	value, unit := float64(n), 0
	for value >= 999.5 && unit < len(units)-1 {
		value, unit = value/base, unit+1
	}
	return rounded(value) + units[unit:unit+1]
}

// rounded returns a value with one decimal if it is less than 10 and not 0.
func rounded(value float64) string {
	decimals := 0
	if value >= 0.05 && value < 9.95 {
		decimals = 1
	}
	return strconv.FormatFloat(value, 'f', decimals, 64)
}

// humanShare returns a ratio in percent, in five columns.
func humanShare(ratio float64) string {
	percent := 100 * ratio
	if percent < 9999.5 {
		return rounded(percent) + "%"
	}
	return humanCount(whole(percent)) + "%"
}

// humanDelay returns a short time in five columns.
func humanDelay(seconds float64) string {
	switch ms := 1000 * seconds; {
	case ms < 999.5:
		return rounded(ms) + "ms"
	case seconds < 999.5:
		return rounded(seconds) + "s"
	default:
		return humanTime(seconds)
	}
}

// humanTime returns a time in five columns, by its two largest units where there is
// room: 59s, 9m59s, 59m, 9h59m, 23h, 9d23h, 999d, 12y.
func humanTime(seconds float64) string {
	const minute, hour, day, year = 60, 60 * 60, 24 * 60 * 60, 31556952 // the mean year
	s := whole(seconds)
	switch {
	case s < minute:
		return strconv.FormatInt(s, 10) + "s"
	case s < hour:
		return twoUnits(s, minute, "m", 1, "s")
	case s < day:
		return twoUnits(s, hour, "h", minute, "m")
	case s < 1000*day:
		return twoUnits(s, day, "d", hour, "h")
	default:
		return humanCount(s/year) + "y"
	}
}

// twoUnits returns s in a unit, and below 10 of them the rest in a smaller one.
func twoUnits(s, large int64, name string, small int64, smallName string) string {
	text := strconv.FormatInt(s/large, 10) + name
	if rest := s % large / small; s < 10*large && rest > 0 {
		text += strconv.FormatInt(rest, 10) + smallName
	}
	return text
}

// whole returns the whole part of a number, from 0 to the largest int64.
func whole(f float64) int64 {
	switch {
	case !(f > 0): // NaN too
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	default:
		return int64(f)
	}
}
