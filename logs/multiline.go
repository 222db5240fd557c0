package logs

import (
	"bytes"
	"time"
)

// A joiner makes one object of a line of text and of those that continue it, as in a stack
// trace. The object is open, without its end, until the next line or the pipe shows that
// nothing continues it.
type joiner struct {
	open  bool
	at    int    // where the object begins in dst
	trace bool   // lines have been joined to it
	owed  int    // lines that belong to it whatever they are
	held  []byte // the object, between turns
}

// textTail ends an object of text.
const textTail = "\"}\n"

func (j *joiner) isOpen() bool { return j.open }

// append appends text to the object that is open, if text continues it, or begins an
// object. ok is false if text does not fit in one. next is what follows text, as far as
// it has arrived.
func (j *joiner) append(dst, text, next []byte, e *encoder, now time.Time) (_ []byte, ok bool) {
	owed := j.owed > 0
	if owed {
		j.owed--
	} else {
		j.owed = uncaught(text, next)
	}
	if j.open && (owed || j.owed > 0 && len(text) == 0 || j.continues(text)) {
		before := len(dst)
		dst = append(dst, `\n`...)
		var n int
		if dst, n = appendEscaped(dst, text, j.at+maxTextLine-len(textTail)); n == len(text) {
			j.trace = true
			return dst, true
		}
		dst = dst[:before]
	}
	dst = j.close(dst)
	before := len(dst)
	dst = e.appendHead(dst, now)
	dst, n := appendEscaped(dst, text, before+maxTextLine-len(textTail))
	if n < len(text) {
		return dst[:before], false
	}
	j.open, j.at, j.trace = true, before, false
	return dst, true
}

// continues reports whether text continues a stack trace: it begins with white space,
// "at " or "Caused by", or is the end of the properties that Node prints behind a trace.
func (j *joiner) continues(text []byte) bool {
	for n := controlSequence(text); n > 0; n = controlSequence(text) { // Node prints its own frames in grey
		text = text[n:]
	}
	if len(text) == 0 {
		return false
	}
	switch text[0] {
	case ' ', '\t':
		return true
	case 'a':
		return bytes.HasPrefix(text, []byte("at "))
	case 'C':
		return bytes.HasPrefix(text, []byte("Caused by"))
	case '}':
		return j.trace && (len(text) == 1 || len(text) == 2 && text[1] == ')')
	default:
		return false
	}
}

// close ends the object that is open.
func (j *joiner) close(dst []byte) []byte {
	if j.open {
		j.open = false
		dst = append(dst, textTail...)
	}
	return dst
}

// start returns where the object that is open begins in dst, or the end of dst.
func (j *joiner) start(dst []byte) int {
	if j.open {
		return j.at
	}
	return len(dst)
}

// moved tells that dst now begins with the object that is open.
func (j *joiner) moved(dst []byte) []byte {
	j.at = 0
	return dst
}

// forget has the lines that follow judged by themselves.
func (j *joiner) forget() { j.owed = 0 }

// suspend keeps dst, which is the object that is open, until resume.
func (j *joiner) suspend(dst []byte) {
	j.held = append(j.held[:0], dst...)
	if len(j.held) == 0 && cap(j.held) > maxKept {
		j.held = nil
	}
}

// resume appends to dst what suspend has kept.
func (j *joiner) resume(dst []byte) []byte {
	j.at = len(dst)
	return append(dst, j.held...)
}
