package admin

import (
	"bytes"
	"strconv"
	"strings"
)

// An appSample is a line of metrics in the text format of Prometheus 0.0.4 or in OpenMetrics
// 1.0, which is almost the same
// (https://prometheus.io/docs/instrumenting/exposition_formats,
// https://prometheus.io/docs/specs/om/open_metrics_spec). Its parts are as they stand
// there.
type appSample struct {
	name     []byte
	labels   []byte // between the braces
	value    []byte
	time     []byte // nil: none
	exemplar []byte // from its brace on; nil: none
}

// parseSample parses a line, with open of OpenMetrics. Spaces are where the text format has
// them, which is more places than OpenMetrics has.
func parseSample(line []byte, open bool) (s appSample, ok bool) {
	s.name, line = cutName(line, true)
	rest := trimSpaces(line)
	if len(s.name) == 0 || len(rest) == 0 {
		return s, false
	}
	if rest[0] == '{' {
		if s.labels, rest, ok = cutLabels(rest); !ok {
			return s, false
		}
	} else if len(rest) == len(line) {
		return s, false // no space after the name
	}
	if i := bytes.IndexByte(rest, '#'); i >= 0 {
		if s.exemplar = trimSpaces(rest[i+1:]); !isExemplar(s.exemplar) {
			return s, false
		}
		rest = rest[:i]
	}
	s.value, rest = cutField(rest)
	s.time, rest = cutField(rest)
	return s, isNumber(s.value) && (s.time == nil || isTime(s.time, open)) && len(rest) == 0
}

// isExemplar reports whether text has labels, a value and perhaps a time.
func isExemplar(text []byte) bool {
	_, rest, ok := cutLabels(text)
	value, rest := cutField(rest)
	time, rest := cutField(rest)
	return ok && isNumber(value) && (time == nil || isTime(time, true)) && len(rest) == 0
}

// cutName cuts the name of a metric, or without colons that of a label, off the beginning.
func cutName(text []byte, colons bool) (name, rest []byte) {
	n := 0
	for n < len(text) {
		c := text[n]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == ':' && colons
		if !letter && !(n > 0 && c >= '0' && c <= '9') {
			break
		}
		n++
	}
	return text[:n], text[n:]
}

// maxLabels is how many labels a sample may have.
const maxLabels = 64

// cutLabels cuts labels off the beginning of text, and returns what is between the braces.
// No two have the same name, and none has that of the metric: Prometheus refuses all that
// comes with such a sample.
func cutLabels(text []byte) (labels, rest []byte, ok bool) {
	if len(text) == 0 || text[0] != '{' {
		return nil, nil, false
	}
	inner := text[1:]
	var names [maxLabels][]byte
	rest = inner
	for n := 0; ; n++ {
		rest = trimSpaces(rest)
		if len(rest) > 0 && rest[0] == '}' {
			return trimSpaces(inner[:len(inner)-len(rest)]), rest[1:], true
		}
		var name []byte
		if name, _, rest, ok = cutLabel(rest); !ok || n == maxLabels || string(name) == "__name__" {
			return nil, nil, false
		}
		for _, other := range names[:n] {
			if string(other) == string(name) {
				return nil, nil, false
			}
		}
		names[n] = name
	}
}

