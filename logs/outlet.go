package logs

import (
	"bytes"
	"errors"

	"golang.org/x/sys/unix"
)

// An outlet writes the lines of one stream to an output, and counts those that cannot be
// written. The lock of the output must be held for all methods.
type outlet struct {
	out    *Output
	onDrop func(lines uint64) // may be nil
	closed bool               // the output has no reader any more
}

// buffers are what a turn needs; the streams of an output share them.
type buffers struct {
	in  [256 << 10]byte // what was read
	out []byte          // what is to be written
}

func (o *outlet) buffers() *buffers {
	if o.out.buffers == nil {
		o.out.buffers = new(buffers)
	}
	return o.out.buffers
}

// write writes lines or parts of one.
func (o *outlet) write(b []byte) {
	if len(b) == 0 || o.closed {
		return
	}
	n, err := o.out.write(b, o)
	switch {
	case err == nil:
		o.reportDropped()
	case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET):
		o.closed = true
	default:
		o.out.dropped += uint64(bytes.Count(b[n:], []byte("\n")))
	}
}

// reportDropped tells of what was dropped.
func (o *outlet) reportDropped() {
	if o.out.dropped > 0 && o.onDrop != nil {
		o.onDrop(o.out.dropped)
		o.out.dropped = 0
	}
}
