package admin

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/supervisor"
)

// An HTTP server answers GET and HEAD requests for [the paths] at a TCP port. Nothing can
// be changed over it. Set the fields, call Listen, and then Run once.
type HTTP struct {
	*Shared // with other servers
	// Gatherer makes what is served. It is used with a lock of Shared.
	Gatherer *Gatherer
	// Live reports whether PID 1 does its work. It may take some seconds.
	Live func() bool

	acceptor acceptor
	listener *listener
	spare    []byte // a buffer that is not in use; under the lock of reading
}

// The paths.
const (
	pathMetrics = "/metrics"
	pathLive    = "/livez"
	pathReady   = "/readyz"
	pathStatus  = "/status"
)

// Listen opens the port; the zero address is all. Call Run then, or nothing.
func (h *HTTP) Listen(ip netip.Addr, port int) error {
	l, inode, err := listenTCP(ip, port)
	h.listener, h.Gatherer.ownSocket = l, inode
	return err
}

// Run serves until ctx is done, and returns when all connections have ended.
func (h *HTTP) Run(ctx context.Context) {
	h.acceptor = acceptor{shared: h.Shared, patient: true, answer: h.answer, refuse: func(fd int, _ error) { unix.Close(fd) }}
	h.acceptor.run(ctx, h.listener)
}

// A response is the answer to a request.
type response struct {
	status      int
	contentType string
	buffer      []byte // room for the head, and then the body
}

// headRoom is enough for any head.
const headRoom = 512

// Types of content.
const (
	typePlain       = "text/plain; charset=utf-8"
	typeJSON        = "application/json"
	typeText        = "text/plain; version=0.0.4; charset=utf-8"
	typeOpenMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"
)

// plain returns a response of one line.
func plain(status int, text string) response {
	b := append(make([]byte, headRoom, headRoom+len(text)+1), text...)
	return response{status, typePlain, append(b, '\n')}
}

// answer serves one client.
func (h *HTTP) answer(ctx context.Context, c *connection) {
	head, all, err := h.acceptor.readRequest(ctx, c, headEnd)
	var q httpRequest
	var r response
	switch {
	case errors.Is(err, errTooLong):
		r = plain(431, err.Error())
		if line, _ := nextLine(all); len(line) == len(all) {
			r.status = 414
		}
	case errors.Is(err, errTooLate) && len(all) > 0:
		r = plain(408, err.Error())
	case err == nil:
		q, r = h.respond(head)
	}
	if r.status != 0 {
		h.acceptor.waiting.add(c)
		if c.write(r.text(q.method == "HEAD", time.Now())) == nil && (err != nil || q.hasBody || len(head) < len(all)) {
			c.linger()
		}
		h.acceptor.waiting.remove(c)
	}
	h.reuse(r.buffer)
	h.leave(httpGarbage)
}

// httpGarbage is what a request leaves behind, in bytes, about: see BenchmarkHTTP.
const httpGarbage = 4 << 10

// respond makes the answer to a request.
func (h *HTTP) respond(head []byte) (httpRequest, response) {
	q, status := parseHTTP(head)
	known := q.path == pathMetrics || q.path == pathLive || q.path == pathReady || q.path == pathStatus
	switch {
	case status == 505:
		return q, plain(status, "HTTP/1.1 only")
	case status != 0:
		return q, plain(status, "bad request")
	case !known:
		return q, plain(404, "not found: there are /metrics, /livez, /readyz and /status")
	case q.method != "GET" && q.method != "HEAD":
		return q, plain(405, "GET and HEAD only: nothing can be changed here")
	case q.hasBody:
		return q, plain(400, "a request with a body")
	}
	switch q.path {
	case pathLive:
		if !h.Live() {
			return q, plain(503, busy)
		}
		return q, plain(200, "nodeinit runs")
	case pathReady:
		return q, h.ready()
	case pathStatus:
		return q, h.status()
	default:
		return q, h.metrics(q)
	}
}

// busy is the answer where the supervisor does not give one in time.
const busy = "nodeinit is too busy to tell its status"

func (h *HTTP) ready() response {
	status, ok := h.Gatherer.Status()
	if !ok {
		return plain(503, busy)
	}
	healthy, text := supervisor.Health(status, time.Now())
	if !healthy {
		return plain(503, text)
	}
	return plain(200, text)
}

// status returns the [Document] without the command line, in which there may be secrets.
func (h *HTTP) status() response {
	h.reading.Lock()
	defer h.reading.Unlock()
	d, ok := h.Gatherer.Document()
	if !ok {
		return plain(503, busy)
	}
	d.Argv = nil
	return response{200, typeJSON, append(d.AppendJSON(h.take()), '\n')}
}

func (h *HTTP) metrics(q httpRequest) response {
	open := prefersOpenMetrics(q.accept)
	h.reading.Lock()
	defer h.reading.Unlock()
	text, ok := h.Gatherer.AppendMetrics(h.take(), open)
	switch {
	case !ok:
		return plain(503, busy)
	case open:
		return response{200, typeOpenMetrics, append(text, "# EOF\n"...)}
	default:
		return response{200, typeText, text}
	}
}

// maxSpare is how large a buffer may be that is kept, in bytes.
const maxSpare = 64 << 10

// take returns a buffer for a response. Reading is locked.
func (h *HTTP) take() []byte {
	b := h.spare
	h.spare = nil
	if b == nil {
		b = make([]byte, headRoom, 16<<10)
	}
	return b[:headRoom]
}

// reuse keeps the buffer of a response that was written.
func (h *HTTP) reuse(b []byte) {
	if cap(b) < 16<<10 || cap(b) > maxSpare {
		return
	}
	h.reading.Lock()
	h.spare = b
	h.reading.Unlock()
}

// text returns the whole answer: one write, or the body would wait for the client to
// acknowledge the head (Nagle's algorithm). To HEAD it has no body.
func (r response) text(head bool, now time.Time) []byte {
	h := append(make([]byte, 0, headRoom), "HTTP/1.1 "...)
	h = strconv.AppendInt(h, int64(r.status), 10)
	h = append(h, ' ')
	h = append(h, statusText(r.status)...)
	h = append(h, "\r\nDate: "...)
	h = now.UTC().AppendFormat(h, "Mon, 02 Jan 2006 15:04:05 GMT")
	h = append(h, "\r\nContent-Type: "...)
	h = append(h, r.contentType...)
	h = append(h, "\r\nContent-Length: "...)
	h = strconv.AppendInt(h, int64(len(r.buffer)-headRoom), 10)
	if r.status == 405 {
		h = append(h, "\r\nAllow: GET, HEAD"...)
	}
	h = append(h, "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"...)
	all := r.buffer[headRoom-len(h):]
	copy(all, h)
	if head {
		all = all[:len(h)]
	}
	return all
}

func statusText(status int) string {
	switch status {
	case 200:
		return "OK"
	case 400:
		return "Bad Request"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 408:
		return "Request Timeout"
	case 414:
		return "URI Too Long"
	case 431:
		return "Request Header Fields Too Large"
	case 505:
		return "HTTP Version Not Supported"
	default:
		return "Service Unavailable"
	}
}
