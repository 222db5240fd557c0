package admin

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// An exposition is metrics in the text format of Prometheus, 0.0.4, or in OpenMetrics
// 1.0.0. Families are written one after the other, each by family and a sample or more: one
// without samples leaves nothing.
type exposition struct {
	dst  []byte
	open bool // OpenMetrics

	name, kind, help string // of the family
	headed           bool   // its HELP and TYPE are written
}

// Kinds of families. The name of a counter ends in _total.
const (
	gauge   = "gauge"
	counter = "counter"
)

// family begins a family. Help is plain text: no backslash, quote or line break.
func (e *exposition) family(name, kind, help string) {
	e.name, e.kind, e.help, e.headed = name, kind, help, false
}

// head writes what stands before the samples of a family. In OpenMetrics a counter's family
// has the name without _total.
func (e *exposition) head() {
	name := e.name
	if e.open && e.kind == counter {
		name = strings.TrimSuffix(name, "_total")
	}
	e.text("# HELP ", name, " ", e.help, "\n# TYPE ", name, " ", e.kind, "\n")
	e.headed = true
}

func (e *exposition) text(parts ...string) {
	for _, part := range parts {
		e.dst = append(e.dst, part...)
	}
}

// sample writes a sample with labels: a name, its value, and so on.
func (e *exposition) sample(value float64, labels ...string) {
	if !e.headed {
		e.head()
	}
	e.text(e.name)
	for i := 0; i+1 < len(labels); i += 2 {
		separator := ","
		if i == 0 {
			separator = "{"
		}
		e.text(separator, labels[i], `="`)
		e.escaped(labels[i+1])
		e.text(`"`)
	}
	if len(labels) > 0 {
		e.text("}")
	}
	e.text(" ")
	e.dst = appendValue(e.dst, value)
	e.text("\n")
}

// appendValue appends a number. Whole ones have no exponent as long as they are exact.
func appendValue(dst []byte, value float64) []byte {
	if n := int64(value); float64(n) == value && n < 1<<53 && n > -1<<53 {
		return strconv.AppendInt(dst, n, 10)
	}
	return strconv.AppendFloat(dst, value, 'g', -1, 64)
}

// escaped writes the value of a label. Bytes that are not UTF-8, which Prometheus takes in
// no value, are written as \xHH.
func (e *exposition) escaped(value string) {
	for _, r := range value {
		size := utf8.RuneLen(r)
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(value, "\uFFFD"):
			size = 1
			e.text(`\\x`, string(hexDigits[value[0]>>4]), string(hexDigits[value[0]&15]))
		case r == '\\':
			e.text(`\\`)
		case r == '"':
			e.text(`\"`)
		case r == '\n':
			e.text(`\n`)
		default:
			e.text(value[:size])
		}
		value = value[size:]
	}
}

const hexDigits = "0123456789abcdef"

// flag returns 1 for true, and else 0.
func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
