package admin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func appendFrame(b []byte, kind byte, data string) []byte {
	b = binary.BigEndian.AppendUint32(append(b, kind), uint32(len(data)))
	return append(b, data...)
}

func TestFrames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 1000)
	whole := appendFrame(nil, frameBegun, "")
	whole = appendFrame(whole, frameData, "{")
	whole = appendFrame(whole, frameData, "")
	whole = appendFrame(whole, frameData, long)
	data := len(whole)
	whole = appendFrame(whole, frameEnd, "")
	for name, c := range map[string]struct {
		from []byte
		want string
		err  string
	}{
		"whole":            {whole, "{" + long, ""},
		"what follows":     {append(bytes.Clone(whole), "dxxxx"...), "{" + long, ""},
		"nothing":          {nil, "", "EOF"},
		"no end":           {whole[:data], "{" + long, "EOF"},
		"cut data":         {whole[:data-1], "{" + long[:len(long)-1], "EOF"},
		"cut header":       {whole[:data+3], "{" + long, "EOF"},
		"error":            {appendFrame(bytes.Clone(whole[:data]), frameError, "no\x1b[2J"), "{" + long, `no\x1b[2J`},
		"cut error":        {appendFrame(nil, frameError, "no")[:6], "", "EOF"},
		"long error":       {appendFrame(nil, frameError, strings.Repeat("x", maxErrorFrame+1)), "", errNotFrames.Error()},
		"end with data":    {appendFrame(nil, frameEnd, "x"), "", errNotFrames.Error()},
		"another protocol": {[]byte("HTTP/1.1 200 OK\r\n"), "", errNotFrames.Error()},
	} {
		for _, from := range []io.Reader{bytes.NewReader(c.from), iotest.OneByteReader(bytes.NewReader(c.from)), iotest.DataErrReader(bytes.NewReader(c.from))} {
			var to bytes.Buffer
			r := frameReader{from: from, buf: make([]byte, maxErrorFrame)}
			begun := 0
			err := r.copyTo(&to, func() { begun++ })
			text := ""
			if err != nil {
				text = err.Error()
			}
			if to.String() != c.want || text != c.err || begun > 1 {
				t.Errorf("%s: %d bytes, %v, begun %d times; want %d bytes, %s", name, to.Len(), err, begun, len(c.want), c.err)
			}
		}
	}
	full := errors.New("no space left on device")
	r := frameReader{from: bytes.NewReader(whole), buf: make([]byte, maxErrorFrame)}
	if err := r.copyTo(failingWriter{full}, func() {}); err != full {
		t.Errorf("%v, want that of the output", err)
	}
}

type failingWriter struct{ error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.error }

// Only what is in data frames, before the last one, is written.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("b\x00\x00\x00\x00d\x00\x00\x00\x02{}.\x00\x00\x00\x00"))
	f.Add([]byte("e\x00\x00\x00\x02no"))
	f.Add([]byte("d\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var to bytes.Buffer
		r := frameReader{from: bytes.NewReader(text), buf: make([]byte, maxErrorFrame)}
		err := r.copyTo(&to, func() {})
		again := appendFrame(nil, frameData, to.String())
		if err == nil {
			again = appendFrame(again, frameEnd, "")
		}
		if to.Len() > len(text) || err == nil && !bytes.Contains(text, []byte(".\x00\x00\x00\x00")) {
			t.Errorf("%q: %q, %v", text, to.Bytes(), err)
		}
		var second bytes.Buffer
		r.from = bytes.NewReader(again)
		if errAgain := r.copyTo(&second, func() {}); !bytes.Equal(second.Bytes(), to.Bytes()) || (errAgain == nil) != (err == nil) {
			t.Errorf("%q: %q, %v, and then %q, %v", text, to.Bytes(), err, second.Bytes(), errAgain)
		}
	})
}
