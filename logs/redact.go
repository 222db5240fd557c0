package logs

import (
	"bytes"
	"io"
	"regexp"
	"slices"
)

// redacted is what stands for what was redacted.
const redacted = "[redacted]"

// Redact returns line with what the expressions match replaced. It changes no byte of
// line itself. In a JSON object each value is looked at for itself, so that it stays one
// unless a match spans several.
func Redact(line []byte, all []*regexp.Regexp) []byte {
	if !matches(line, all) {
		return line
	}
	if validObject(line) {
		if object := redactValues(line, all); !matches(object, all) && validObject(object) {
			return object
		}
	}
	return redactText(line, all)
}

func matches(text []byte, all []*regexp.Regexp) bool {
	return slices.ContainsFunc(all, func(re *regexp.Regexp) bool { return re.Match(text) })
}

func redactText(text []byte, all []*regexp.Regexp) []byte {
	for _, re := range all {
		if re.Match(text) {
			text = re.ReplaceAllLiteral(text, []byte(redacted))
		}
	}
	return text
}

// redactValues redacts the strings of an object, and replaces its numbers that match.
func redactValues(object []byte, all []*regexp.Regexp) (out []byte) {
	copied := 0
	replace := func(start, end int, with []byte) {
		out = append(append(out, object[copied:start]...), with...)
		copied = end
	}
	for i := 0; i < len(object); {
		switch tokens[0][object[i]] {
		case quote:
			start, end := i+1, skipString(object, i+1)
			if at(object, skipSpace(object, end+1)) != ':' { // no key
				replace(start, end, redactText(object[start:end], all))
			}
			i = end + 1
		case digit:
			end := skipNumber(object, i)
			if number := object[i:end]; matches(number, all) {
				replace(i, end, []byte(`"`+redacted+`"`))
			}
			i = end
		default:
			i++
		}
	}
	return append(out, object[copied:]...)
}

// A redactor redacts nodeinit's own lines.
type redactor struct {
	out    io.Writer
	all    []*regexp.Regexp
	format Format
	fields *Fields
}

// Write writes a line. A JSON object that is none any more when it is redacted becomes
// the message of another.
func (r redactor) Write(line []byte) (int, error) {
	text := Redact(bytes.TrimSuffix(line, []byte("\n")), r.all)
	if r.format == JSON && !validObject(text) {
		New(r.out, JSON, LevelInfo, r.fields).Info(string(text)).Send()
		return len(line), nil
	}
	_, err := r.out.Write(append(text[:len(text):len(text)], '\n'))
	return len(line), err
}
