package logs

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// maxTextLine is the size of a line of text with its newline: Docker splits what is longer
// (its copier has a buffer of that size, which holds the newline too).
const maxTextLine = 16384

// A Source is what lines come from.
type Source struct {
	Worker int // slot; -1: none
	PID    int
	Stderr bool // not stdout
}

// An encoder turns the lines of one stream into JSON objects. It is for one goroutine at
// a time.
type encoder struct {
	fields *Fields
	source Source
	level  level   // of lines without one of their own
	wanted keyBits // that an object gains if it lacks them

	timeHead                     string // `,"time":`
	worker, pid, stream, version string // `,"worker":0`; empty: none
	textHead                     string // from behind the time up to the text

	stamp   []byte // the time of the last line, in quotes
	stampAt int64  // its Unix time in milliseconds

	// Of the line that is being written in pieces:
	id      []byte
	ordinal int    // of its last piece; 0: there is no such line
	split   uint64 // lines so far
}

// newEncoder returns an encoder for the lines of s. A nil f is the default.
func newEncoder(f *Fields, s Source) *encoder {
	f = f.forObjects()
	e := &encoder{
		fields: f, source: s, level: info, wanted: hasTime | hasLevel | hasPID | hasStream,
		timeHead: `,"` + f.timeKey + `":`, pid: `,"pid":` + strconv.Itoa(s.PID), stream: pair("stream", "stdout"),
	}
	if s.Stderr {
		e.level, e.stream = fault, pair("stream", "stderr")
	}
	if s.Worker >= 0 {
		e.worker = `,"worker":` + strconv.Itoa(s.Worker)
		e.wanted |= hasWorker
	}
	if f.version != "" {
		e.version = pair("ecs.version", f.version)
		e.wanted |= hasVersion
	}
	e.textHead = f.pairs[e.level] + e.worker + e.pid + e.stream + e.version + `,"` + f.msgKey + `":"`
	return e
}

// appendObject appends line, if it is one JSON object in UTF-8, with the members that it
// lacks at its end, and a newline. Its bytes stay as they are, but for white space behind it.
// Otherwise ok is false and dst is unchanged. line has no newline.
func (e *encoder) appendObject(dst, line []byte, now time.Time) (_ []byte, ok bool) {
	o, ok := scan(line, e.fields.keys)
	if !ok || !utf8.Valid(line) { // strict parsers refuse other bytes (RFC 8259, 8.1)
		return dst, false
	}
	dst = append(dst, line[:o.end]...)
	start := len(dst)
	if dst = e.appendLacking(dst, line, o, now); len(dst) > start && o.empty(line) {
		dst = append(dst[:start], dst[start+1:]...) // without the first comma
	}
	return append(dst, "}\n"...), true
}

// appendLacking appends the members that o lacks, each with a comma before it.
func (e *encoder) appendLacking(dst, line []byte, o object, now time.Time) []byte {
	lacks := e.wanted &^ o.keys
	if lacks&hasTime != 0 {
		dst = append(dst, e.timeHead...)
		dst = e.appendTime(dst, now)
	}
	dst = e.appendLevel(dst, line, o)
	if lacks&hasWorker != 0 {
		dst = append(dst, e.worker...)
	}
	if lacks&hasPID != 0 {
		dst = append(dst, e.pid...)
	}
	if lacks&hasStream != 0 {
		dst = append(dst, e.stream...)
	}
	if lacks&hasVersion != 0 {
		dst = append(dst, e.version...)
	}
	return dst
}

// appendLevel appends the level as a word, unless the object has it.
func (e *encoder) appendLevel(dst, line []byte, o object) []byte {
	if o.keys&hasLevel == 0 {
		l, _ := o.ownLevel(line, e.level)
		return append(dst, e.fields.pairs[l]...)
	}
	if o.keys&(ownLevel|hasSeverity) == ownLevel && e.fields.severity {
		if l, numeric := o.ownLevel(line, e.level); numeric {
			return append(dst, e.fields.severities[l]...)
		}
	}
	return dst
}

// appendText appends an object with text as its message, and a newline. A line must not
// exceed maxTextLine: text that is too long becomes several objects with what Docker adds
// to pieces of a line (strings all of them: daemon/logger/fluentd/fluentd.go), which end
// at whole characters.
//
// If more is set, text is not the whole line, and the next call has what follows; pass
// whole characters then (see [wholeText]). text has no newline at its end.
func (e *encoder) appendText(dst, text []byte, now time.Time, more bool) []byte {
	const tail = "\"}\n"
	if start := len(dst); !more && e.ordinal == 0 && len(text) < maxTextLine {
		dst = e.appendHead(dst, now)
		var n int
		if dst, n = appendEscaped(dst, text, start+maxTextLine-len(tail)); n == len(text) {
			return append(dst, tail...)
		}
		dst = dst[:start]
	}
	for len(text) > 0 || !more {
		n, last := 0, false
		dst, n, last = e.appendPiece(dst, text, now, more)
		if text = text[n:]; last {
			break
		}
	}
	return dst
}

// appendPiece appends an object with as much of text as fits, which is n bytes. last
// reports whether that ends the line.
func (e *encoder) appendPiece(dst, text []byte, now time.Time, more bool) (_ []byte, n int, last bool) {
	if e.ordinal == 0 {
		e.newID(now)
	}
	e.ordinal++
	var buf [160]byte
	tail := append(buf[:0], `","partial_message":"true","partial_id":"`...)
	tail = append(tail, e.id...)
	tail = append(tail, `","partial_ordinal":"`...)
	tail = strconv.AppendInt(tail, int64(e.ordinal), 10)
	tail = append(tail, `","partial_last":"`...)

	end := len(dst) + maxTextLine - len(tail) - len("false\"}\n")
	dst, n = appendEscaped(e.appendHead(dst, now), text, end)
	dst = append(dst, tail...)
	if last = !more && n == len(text); last {
		e.ordinal = 0
		return append(dst, "true\"}\n"...), n, true
	}
	return append(dst, "false\"}\n"...), n, false
}

// newID sets id to what no other line has.
func (e *encoder) newID(now time.Time) {
	e.split++
	e.id = strconv.AppendInt(e.id[:0], now.UnixNano(), 16)
	e.id = append(e.id, '-')
	e.id = strconv.AppendInt(e.id, int64(e.source.PID), 10)
	if e.source.Stderr {
		e.id = append(e.id, "-2-"...)
	} else {
		e.id = append(e.id, "-1-"...)
	}
	e.id = strconv.AppendUint(e.id, e.split, 10)
}

// appendHead appends the beginning of an object, up to the text.
func (e *encoder) appendHead(dst []byte, now time.Time) []byte {
	dst = append(dst, '{')
	dst = append(dst, e.timeHead[1:]...)
	dst = e.appendTime(dst, now)
	return append(dst, e.textHead...)
}

// appendTime appends now in UTC, in quotes.
func (e *encoder) appendTime(dst []byte, now time.Time) []byte {
	if at := now.UnixMilli(); at != e.stampAt || e.stamp == nil {
		e.stampAt = at
		e.stamp = append(e.stamp[:0], '"')
		e.stamp = now.UTC().AppendFormat(e.stamp, timeLayout)
		e.stamp = append(e.stamp, '"')
	}
	return append(dst, e.stamp...)
}
