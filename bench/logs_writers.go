package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// An order is what testdata/logs.js is to write.
type order struct {
	Kind   string `json:"kind"`            // text, pino or numbered
	Index  int    `json:"index"`           // of the writer
	Bytes  int    `json:"bytes,omitempty"` // of text and pino
	Rate   int    `json:"rate,omitempty"`  // bytes a second; 0: as fast as the pipe takes them
	Lines  int    `json:"lines,omitempty"` // of numbered
	Stdout bool   `json:"stdout"`          // by process.stdout, else past it
}

// written is what one of them or all have written.
type written struct{ PID, Lines, Bytes int }

// Writers are processes of testdata/logs.js that have connected.
type writers struct {
	listener net.Listener
	conns    []net.Conn
	replies  []*json.Decoder
	pids     []int
}

// listenForWriters makes the socket that BENCH_SOCKET names.
func listenForWriters(dir string) (*writers, error) {
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		return nil, err
	}
	return &writers{listener: listener}, nil
}

func (w *writers) environ() []string {
	return append(os.Environ(), "BENCH_SOCKET="+w.listener.Addr().String())
}

// await waits until n writers have connected, as long as what starts them is alive.
func (w *writers) await(n int, alive func() bool) error {
	for len(w.conns) < n {
		_ = w.listener.(*net.UnixListener).SetDeadline(time.Now().Add(time.Second / 10)) // fails for no open socket
		conn, err := w.listener.Accept()
		if errors.Is(err, os.ErrDeadlineExceeded) && alive() {
			continue
		}
		if err != nil {
			return fmt.Errorf("%d of %d writers connected: %w", len(w.conns), n, err)
		}
		reply := json.NewDecoder(conn)
		w.conns, w.replies = append(w.conns, conn), append(w.replies, reply)
		var hello written
		if err := reply.Decode(&hello); err != nil {
			return fmt.Errorf("writer %d: %w", len(w.conns), err)
		}
		w.pids = append(w.pids, hello.PID)
	}
	return nil
}

// write has each of the writers carry out the order, and returns what all have written.
func (w *writers) write(o order) (sum written, err error) {
	for i, conn := range w.conns {
		o.Index = i
		if err := json.NewEncoder(conn).Encode(o); err != nil {
			return written{}, err
		}
	}
	for i, reply := range w.replies {
		var one written
		if err := reply.Decode(&one); err != nil {
			return written{}, fmt.Errorf("writer %d: %w", i, err)
		}
		sum.Lines += one.Lines
		sum.Bytes += one.Bytes
	}
	return sum, nil
}

// close lets the writers end.
func (w *writers) close() {
	w.listener.Close()
	for _, conn := range w.conns {
		conn.Close()
	}
}
