package logs

import (
	"io"
	"strconv"
)

// A Level is how much a line matters, in the order of pino's numbers.
type Level = level

// The levels of nodeinit's own lines. LevelOff is above all of them.
const (
	LevelTrace = trace
	LevelDebug = debug
	LevelInfo  = info
	LevelWarn  = warn
	LevelError = fault
	LevelOff   = fatal + 1
)

// An Event is a line that is being made: a JSON object with the fields in the order in
// which they are added. Send ends it. The methods of a nil *Event do nothing: its level
// is not logged. (zerolog has the same, and links encoding/json.)
type Event struct {
	out  io.Writer
	text []byte
}

// key adds the name of a field, which needs no escapes.
func (e *Event) key(name string) []byte {
	return append(append(append(e.text, ",\""...), name...), "\":"...)
}

// Str adds a string.
func (e *Event) Str(name, value string) *Event {
	if e != nil {
		e.text = AppendString(e.key(name), value)
	}
	return e
}

// Strs adds an array of strings.
func (e *Event) Strs(name string, values []string) *Event {
	if e == nil {
		return nil
	}
	e.text = append(e.key(name), '[')
	for i, value := range values {
		if i > 0 {
			e.text = append(e.text, ',')
		}
		e.text = AppendString(e.text, value)
	}
	e.text = append(e.text, ']')
	return e
}

// Int adds a whole number.
func (e *Event) Int(name string, value int) *Event { return e.Int64(name, int64(value)) }

// Int64 adds a whole number.
func (e *Event) Int64(name string, value int64) *Event {
	if e != nil {
		e.text = strconv.AppendInt(e.key(name), value, 10)
	}
	return e
}

// Uint64 adds a whole number.
func (e *Event) Uint64(name string, value uint64) *Event {
	if e != nil {
		e.text = strconv.AppendUint(e.key(name), value, 10)
	}
	return e
}

// Float64 adds a number, which has to be finite.
func (e *Event) Float64(name string, value float64) *Event {
	if e != nil {
		e.text = strconv.AppendFloat(e.key(name), value, 'f', -1, 64)
	}
	return e
}

// Bool adds true or false.
func (e *Event) Bool(name string, value bool) *Event {
	if e != nil {
		e.text = strconv.AppendBool(e.key(name), value)
	}
	return e
}

// Err adds err as "error", unless it is nil.
func (e *Event) Err(err error) *Event {
	if err == nil {
		return e
	}
	return e.Str("error", err.Error())
}

// Send writes the line by one Write.
func (e *Event) Send() {
	if e != nil {
		_, _ = e.out.Write(append(e.text, "}\n"...)) // what cannot be written is counted there
	}
}
