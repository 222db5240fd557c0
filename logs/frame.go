package logs

import (
	"bytes"
	"time"
)

const (
	// maxLine is the most of a line that is kept until its end comes. Of a longer one
	// that much is written at once.
	maxLine = 4 << 20
	// maxKept is the size of a buffer that is kept for later.
	maxKept = 4 << 10
)

// buffers are what a turn needs, for all streams of an output.
type buffers struct {
	in  [256 << 10]byte // what was read
	out []byte          // what is to be written
}

// A framer makes whole lines of what a stream brings, and writes them. The lock of the
// output must be held for all methods.
type framer struct {
	out     *Output
	options *Options
	source  Source
	rest    []byte // the beginning of a line
	within  bool   // part of that line was written
	gone    bool   // nobody reads the output
	now     time.Time
}

func newFramer(out *Output, source Source, o *Options) *framer {
	return &framer{out: out, options: o, source: source}
}

// take takes what was read and writes the lines that are complete with it.
func (f *framer) take(b []byte) {
	end := bytes.LastIndexByte(b, '\n') + 1
	if end > 0 {
		if len(f.rest) > 0 {
			first := bytes.IndexByte(b, '\n') + 1
			f.rest = append(f.rest, b[:first]...)
			f.write(f.rest)
			f.rest = f.rest[:0]
			b, end = b[first:], end-first
		}
		f.write(b[:end])
		f.within = false
	}
	f.rest = append(f.rest, b[end:]...)
	if len(f.rest) >= maxLine {
		f.write(f.rest)
		f.rest, f.within = f.rest[:0], true
	}
}

// pause is called when no more comes for now.
func (f *framer) pause() {
	if len(f.rest) == 0 && cap(f.rest) > maxKept {
		f.rest = nil
	}
}

// finish ends the line that has no end.
func (f *framer) finish() {
	if len(f.rest) > 0 || f.within {
		f.write(append(f.rest, '\n'))
		f.rest, f.within = nil, false
	}
}

// write writes whole lines, or counts them as dropped.
func (f *framer) write(lines []byte) {
	if len(lines) == 0 || f.gone {
		return
	}
	n, err := f.out.write(lines)
	switch {
	case err == nil && f.out.dropped > 0:
		if f.options.OnDrop != nil {
			f.options.OnDrop(f.out.dropped)
		}
		f.out.dropped = 0
	case err == nil:
	case readerGone(err):
		f.gone = true
	default:
		f.out.dropped += uint64(bytes.Count(lines[n:], []byte("\n")))
	}
}
