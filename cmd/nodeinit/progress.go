package main

import (
	"io"
	"strconv"
	"sync/atomic"
	"time"
)

// progressInterval is the time from line to line.
const progressInterval = 500 * time.Millisecond

// A progress is a writer of something that takes a while, and can show how far that is.
type progress struct {
	to    io.Writer
	takes time.Duration // before there is something to write
	bytes atomic.Int64  // that were written

	stop, ended chan struct{} // of show's goroutine; nil: there is none
}

func (p *progress) Write(b []byte) (int, error) {
	n, err := p.to.Write(b)
	p.bytes.Add(int64(n))
	return n, err
}

// show shows on a terminal, from now on until end, the seconds that are left, and then how
// much was written.
func (p *progress) show(terminal io.Writer) {
	if p.stop != nil {
		return
	}
	p.stop, p.ended = make(chan struct{}), make(chan struct{})
	begun := time.Now()
	go func() {
		defer close(p.ended)
		for {
			_, _ = terminal.Write(appendProgress(nil, p.takes-time.Since(begun), p.bytes.Load()))
			select {
			case <-time.After(progressInterval):
			case <-p.stop:
				_, _ = io.WriteString(terminal, "\r\x1b[K")
				return
			}
		}
	}()
}

// end removes what is shown.
func (p *progress) end() {
	if p.stop != nil {
		close(p.stop)
		<-p.ended
	}
}

func appendProgress(line []byte, left time.Duration, bytes int64) []byte {
	line = append(line, '\r')
	if left > 0 && bytes == 0 {
		line = strconv.AppendInt(line, int64((left+time.Second-1)/time.Second), 10)
		line = append(line, " s left"...)
	} else {
		line = strconv.AppendInt(line, bytes/1e3, 10)
		line = append(line, " kB written"...)
	}
	return append(line, "\x1b[K"...)
}
