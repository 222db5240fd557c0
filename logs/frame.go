package logs

import "bytes"

const (
	// maxLine is the most of a line that is kept until its end comes. Of a longer one
	// that much is written at once.
	maxLine = 4 << 20
	// maxReclaimed is the most of a line that is moved to the front of what is read next.
	maxReclaimed = 32 << 10
	// maxKept is the size of a buffer that a stream keeps while nothing comes.
	maxKept = 4 << 10
)

// A framer makes whole lines of what a stream brings.
type framer struct {
	outlet *outlet
	format *formatter // nil: lines are written as they are

	rest   []byte      // the beginning of a line
	within bool        // what was before rest was written
	alone  func() bool // no other process writes lines; nil: it does not matter
	paused bool        // the process has written nothing more for now
}

// reclaim moves the beginning of a line to the beginning of b, and returns its length,
// unless it is long.
func (f *framer) reclaim(b []byte) int {
	if len(f.rest) > maxReclaimed {
		return 0
	}
	n := copy(b, f.rest)
	f.rest = f.rest[:0]
	return n
}

// take takes what was read, behind what reclaim has returned, and writes the lines that
// are complete with it. left tells whether more of the stream follows.
func (f *framer) take(b []byte, left state) {
	if f.format != nil {
		f.format.begin()
		defer f.format.end(left)
	}
	if end := bytes.LastIndexByte(b, '\n') + 1; end > 0 {
		if len(f.rest) > 0 {
			first := bytes.IndexByte(b, '\n') + 1
			f.rest = append(f.rest, b[:first]...)
			f.lines(f.rest)
			f.rest = f.rest[:0]
			b, end = b[first:], end-first
		}
		f.lines(b[:end])
		b = b[end:]
	}
	f.rest = append(f.rest, b...)
	switch {
	case left == ended:
		f.finish()
	case len(f.rest) >= maxLine, f.passesOn():
		n := f.part(f.rest)
		f.rest = append(f.rest[:0], f.rest[n:]...)
		f.within = true
	case len(f.rest) == 0 && cap(f.rest) > maxKept:
		f.rest = nil
	}
}

// lines writes whole lines.
func (f *framer) lines(b []byte) {
	if len(b) == 0 {
		return
	}
	if f.format == nil {
		f.outlet.write(b)
	} else {
		f.format.lines(b)
	}
	f.within = false
}

// part writes the beginning of a line, or what follows it, and returns how much.
func (f *framer) part(b []byte) int {
	if f.format == nil {
		f.outlet.write(b)
		return len(b)
	}
	return f.format.part(b)
}

// passesOn reports whether the beginning of a line is passed on: a prompt or progress
// bar, which no other process can tear.
func (f *framer) passesOn() bool {
	return f.paused && len(f.rest) > 0 && f.format == nil && f.alone != nil && f.alone()
}

// finish writes the line that has no end. As it is, it is ended when something follows
// it: it may be data (docker run app node export.js >file).
func (f *framer) finish() {
	switch {
	case f.format == nil:
		f.outlet.write(f.rest)
	case len(f.rest) > 0 || f.within:
		f.lines(append(f.rest, '\n'))
	}
	f.rest, f.within = nil, false
}
