// Package logs writes nodeinit's own lines, one JSON object or one line of text
// for each thing that happens, without ever holding up the caller.
package logs

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"
)

// A Logger starts log lines. Its keys come in a fixed order, time, level,
// logger, msg and then the facts, which zerolog's own Msg would not give: it
// puts the message last. So the message opens a line and Send ends it:
//
//	log.Info("worker ready").Int("worker", 1).Send()
type Logger struct {
	out    zerolog.Logger
	least  zerolog.Level
	writer *Writer // nil for a Logger to anything but a descriptor
}

// Format is how lines look.
type Format int

// The formats: JSON, and text for people at a terminal.
const (
	JSON Format = iota
	Text
)

// Open returns a Logger of lines of at least level to the descriptor fd. It
// never blocks its callers and counts what it had to drop; see [Writer].
func Open(fd int, format Format, level zerolog.Level) *Logger {
	writer := NewWriter(fd)
	writer.OnDrop = func(n uint64) []byte {
		var line bytes.Buffer
		New(&line, format, level).Warn("log lines dropped").Uint64("lines", n).Send()
		return line.Bytes()
	}
	l := New(writer, format, level)
	l.writer = writer
	return l
}

// New returns a Logger of lines of at least level to out, each in one Write.
func New(out io.Writer, format Format, level zerolog.Level) *Logger {
	if format == Text {
		out = textWriter(out)
	}
	return &Logger{out: zerolog.New(out), least: level}
}

// Flush waits until the lines so far are out, or patience ends.
func (l *Logger) Flush(patience time.Duration) {
	if l.writer != nil {
		l.writer.Flush(patience)
	}
}

// Error starts a line about something that went wrong.
func (l *Logger) Error(msg string) *zerolog.Event { return l.start(zerolog.ErrorLevel, msg) }

// Warn starts a line about something that is not as it should be.
func (l *Logger) Warn(msg string) *zerolog.Event { return l.start(zerolog.WarnLevel, msg) }

// Info starts a line about a change of state.
func (l *Logger) Info(msg string) *zerolog.Event { return l.start(zerolog.InfoLevel, msg) }

// Debug starts a line about a single signal or process.
func (l *Logger) Debug(msg string) *zerolog.Event { return l.start(zerolog.DebugLevel, msg) }

// Trace starts a line about how a change of state came about.
func (l *Logger) Trace(msg string) *zerolog.Event { return l.start(zerolog.TraceLevel, msg) }

func (l *Logger) start(level zerolog.Level, msg string) *zerolog.Event {
	if level < l.least {
		return nil // zerolog: the methods of a nil Event do nothing
	}
	return l.out.Log().
		Str("time", time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00")).
		Str("level", level.String()).
		Str("logger", "nodeinit").
		Str("msg", msg)
}

// Clip shortens s, which somebody else chose, so that a line that holds up to
// five such strings stays below 4096 bytes however much of them is escaped.
func Clip(s string) string {
	const most = 600
	length := 0
	for i := range len(s) {
		length++
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			length += 5 // as \u001b, at most
		}
		if length > most {
			return s[:i] + "..."
		}
	}
	return s
}

// textWriter turns JSON lines into text: time, level, message, key=value.
func textWriter(out io.Writer) io.Writer {
	asIs := func(v any) string { return fmt.Sprint(v) }
	return zerolog.ConsoleWriter{
		Out:                   out,
		NoColor:               true,
		PartsOrder:            []string{"time", "level", "logger", "msg"},
		FieldsExclude:         []string{"time", "level", "logger", "msg"},
		FormatTimestamp:       asIs,
		FormatPartValueByName: func(v any, _ string) string { return asIs(v) },
	}
}
