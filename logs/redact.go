package logs

import (
	"bytes"
	"io"
	"regexp"

	"github.com/rs/zerolog"
)

// redacted is what stands for what was redacted.
const redacted = "[redacted]"

// redact returns line with what the expressions match replaced. It changes no byte of
// line itself.
func redact(line []byte, all []*regexp.Regexp) []byte {
	for _, re := range all {
		if re.Match(line) {
			line = re.ReplaceAllLiteral(line, []byte(redacted))
		}
	}
	return line
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
	text := redact(bytes.TrimSuffix(line, []byte("\n")), r.all)
	if r.format == JSON && !validObject(text) {
		New(r.out, JSON, zerolog.InfoLevel, r.fields).Info(string(text)).Send()
		return len(line), nil
	}
	_, err := r.out.Write(append(text[:len(text):len(text)], '\n'))
	return len(line), err
}
