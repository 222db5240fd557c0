// Package httpget is an HTTP client for one GET on a connection of its own: HTTP/1.1
// (RFC 9112) as far as that needs it. There is no proxy from the environment, no redirect
// is followed, and what a server may send is limited.
package httpget

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
	maxBody   = 1 << 20  // bytes of the body for [Get]
)

// What answers is no HTTP server, or not for a request as it was sent.
var (
	ErrTLS   = errors.New("it speaks TLS")
	ErrHTTP2 = errors.New("it speaks HTTP/2 only")
)

// A Request says what to ask for. Its texts are sent as they are.
type Request struct {
	Target    string // path and query
	Host      string
	UserAgent string
	Accept    string // "" for any
	// MaxBody is how many bytes of body are taken, and as many of the framing of its
	// chunks. 0: the body is not read.
	MaxBody int
}

// An Answer is what a server has sent.
type Answer struct {
	Status      int    // 200 to 999
	Reason      string // the status with its words, as it was sent
	ContentType string
	Body        []byte // with status 200 only
}

// Get returns the body that an HTTP server sends for address, an http URL, with status
// 200, of at most 1 MiB; any other status is an error. ctx limits the time of all of it.
func Get(ctx context.Context, address string) (body []byte, err error) {
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
	answer, err := Do(conn, Request{Target: u.RequestURI(), Host: u.Host, UserAgent: "nodeinit", MaxBody: maxBody})
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err == nil && answer.Status != 200:
		err = fmt.Errorf("status %.60q", answer.Reason)
	}
	return answer.Body, err
}

// Do sends a request and reads the answer to it, up to the end of its body. It returns
// an error for what is not one whole answer; the caller limits the time. The connection
// is of no use after that.
func Do(conn io.ReadWriter, q Request) (Answer, error) {
	if _, err := conn.Write(q.appendTo(nil)); err != nil {
		return Answer{}, err
	}
	return readAnswer(conn, q.MaxBody)
}

func (q *Request) appendTo(b []byte) []byte {
	for _, text := range [...]string{"GET ", q.Target, " HTTP/1.1\r\nHost: ", q.Host, "\r\nUser-Agent: ", q.UserAgent} {
		b = append(b, text...)
	}
	if q.Accept != "" {
		b = append(append(b, "\r\nAccept: "...), q.Accept...)
	}
	return append(b, "\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"...)
}

// readAnswer reads an answer. It reads at most maxHeader + maxBody + 1 bytes.
func readAnswer(from io.Reader, maxBody int) (Answer, error) {
	limited := &io.LimitedReader{R: from, N: maxHeader}
	r := bufio.NewReader(limited)
	h, err := readHeader(r)
	if err != nil && limited.N == 0 {
		err = fmt.Errorf("headers are longer than %d KiB", maxHeader>>10)
	}
	if err != nil {
		return Answer{}, unexpectedEOF(err)
	}
	answer := Answer{Status: h.status, Reason: h.reason, ContentType: h.contentType}
	if h.status != 200 || maxBody == 0 {
		return answer, nil
	}
	limited.N = int64(maxBody) + 1
	answer.Body, err = readBody(r, h, maxBody)
	switch {
	case err == errTooLong, len(answer.Body) > maxBody, err != nil && limited.N == 0:
		return Answer{}, fmt.Errorf("body is longer than %d MiB", maxBody>>20)
	case err != nil:
		return Answer{}, fmt.Errorf("body: %w", unexpectedEOF(err))
	}
	return answer, nil
}

var errTooLong = errors.New("too long")

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
	if err := otherProtocol(r); err != nil {
		return header{}, err
	}
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
		number, err := strconv.ParseUint(code, 10, 16)
		if err != nil || number < 100 {
			return header{}, fmt.Errorf("malformed status %.60q", status)
		}
		h, err := readFields(r)
		if h.status, h.reason = int(number), status; err != nil || number >= 200 || number == 101 {
			return h, err
		}
	}
}

// otherProtocol returns an error for the first bytes of what TLS servers and those of
// HTTP/2 alone say to a request: an alert (RFC 8446, 5.1), and a SETTINGS frame (RFC
// 9113, 3.4).
func otherProtocol(r *bufio.Reader) error {
	const alert, settings = 0x15, 4
	switch b, _ := r.Peek(4); {
	case len(b) > 0 && b[0] == alert:
		return ErrTLS
	case len(b) == 4 && b[0] == 0 && b[3] == settings:
		return ErrHTTP2
	}
	return nil
}

// readBody reads the body that follows h (RFC 9112, 6.3), which may be longer than
// maxBody by what r limits it to.
func readBody(r *bufio.Reader, h header, maxBody int) ([]byte, error) {
	for _, coding := range h.contentCodings {
		if coding != "" && !strings.EqualFold(coding, "identity") {
			return nil, fmt.Errorf("content coding %.60q", coding)
		}
	}
	switch {
	case len(h.transferCodings) > 0 && len(h.lengths) > 0:
		return nil, errors.New("it has both a transfer coding and a length")
	case len(h.transferCodings) == 1 && strings.EqualFold(h.transferCodings[0], "chunked"):
		return readChunks(r, maxBody)
	case len(h.transferCodings) > 0:
		return nil, fmt.Errorf("transfer codings %.60q", h.transferCodings)
	case len(h.lengths) == 1:
		return readLength(r, h.lengths[0], maxBody)
	case len(h.lengths) > 1:
		return nil, fmt.Errorf("several lengths %.60q", h.lengths)
	default:
		return io.ReadAll(r) // up to the end of the connection
	}
}

// readLength reads a body of that Content-Length.
func readLength(r io.Reader, length string, maxBody int) ([]byte, error) {
	n, err := strconv.ParseUint(length, 10, 63) // no sign
	if err != nil {
		return nil, fmt.Errorf("length %.60q", length)
	}
	if n > uint64(maxBody) {
		return nil, errTooLong
	}
	body := make([]byte, n)
	_, err = io.ReadFull(r, body)
	return body, err
}

// readChunks reads a chunked body (RFC 9112, 7.1) up to its last chunk. The trailers
// after that are not read. net/http has the same in an internal package.
func readChunks(r *bufio.Reader, maxBody int) ([]byte, error) {
	var body []byte
	for {
		size, err := readChunkSize(r)
		if err != nil || size == 0 {
			return body, err
		}
		if size > uint64(maxBody-len(body)) {
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
