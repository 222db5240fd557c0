package logs

import (
	"io"
	"strings"
	"sync"
	"time"
)

// Fields are the names of the keys of a line and the spelling of its levels, as a backend
// reads them. A nil *Fields is that of "default".
type Fields struct {
	timeKey, levelKey, msgKey string

	levels   [fatal + 1]string // spelling
	severity bool              // stands beside a numeric level
	version  string            // value of ecs.version; empty: none

	// Only objects of processes need these, so that the start need not wait for them.
	prepare    sync.Once
	pairs      [fatal + 1]string // `,"level":"info"`
	severities [fatal + 1]string // the same beside a numeric level
	keys       *keySet           // of an object that are looked for
}

// A level is that of a line, in the order of pino's numbers.
type level uint8

const (
	trace level = iota
	debug
	info
	warn
	fault
	fatal
)

var words = [fatal + 1]string{"trace", "debug", "info", "warn", "error", "fatal"}

// ecsVersion is the version of the Elastic Common Schema whose fields are written.
const ecsVersion = "8.11.0"

// FieldsOf returns the Fields for "default", "gcp", "datadog" or "ecs", and nil for any
// other name.
func FieldsOf(name string) *Fields {
	f := &Fields{timeKey: "time", levelKey: "level", msgKey: "msg", levels: words}
	switch name {
	case "default":
		f.severity = true // Loki, for one, reads only words
	case "gcp": // https://cloud.google.com/logging/docs/structured-logging
		f.levelKey, f.msgKey = "severity", "message"
		f.levels = [...]string{"DEBUG", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
	case "datadog": // https://docs.datadoghq.com/logs/log_configuration/processors/log_status_remapper/
		f.timeKey, f.levelKey, f.msgKey = "timestamp", "status", "message"
		f.levels = [...]string{"debug", "debug", "info", "warn", "error", "critical"}
	case "ecs": // https://www.elastic.co/docs/reference/ecs/logging/intro
		f.timeKey, f.levelKey, f.msgKey = "@timestamp", "log.level", "message"
		f.version = ecsVersion
	default:
		return nil
	}
	return f
}

// forObjects returns f with all that objects of processes need, and the default for nil.
func (f *Fields) forObjects() *Fields {
	f = f.orDefault()
	f.prepare.Do(func() {
		for l, word := range f.levels {
			f.pairs[l] = pair(f.levelKey, word)
			f.severities[l] = pair("severity", strings.ToUpper(word))
		}
		f.keys = f.wanted()
	})
	return f
}

// pair returns a member of an object and the comma before it.
func pair(key, value string) string { return `,"` + key + `":"` + value + `"` }

// wanted returns the keys that decide what an object gains.
func (f *Fields) wanted() *keySet {
	keys := map[string]keyBits{"level": ownLevel, "worker": hasWorker, "pid": hasPID, "stream": hasStream}
	keys[f.timeKey] |= hasTime
	keys[f.levelKey] |= hasLevel
	if f.severity {
		keys["severity"] |= hasSeverity
	}
	// What reads these keys reads others for the level too, and would believe the one
	// that is added.
	switch f.levelKey {
	case "level":
		keys["severity"] |= hasLevel
		keys["log.level"] |= hasLevel
	case "status":
		keys["severity"] |= hasLevel
	}
	if f.version != "" { // either may be written nested: {"log":{"level":"info"}}
		keys["log"] |= hasLevel
		keys["ecs.version"] |= hasVersion
		keys["ecs"] |= hasVersion
	}
	return newKeySet(keys)
}

// orDefault returns f, or the default for nil.
func (f *Fields) orDefault() *Fields {
	if f == nil {
		return FieldsOf("default")
	}
	return f
}

// timeLayout is RFC 3339 with milliseconds, for time.Time.AppendFormat.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// start begins one of nodeinit's own lines.
func (f *Fields) start(out io.Writer, l Level, msg string) *Event {
	e := &Event{out, append(make([]byte, 0, 512), `{"`+f.timeKey+`":"`...)}
	e.text = append(time.Now().UTC().AppendFormat(e.text, timeLayout), '"')
	e = e.Str(f.levelKey, f.levels[l]).Str("logger", "nodeinit")
	if f.version != "" {
		e = e.Str("ecs.version", f.version)
	}
	return e.Str(f.msgKey, msg)
}
