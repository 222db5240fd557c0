package admin

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/supervisor"
)

// An HTTP server answers GET and HEAD requests for /metrics, /livez, /readyz and /status at
// a TCP port. Nothing can be changed over it. Set the fields, call Listen, and then Run
// once.
type HTTP struct {
	*Shared // with other servers
	// Gatherer makes what is served. It is used with the lock for reading.
	Gatherer *Gatherer
	// Live reports whether PID 1 does its work. It may take some seconds.
	Live func() bool
	// App, if set, returns families of the application, which follow those of nodeinit, in
	// OpenMetrics if that is asked for and can be. It is given what the client accepts, and
	// how long that waits, 0 if it does not say so.
	App func(ctx context.Context, accept string, timeout time.Duration, openMetrics bool) (families []byte, isOpenMetrics bool)

	acceptor acceptor
	listener *listener
	long     atomic.Int32 // connections that want a document: others are for probes, which wait for none
	spare    []byte       // a buffer that is not in use; under the lock for reading
}

// Listen opens the port; the zero address is all. If there is no error, call Run then.
func (h *HTTP) Listen(ip netip.Addr, port int) (err error) {
	h.listener, h.Gatherer.ownSocket, err = listenTCP(ip, port)
	return err
}

// Run serves until ctx is done, and returns when all connections have ended.
func (h *HTTP) Run(ctx context.Context) {
	h.acceptor = acceptor{shared: h.Shared, answer: h.answer, refuse: func(fd int, _ error) { unix.Close(fd) }}
	h.acceptor.run(ctx, h.listener)
}

// Statuses of answers.
const (
	httpOK           = "200 OK"
	httpBad          = "400 Bad Request"
	httpNotFound     = "404 Not Found"
	httpMethod       = "405 Method Not Allowed"
	httpTimeout      = "408 Request Timeout"
	httpLongTarget   = "414 URI Too Long"
	httpLongFields   = "431 Request Header Fields Too Large"
	httpUnavailable  = "503 Service Unavailable"
	httpOtherVersion = "505 HTTP Version Not Supported"
)

// Types of content.
const (
	typePlain       = "text/plain; charset=utf-8"
	typeJSON        = "application/json"
	typeText        = "text/plain; version=0.0.4; charset=utf-8"
	typeOpenMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"
)

// A response is the answer to a request.
type response struct {
	status      string // "": none
	contentType string
	buffer      []byte // room for the head, and then the body
}

const (
	headRoom = 512       // bytes, enough for any head
	newSpare = 16 << 10  // of a buffer for documents, at first
	maxSpare = 128 << 10 // of one that is kept

	// httpGarbage is what a request leaves behind, in bytes, about: BenchmarkHTTP.
	httpGarbage = 4 << 10
)

// plain makes r one line of text.
func (r *response) plain(status, text string) {
	r.status, r.contentType = status, typePlain
	r.buffer = append(append(make([]byte, headRoom, headRoom+len(text)+1), text...), '\n')
}

// answer serves one client.
func (h *HTTP) answer(ctx context.Context, c *connection) {
	head, all, err := h.acceptor.readRequest(ctx, c, headEnd)
	var q httpRequest
	var r response
	switch {
	case err == nil:
		h.respond(ctx, &r, &q, head)
	case errors.Is(err, errTooLate) && len(all) > 0:
		r.plain(httpTimeout, err.Error())
	case errors.Is(err, errTooLong):
		r.plain(httpLongFields, err.Error())
		if line, _ := nextLine(all); len(line) == len(all) {
			r.status = httpLongTarget
		}
	}
	if r.status != "" {
		h.acceptor.waiting.add(c)
		if c.write(r.bytes(q.method == "HEAD")) == nil && (q.hasBody || len(head) < len(all)) {
			c.linger()
		}
		h.acceptor.waiting.remove(c)
	}
	h.keep(r.buffer)
	h.leave(httpGarbage)
}

// respond makes the answer to a request.
func (h *HTTP) respond(ctx context.Context, r *response, q *httpRequest, head []byte) {
	status := q.parse(head)
	switch {
	case status != "":
		r.plain(status, "this is no request of HTTP/1.1 that nodeinit takes")
	case q.path != "/metrics" && q.path != "/livez" && q.path != "/readyz" && q.path != "/status":
		r.plain(httpNotFound, "there are /metrics, /livez, /readyz and /status")
	case q.method != "GET" && q.method != "HEAD":
		r.plain(httpMethod, "GET and HEAD only: nothing can be changed here")
	case q.hasBody:
		r.plain(httpBad, "a request with a body")
	case q.path == "/livez":
		r.ifOK(h.Live(), "nodeinit runs")
	case q.path == "/readyz":
		status, ok := h.Gatherer.Status()
		healthy, text := supervisor.Health(status, time.Now())
		if r.ifOK(ok, text); ok && !healthy {
			r.status = httpUnavailable
		}
	default:
		h.document(ctx, r, q)
	}
}

// ifOK makes r one line of text, or if the supervisor has not answered in time, that.
func (r *response) ifOK(ok bool, text string) {
	if !ok {
		r.plain(httpUnavailable, "nodeinit is too busy to tell its status")
		return
	}
	r.plain(httpOK, text)
}

// document makes r the metrics, or the [Document] without the command line, in which there
// may be secrets.
func (h *HTTP) document(ctx context.Context, r *response, q *httpRequest) {
	defer h.long.Add(-1)
	if h.long.Add(1) > maxLong {
		r.plain(httpUnavailable, errTooMany.Error())
		return
	}
	var app []byte
	open := prefersOpenMetrics(q.accept)
	if h.App != nil && q.path == "/metrics" {
		app, open = h.App(ctx, q.accept, q.timeout, open)
	}
	h.reading.Lock()
	defer h.reading.Unlock()
	if h.spare == nil {
		h.spare = make([]byte, headRoom, newSpare)
	}
	b, ok := h.spare[:headRoom], false
	if r.contentType = typeText; open {
		r.contentType = typeOpenMetrics
	}
	if q.path == "/metrics" {
		b, ok = h.Gatherer.AppendMetrics(b, open)
		if b = append(b, app...); open {
			b = append(b, "# EOF\n"...)
		}
	} else {
		var d *Document
		if d, ok = h.Gatherer.Document(); ok {
			d.Argv, r.contentType = nil, typeJSON
			b = append(d.AppendJSON(b), '\n')
		}
	}
	if !ok {
		r.ifOK(false, "")
		return
	}
	r.status, r.buffer, h.spare = httpOK, b, nil // until it is written
}

// keep keeps the buffer of a document that was written, for the next one.
func (h *HTTP) keep(b []byte) {
	if cap(b) >= newSpare && cap(b) <= maxSpare {
		h.reading.Lock()
		h.spare = b
		h.reading.Unlock()
	}
}

// bytes returns the whole answer, which belongs into one write: the body would wait until
// the client acknowledges the head (Nagle's algorithm). To HEAD it has no body.
func (r *response) bytes(toHead bool) []byte {
	allow := ""
	if r.status == httpMethod {
		allow = "\r\nAllow: GET, HEAD"
	}
	head := "HTTP/1.1 " + r.status + "\r\nDate: " + time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") +
		"\r\nContent-Type: " + r.contentType + "\r\nContent-Length: " + strconv.Itoa(len(r.buffer)-headRoom) + allow +
		"\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
	start := headRoom - len(head)
	copy(r.buffer[start:], head)
	if toHead {
		return r.buffer[start:headRoom]
	}
	return r.buffer[start:]
}
