package logs

import (
	"bytes"
	"time"
)

const (
	// flushSize is how much is collected before it is written. A pipe takes 64 KiB.
	flushSize = 192 << 10
	// maxChunk is how much text becomes objects at once, each of maxTextLine.
	maxChunk = 64 << 10
	// maxOut is the size of the buffer that an output keeps.
	maxOut = 1 << 20
)

// A formatter makes what is written of the lines of a stream.
type formatter struct {
	outlet  *outlet
	options *Options
	source  Source
	encoder *encoder // nil: lines of text

	now    time.Time // of this turn
	next   []byte    // the lines behind the one that is formatted
	dst    []byte    // what is to be written
	within bool      // in a line of which a part is in dst or was written
	joiner joiner
}

// newFormatter returns nil if lines are written as they are.
func newFormatter(out *outlet, source Source, o *Options) *formatter {
	f := &formatter{outlet: out, options: o, source: source}
	switch {
	case o.JSON:
		f.encoder = newEncoder(o.Fields, source)
	case o.Prefix == nil && len(o.Redact) == 0:
		return nil
	}
	return f
}

// begin begins a turn.
func (f *formatter) begin() {
	f.now = time.Now()
	f.dst = f.joiner.resume(f.outlet.buffers().out[:0])
}

// end ends the turn and writes what there is.
func (f *formatter) end(left state) {
	if left != more {
		f.dst = f.joiner.close(f.dst)
		f.joiner.forget()
	}
	f.flush()
	f.joiner.suspend(f.dst)
	if cap(f.dst) > maxOut {
		f.dst = nil
	}
	f.outlet.buffers().out, f.dst = f.dst, nil
}

// flush writes what there is, except an object that is open.
func (f *formatter) flush() {
	end := f.joiner.start(f.dst)
	f.outlet.write(f.dst[:end])
	f.dst = f.joiner.moved(append(f.dst[:0], f.dst[end:]...))
}

// lines formats whole lines.
func (f *formatter) lines(b []byte) {
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		line := b[:end]
		b = b[end+1:]
		f.next = b
		f.line(line)
	}
}

// line formats a line without its newline.
func (f *formatter) line(b []byte) {
	b, returns := bytes.CutSuffix(b, []byte("\r"))
	b = Redact(b, f.options.Redact)
	switch {
	case f.encoder == nil:
		f.prefix()
		f.dst = append(f.dst, b...)
		if returns {
			f.dst = append(f.dst, '\r')
		}
		f.dst = append(f.dst, '\n')
	case f.within || !f.object(b):
		f.text(b, false)
	}
	f.within = false
	if len(f.dst) > flushSize {
		f.flush()
	}
}

// part formats a part of a line of which more follows, and returns how much of it: whole
// characters.
func (f *formatter) part(b []byte) int {
	n := wholeText(b)
	b = Redact(b[:n], f.options.Redact)
	if f.encoder == nil {
		f.prefix()
		f.dst = append(f.dst, b...)
	} else {
		f.text(b, true)
	}
	f.within = true
	return n
}

func (f *formatter) prefix() {
	if f.options.Prefix != nil && !f.within {
		f.dst = append(f.dst, f.options.Prefix(f.source)...)
	}
}

// object appends b if it is an object.
func (f *formatter) object(b []byte) bool {
	end := len(f.dst)
	dst, ok := f.encoder.appendObject(f.dst, b, f.now)
	if ok {
		f.joiner.forget()
	}
	if ok && f.joiner.isOpen() { // the text before the object comes first
		dst, _ = f.encoder.appendObject(f.joiner.close(dst[:end]), b, f.now)
	}
	f.dst = dst
	return ok
}

// text appends b as text, of which more follows or not.
func (f *formatter) text(b []byte, more bool) {
	if f.options.StripColors {
		b = stripColors(b)
	}
	if !f.options.NoMultiline && !more && !f.within {
		var ok bool
		if f.dst, ok = f.joiner.append(f.dst, b, f.next, f.encoder, f.now); ok {
			return
		}
	}
	f.dst = f.joiner.close(f.dst)
	for len(b) > maxChunk {
		n := wholeText(b[:maxChunk])
		f.dst = f.encoder.appendText(f.dst, b[:n], f.now, true)
		b = b[n:]
		f.flush()
	}
	f.dst = f.encoder.appendText(f.dst, b, f.now, more)
}
