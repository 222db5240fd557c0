// Package logs writes nodeinit's own log lines, one JSON object or one line of text for
// each event, and never blocks the caller.
//
// [Open] returns a [Logger] for an [Output]. A line begins with a method for its level
// and the message, a constant, and ends with Send:
//
//	log.Info("worker ready").Int("worker", 1).Send()
//
// The lines go through a [Writer], which drops and counts them where the output is
// stalled. Call [Logger.Flush] before the process exits. Pass strings from outside
// through [Truncate], so that a line stays below the size that a pipe writes in one
// piece.
package logs

import (
	"bytes"
	"io"
	"regexp"
	"time"
)

// A Logger starts log lines. Their keys are in a fixed order: time, level, logger, msg
// (or what the [Fields] call them), and then the facts.
type Logger struct {
	out    io.Writer
	min    Level
	fields *Fields
	writer *Writer // nil if the output is no descriptor
}

// A Format is the form of lines.
type Format int

// The formats: JSON, text, and text for a terminal, which has the local time of day as what
// [Tags] returns.
const (
	JSON Format = iota
	Text
	Terminal
)

// Open returns a Logger that writes lines of at least that level to out, through a
// [Writer]. JSON lines have the keys and levels of fields. What redact matches is replaced.
func Open(out *Output, format Format, level Level, fields *Fields, redact []*regexp.Regexp) *Logger {
	newLogger := func(out io.Writer) *Logger {
		if len(redact) > 0 {
			out = redactor{out: out, all: redact, format: format, fields: fields}
		}
		return New(out, format, level, fields)
	}
	writer := NewWriter(out)
	writer.OnDrop = func(n uint64) []byte {
		var line bytes.Buffer
		newLogger(&line).Warn("log lines dropped").Uint64("lines", n).Send()
		return line.Bytes()
	}
	l := newLogger(writer)
	l.writer = writer
	return l
}

// New returns a Logger that writes lines of at least that level to out, each by one
// Write. JSON lines have the keys and levels of fields; text is the same for all.
func New(out io.Writer, format Format, level Level, fields *Fields) *Logger {
	if format != JSON {
		out, fields = textWriter{out, format}, nil
	}
	return &Logger{out: out, min: level, fields: fields.orDefault()}
}

// Flush waits until the lines so far are written, but no longer than timeout if the
// output is stalled.
func (l *Logger) Flush(timeout time.Duration) {
	if l.writer != nil {
		l.writer.Flush(timeout)
	}
}

// CountDropped adds to the number of lines dropped, which is reported in a line of its own.
// It never blocks.
func (l *Logger) CountDropped(lines uint64) {
	if l.writer != nil {
		l.writer.CountDropped(lines)
	}
}

// Dropped returns how many lines were dropped so far, own ones and those of CountDropped.
func (l *Logger) Dropped() uint64 {
	if l.writer == nil {
		return 0
	}
	return l.writer.total.Load()
}

// Error starts a line about a failure.
func (l *Logger) Error(msg string) *Event { return l.start(LevelError, msg) }

// Warn starts a line about something that needs attention.
func (l *Logger) Warn(msg string) *Event { return l.start(LevelWarn, msg) }

// Info starts a line about a change of state.
func (l *Logger) Info(msg string) *Event { return l.start(LevelInfo, msg) }

// Debug starts a line about a single signal or process.
func (l *Logger) Debug(msg string) *Event { return l.start(LevelDebug, msg) }

// Trace starts a line about the reason of a change of state.
func (l *Logger) Trace(msg string) *Event { return l.start(LevelTrace, msg) }

func (l *Logger) start(level Level, msg string) *Event {
	if level < l.min {
		return nil // the methods of a nil Event do nothing
	}
	return l.fields.start(l.out, level, msg)
}

// Truncate returns s, or its beginning if it is so long that a line with five such
// strings could exceed 4096 bytes when they are escaped.
func Truncate(s string) string {
	const maxLength = 600
	length := 0
	for i := range len(s) {
		length++
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			length += 5 // as \u001b, at most
		}
		if length > maxLength {
			return s[:i] + ellipsis
		}
	}
	return s
}
