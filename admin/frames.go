package admin

import (
	"encoding/binary"
	"errors"
	"io"
)

// A worker writes what it was asked for in frames (node/preload/profile.js): a byte that is
// the kind, four with the length of the rest, the highest first, and the rest.
const (
	frameBegun = 'b' // it has taken the order
	frameData  = 'd' // a piece of what was asked for
	frameError = 'e' // the last frame: why there is no more
	frameEnd   = '.' // the last frame: that was all

	frameHeader   = 5
	maxErrorFrame = 4 << 10 // bytes; the other frames have no limit, and are not kept
)

var errNotFrames = errors.New("what the worker sends is not what was asked for")

// A frameReader reads what a worker writes.
type frameReader struct {
	from io.Reader
	buf  []byte // at least maxErrorFrame
}

// copyTo writes what the data frames have to a writer, until the last frame. It calls begun
// with the frame that says so. Where the worker writes no last frame, the error is
// [io.EOF].
func (r *frameReader) copyTo(to io.Writer, begun func()) error {
	for {
		if err := r.read(frameHeader); err != nil {
			return err
		}
		kind, length := r.buf[0], int(binary.BigEndian.Uint32(r.buf[1:]))
		switch {
		case kind == frameData:
			for length > 0 {
				n, err := r.from.Read(r.buf[:min(length, len(r.buf))])
				if n == 0 && err != nil {
					return err
				}
				if _, err := to.Write(r.buf[:n]); err != nil {
					return err
				}
				length -= n
			}
		case kind == frameBegun && length == 0:
			begun()
		case kind == frameEnd && length == 0:
			return nil
		case kind == frameError && length <= maxErrorFrame:
			if err := r.read(length); err != nil {
				return err
			}
			return errors.New(printable(string(r.buf[:length])))
		default:
			return errNotFrames
		}
	}
}

// read reads so many bytes into buf.
func (r *frameReader) read(n int) error {
	for done := 0; done < n; {
		more, err := r.from.Read(r.buf[done:n])
		if more == 0 && err != nil {
			return err
		}
		done += more
	}
	return nil
}
