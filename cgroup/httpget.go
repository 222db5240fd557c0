package cgroup

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
)

// Limits on what is read of an answer.
const (
	maxHeader = 64 << 10 // bytes of the status line and the headers, 1xx answers included
	maxBody   = 1 << 20  // bytes of the body, with the framing of its chunks
)

var errTooLong = errors.New("body is longer than 1 MiB")

// get returns the body that an HTTP server sends for address, an http URL, with status
// 200; any other status is an error. ctx limits the time of all of it. There is no
// proxy from the environment, and no redirect is followed.
//
// It is HTTP/1.1 (RFC 9112) as far as one GET on a connection of its own needs it.
func get(ctx context.Context, address string) (body []byte, err error) {
	u, err := url.Parse(address)
	if err == nil && (u.Scheme != "http" || u.Hostname() == "" || u.User != nil) {
		err = errors.New("not an http URL without a user")
	}
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	conn, stop, err := dial(ctx, u.Hostname(), cmp.Or(u.Port(), "80"))
	if err != nil {
		return nil, cmp.Or(ctx.Err(), err) // not that of a deadline long ago
	}
	defer conn.Close()
	defer stop()
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: nodeinit\r\n"+
		"Accept-Encoding: identity\r\nConnection: close\r\n\r\n", u.RequestURI(), u.Host)
	if err == nil {
		body, err = readAnswer(conn)
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return body, err
}

// readAnswer reads the answer to one GET, up to the end of its body, and returns that
// body. It reads at most maxHeader + maxBody + 1 bytes.
func readAnswer(from io.Reader) ([]byte, error) {
	limited := &io.LimitedReader{R: from, N: maxHeader}
	r := bufio.NewReader(limited)
	h, err := readHeader(r)
	if err != nil && limited.N == 0 {
		err = fmt.Errorf("headers are longer than %d KiB", maxHeader>>10)
	}
	if err != nil {
		return nil, unexpectedEOF(err)
	}
	limited.N = maxBody + 1
	body, err := readBody(r, h)
	if len(body) > maxBody || err != nil && limited.N == 0 {
		return nil, errTooLong
	}
	if err != nil {
		return nil, fmt.Errorf("body: %w", unexpectedEOF(err))
	}
	return body, nil
}

// unexpectedEOF returns err, or io.ErrUnexpectedEOF where the connection ended.
func unexpectedEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readHeader returns the header of the final answer. Those with a status of 1xx come
// before it, even without a request for them (RFC 9110, 15.2); 101 would be the end of
// HTTP.
func readHeader(r *bufio.Reader) (header, error) {
	for {
		line, err := readLine(r)
		if err != nil {
			return header{}, err
		}
		version, status, _ := strings.Cut(line, " ")
		code, _, _ := strings.Cut(status, " ")
		if version != "HTTP/1.1" && version != "HTTP/1.0" || len(code) != 3 {
			return header{}, fmt.Errorf("malformed status line %.60q", line)
		}
		interim := code[0] == '1' && code != "101"
		if !interim && code != "200" {
			return header{}, fmt.Errorf("status %.60q", status)
		}
		fields, err := readFields(r)
		if err != nil || !interim {
			return fields, err
		}
	}
}

// readBody reads the body that follows h (RFC 9112, 6.3), which may be longer than
// maxBody by what r limits it to.
func readBody(r *bufio.Reader, h header) ([]byte, error) {
	for _, coding := range h.contentCodings {
		if coding != "" && !strings.EqualFold(coding, "identity") {
			return nil, fmt.Errorf("content coding %.60q", coding)
		}
	}
	switch {
	case len(h.transferCodings) > 0 && len(h.lengths) > 0:
		return nil, errors.New("it has both a transfer coding and a length")
	case len(h.transferCodings) == 1 && strings.EqualFold(h.transferCodings[0], "chunked"):
		return readChunks(r)
	case len(h.transferCodings) > 0:
		return nil, fmt.Errorf("transfer codings %.60q", h.transferCodings)
	case len(h.lengths) == 1:
		return readLength(r, h.lengths[0])
	case len(h.lengths) > 1:
		return nil, fmt.Errorf("several lengths %.60q", h.lengths)
	default:
		return io.ReadAll(r) // up to the end of the connection
	}
}

// readLength reads a body of that Content-Length.
func readLength(r io.Reader, length string) ([]byte, error) {
	n, err := strconv.ParseUint(length, 10, 63) // no sign
	if err != nil {
		return nil, fmt.Errorf("length %.60q", length)
	}
	if n > maxBody {
		return nil, errTooLong
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && uint64(len(body)) < n {
		err = io.ErrUnexpectedEOF
	}
	return body, err
}

// readChunks reads a chunked body (RFC 9112, 7.1) up to its last chunk. The trailers
// after that are not read. net/http has the same in an internal package.
func readChunks(r *bufio.Reader) ([]byte, error) {
	var body []byte
	for {
		size, err := readChunkSize(r)
		if err != nil || size == 0 {
			return body, err
		}
		if size > maxBody-uint64(len(body)) {
			return nil, errTooLong
		}
		start := len(body)
		body = append(body, make([]byte, size+2)...)
		if _, err := io.ReadFull(r, body[start:]); err != nil {
			return nil, err
		}
		var end []byte
		body, end = body[:start+int(size)], body[start+int(size):]
		if string(end) != "\r\n" {
			return nil, fmt.Errorf("a chunk ends with %q", end)
		}
	}
}

// readChunkSize reads the line before a chunk: its size in hexadecimal, and perhaps
// extensions after a semicolon, or spaces. It must fit in the buffer of r.
func readChunkSize(r *bufio.Reader) (uint64, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return 0, fmt.Errorf("a chunk's line is longer than %d KiB", r.Size()>>10)
	}
	if err != nil {
		return 0, err
	}
	text, ok := strings.CutSuffix(string(line), "\r\n") // a line feed alone is no end: CVE-2025-22871
	digits, _, _ := strings.Cut(strings.TrimRight(text, " \t"), ";")
	size, err := strconv.ParseUint(digits, 16, 63)
	if !ok || err != nil {
		return 0, fmt.Errorf("malformed chunk size %.60q", line)
	}
	return size, nil
}
