package server

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

var request = []byte("GET / HTTP/1.1\r\nHost: bench\r\n\r\n")

// Dial connects to the server from an address. The calls are raw because a
// network belongs to a thread, and package net may dial on another one.
func Dial(from [4]byte) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	limit := unix.NsecToTimeval(int64(testproc.HangLimit))
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: from}),
		unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: Port}))
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Ask sends a request over a connection and returns the pid of the process that
// answers.
func Ask(fd int) (pid int, err error) {
	if _, err := unix.Write(fd, request); err != nil {
		return 0, os.NewSyscallError("write", err)
	}
	var answer []byte
	for {
		chunk := make([]byte, 1024) // an answer has 150 bytes
		n, err := unix.Read(fd, chunk)
		if errors.Is(err, unix.EINTR) { // a receive time-out is not restarted (signal(7))
			continue
		}
		if err != nil {
			return 0, os.NewSyscallError("read", err)
		}
		if n == 0 {
			return 0, fmt.Errorf("connection closed after %q", answer)
		}
		answer = append(answer, chunk[:n]...)
		if pid, ok := answered(answer); ok {
			return pid, nil
		}
	}
}

// answered returns the pid in an answer of server.js, once it is whole: its
// body is the pid and a newline, perhaps as a chunk.
func answered(answer []byte) (pid int, ok bool) {
	head, body, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return 0, false
	}
	for line := range bytes.Lines(body) {
		n, err := strconv.Atoi(string(bytes.TrimSuffix(line, []byte("\n"))))
		if err == nil && bytes.HasSuffix(line, []byte("\n")) {
			return n, true
		}
	}
	return 0, false
}
