package admin

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An exposition is metrics in the text format of Prometheus, 0.0.4, or in OpenMetrics
// 1.0.0. Families are written one after the other, each by begin and a sample or more: one
// without samples leaves nothing.
type exposition struct {
	dst    []byte
	open   bool // OpenMetrics
	family family
	begun  bool // its HELP and TYPE are written
}

// A family is one of metrics. The name has nodeinit_ before it where it is written; that of
// a counter ends in _total, and all others are gauges. Help is plain text, without
// backslashes, quotes and line breaks.
type family struct{ name, help string }

// namePrefix is that of all families of nodeinit.
const namePrefix = "nodeinit_"

func (e *exposition) begin(f family) { e.family, e.begun = f, false }

// head writes what stands before the samples of a family. In OpenMetrics that of a counter
// has the name without _total.
func (e *exposition) head() {
	name, kind := namePrefix+e.family.name, " gauge\n"
	if strings.HasSuffix(name, "_total") {
		kind = " counter\n"
		if e.open {
			name = strings.TrimSuffix(name, "_total")
		}
	}
	e.text("# HELP " + name + " " + e.family.help + "\n# TYPE " + name + kind)
	e.begun = true
}

func (e *exposition) text(text string) { e.dst = append(e.dst, text...) }

// sample writes a sample with labels: a name, its value, and so on. [unknown] is none.
func (e *exposition) sample(value float64, labels ...string) {
	if math.IsNaN(value) {
		return
	}
	if !e.begun {
		e.head()
	}
	e.text(namePrefix)
	e.text(e.family.name)
	before, after := "{", ""
	for i, text := range labels {
		if i%2 == 0 {
			e.text(before + text + `="`)
			before, after = ",", "}"
			continue
		}
		e.escaped(text)
		e.text(`"`)
	}
	e.text(after + " ")
	e.dst = appendValue(e.dst, value)
	e.text("\n")
}

// single writes families of one sample each.
func (e *exposition) single(families []family, values []float64) {
	for i, value := range values {
		e.begin(families[i])
		e.sample(value)
	}
}

// unknown is a value that is not known.
func unknown() float64 { return math.NaN() }

// ifKnown returns value, or that it is not known.
func ifKnown(value float64, known bool) float64 {
	if !known {
		return unknown()
	}
	return value
}

// flag returns 1 for true, and else 0.
func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// appendValue appends a number. Whole ones have no exponent as long as they are exact.
func appendValue(dst []byte, value float64) []byte {
	if n := int64(value); float64(n) == value && n < 1<<53 && n > -1<<53 {
		return strconv.AppendInt(dst, n, 10)
	}
	return strconv.AppendFloat(dst, value, 'g', -1, 64)
}

// escaped writes the value of a label. Prometheus takes UTF-8 only, which the path of a
// socket need not be: then it has a question mark for each byte that is not ASCII.
func (e *exposition) escaped(value string) {
	valid := utf8.ValidString(value)
	for i := range len(value) {
		c := value[i]
		switch {
		case c == '\n':
			e.text(`\n`)
			continue
		case c == '\\', c == '"':
			e.text(`\`)
		case c >= utf8.RuneSelf && !valid:
			c = '?'
		}
		e.dst = append(e.dst, c)
	}
}