// cutLabel cuts a label, and the comma after it, off the beginning of text. The value has
// its quotes.
func cutLabel(text []byte) (name, value, rest []byte, ok bool) {
	name, rest = cutName(trimSpaces(text), false)
	if rest = trimSpaces(rest); len(name) == 0 || len(rest) == 0 || rest[0] != '=' {
		return nil, nil, nil, false
	}
	if value = trimSpaces(rest[1:]); len(value) == 0 || value[0] != '"' {
		return nil, nil, nil, false
	}
	end := 1
	for end < len(value) && value[end] != '"' {
		if value[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(value) {
		return nil, nil, nil, false
	}
	value, rest = value[:end+1], trimSpaces(value[end+1:])
	if len(rest) > 0 && rest[0] == ',' {
		return name, value, rest[1:], true
	}
	return name, value, rest, len(rest) == 0 || rest[0] == '}'
}

// cutField cuts a word off the beginning; nil: there is none.
func cutField(text []byte) (field, rest []byte) {
	text = trimSpaces(text)
	end := 0
	for end < len(text) && !isSpace(text[end]) {
		end++
	}
	if end == 0 {
		return nil, nil
	}
	return text[:end], trimSpaces(text[end:])
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// trimSpaces returns text without spaces, and the end of its line, around it.
func trimSpaces(text []byte) []byte {
	for len(text) > 0 && isSpace(text[0]) {
		text = text[1:]
	}
	for len(text) > 0 && isSpace(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return text
}

// isNumber reports whether text is a number as Prometheus takes it: decimal, Inf or NaN.
func isNumber(text []byte) bool {
	const maxNumber = 64
	if len(text) > maxNumber {
		return false
	}
	for _, c := range text {
		if c == '_' || c|0x20 == 'x' {
			return false
		}
	}
	_, err := strconv.ParseFloat(string(text), 64)
	return err == nil
}

// isTime reports whether text is a time: whole milliseconds in the text format, and seconds
// in OpenMetrics. It is not so large that one does not become the other.
func isTime(text []byte, open bool) bool {
	const maxSeconds = 1e15
	if !open {
		ms, err := strconv.ParseInt(string(text), 10, 64)
		return err == nil && text[0] != '+' && ms < 1000*maxSeconds && ms > -1000*maxSeconds
	}
	seconds, _ := strconv.ParseFloat(string(text), 64)
	return isNumber(text) && seconds < maxSeconds && seconds > -maxSeconds
}

// appendTo appends the line of a sample with the labels that it has to have. The value of
// the label worker is that; a label of this name that the application has is renamed. A
// time in seconds becomes one in milliseconds, and exemplars are left out, where
// OpenMetrics is written as text.
func (s *appSample) appendTo(dst []byte, worker string, converted, exemplars bool) []byte {
	dst = append(append(dst, s.name...), `{worker="`...)
	dst = append(append(dst, worker...), '"')
	dst = appendLabels(dst, s.labels)
	dst = append(append(dst, "} "...), s.value...)
	switch {
	case s.time == nil:
	case converted:
		seconds, _ := strconv.ParseFloat(string(s.time), 64)
		dst = strconv.AppendInt(append(dst, ' '), int64(seconds*1000), 10)
	default:
		dst = append(append(dst, ' '), s.time...)
	}
	if s.exemplar != nil && exemplars && mayHaveExemplar(string(s.name)) {
		dst = appendExemplar(dst, s.exemplar)
	}
	return append(dst, '\n')
}

// mayHaveExemplar reports whether a sample with that name may have one: Prometheus refuses
// all that comes with one at another.
func mayHaveExemplar(name string) bool {
	return strings.HasSuffix(name, "_total") || strings.HasSuffix(name, "_bucket")
}

// appendExemplar appends an exemplar with spaces where OpenMetrics has them.
func appendExemplar(dst, text []byte) []byte {
	labels, rest, _ := cutLabels(text)
	dst = append(dst, " # {"...)
	for comma := ""; len(labels) > 0; comma = "," {
		name, value, more, ok := cutLabel(labels)
		if !ok {
			break // parseSample has seen to it
		}
		dst = append(append(append(dst, comma...), name...), '=')
		dst = appendEscaped(dst, value, true)
		labels = trimSpaces(more)
	}
	dst = append(dst, '}')
	for len(rest) > 0 {
		var field []byte
		field, rest = cutField(rest)
		dst = append(append(dst, ' '), field...)
	}
	return dst
}

// appendEscaped appends text in which a backslash stands before another, an n or, if quotes
// may be escaped, a quote. One that does not becomes two, which Prometheus reads as the
// same: other readers refuse it, and all that comes with it.
func appendEscaped(dst, text []byte, quotes bool) []byte {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '\\' {
			dst = append(dst, c)
			continue
		}
		next := byte(0)
		if i+1 < len(text) {
			next = text[i+1]
		}
		switch {
		case next == '\\', next == 'n', next == '"' && quotes:
			dst = append(dst, c, next)
			i++
		case next != '"':
			dst = append(dst, c, c)
		}
	}
	return dst
}

// appendLabels appends labels, each after a comma. A label worker gets exported_ before
// its name, as Prometheus does it, until no other has that.
func appendLabels(dst, labels []byte) []byte {
	prefix := ""
	for hasLabel(labels, prefix+"worker") {
		prefix += "exported_"
	}
	for len(labels) > 0 {
		name, value, rest, ok := cutLabel(labels)
		if !ok {
			break // parseSample has seen to it
		}
		dst = append(dst, ',')
		if string(name) == "worker" {
			dst = append(dst, prefix...)
		}
		dst = appendEscaped(append(append(dst, name...), '='), value, true)
		labels = trimSpaces(rest)
	}
	return dst
}

func hasLabel(labels []byte, wanted string) bool {
	for len(labels) > 0 {
		name, _, rest, ok := cutLabel(labels)
		if string(name) == wanted {
			return true
		}
		if labels = trimSpaces(rest); !ok {
			break
		}
	}
	return false
}
