package admin

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A testHTTP is an HTTP server of the test at a free port of 127.0.0.1.
type testHTTP struct {
	*HTTP
	address string

	mu     sync.Mutex
	status supervisor.Status
	dead   bool // the supervisor does not answer
}

// running is the state of a container in which all is well.
func running() supervisor.Status {
	return supervisor.Status{State: "running", Ready: 1, Want: 1, Workers: []supervisor.WorkerStatus{{State: "ready", Serves: true, Current: true}}}
}

// startHTTP starts a server. All its goroutines have ended when the test does: Run returns.
func startHTTP(t testing.TB, configure ...func(*HTTP)) *testHTTP {
	t.Helper()
	s := &testHTTP{status: running()}
	g := gathererOf(supervisor.WorkerStatus{})
	g.Argv = []string{"node", "--secret"}
	g.Status = func() (supervisor.Status, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.status, !s.dead
	}
	live := func() bool { _, ok := g.Status(); return ok }
	s.HTTP = &HTTP{Shared: new(Shared), Gatherer: g, Live: live}
	for _, f := range configure {
		f(s.HTTP)
	}
	if err := s.Listen(netip.MustParseAddr("127.0.0.1"), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.listener.conn.Control(func(fd uintptr) {
		address, err := unix.Getsockname(int(fd))
		if err != nil {
			t.Error(err)
			return
		}
		s.address = fmt.Sprintf("127.0.0.1:%d", address.(*unix.SockaddrInet4).Port)
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(testproc.HangLimit):
			t.Error("the server does not end")
		}
	})
	return s
}

func (s *testHTTP) set(status supervisor.Status, dead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.dead = status, dead
}

// open connects, and sends text.
func (s *testHTTP) open(t testing.TB, text string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(testproc.HangLimit))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// ask returns the whole answer to what is sent.
func (s *testHTTP) ask(t testing.TB, text string) string {
	t.Helper()
	c := s.open(t, text)
	defer c.Close()
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("%.80q: %v after %q", text, err, answer)
	}
	return string(answer)
}

// get is a request as a client makes it.
func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n" }

// parts returns the first line, the fields and the body of an answer. It checks those
// fields that each has.
func parts(t testing.TB, answer string) (status string, fields []string, body string) {
	t.Helper()
	head, body, ok := strings.Cut(answer, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	if !ok || len(lines) < 2 {
		t.Fatalf("no answer: %q", answer)
	}
	for _, field := range []string{"Connection: close", "Cache-Control: no-store"} {
		if !slices.Contains(lines, field) {
			t.Errorf("no %s in %q", field, head)
		}
	}
	return strings.TrimPrefix(lines[0], "HTTP/1.1 "), lines[1:], body
}

func TestHTTPAnswers(t *testing.T) {
	t.Parallel()
	s := startHTTP(t)
	const long = "GET /livez HTTP/1.1\r\nHost: a\r\n"
	for request, want := range map[string]string{
		get("/livez"):                                        "200 OK, nodeinit runs",
		get("/readyz?verbose"):                               "200 OK, the program is ready",
		get("/metrics"):                                      "200 OK, # HELP nodeinit_build_info ",
		get("/status"):                                       `200 OK, {"version":1,`,
		get("http://any:1/livez"):                            "200 OK, nodeinit runs",
		"GET /livez HTTP/1.0\r\n\r\n":                        "200 OK, nodeinit runs",
		"\r\n\n" + get("/livez"):                             "200 OK, nodeinit runs",
		"GET /livez HTTP/1.1\nHost:\n\n":                     "200 OK, nodeinit runs",
		long + "Content-Length: 0\r\n\r\n":                   "200 OK, nodeinit runs",
		get("/livez") + get("/x"):                            "200 OK, nodeinit runs",
		get("/"):                                             "404 Not Found, there are /metrics",
		get("/livez/"):                                       "404 Not Found, ",
		get("/%6civez"):                                      "404 Not Found, ",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n":              "404 Not Found, ",
		"POST /livez HTTP/1.1\r\nHost: a\r\n\r\n":            "405 Method Not Allowed, GET and HEAD only",
		"get /livez HTTP/1.1\r\nHost: a\r\n\r\n":             "405 Method Not Allowed, ",
		"DELETE /status HTTP/1.1\r\nHost: a\r\n\r\n":         "405 Method Not Allowed, ",
		long + "Content-Length: 5\r\n\r\nhello":              "400 Bad Request, a request with a body",
		long + "Content-Length: x\r\n\r\n":                   "400 Bad Request, ",
		long + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n": "400 Bad Request, ",
		"GET /livez HTTP/1.1\r\n\r\n":                        "400 Bad Request, ",
		long + "Host: b\r\n\r\n":                             "400 Bad Request, ",
		long + "A : b\r\n\r\n":                               "400 Bad Request, ",
		long + "A: b\r\n c\r\n\r\n":                          "400 Bad Request, ",
		long + "A: b\x00\r\n\r\n":                            "400 Bad Request, ",
		long + "A\r\n\r\n":                                   "400 Bad Request, ",
		long + ": b\r\n\r\n":                                 "400 Bad Request, ",
		"GET /livez\r\n\r\n":                                 "400 Bad Request, ",
		"GET livez HTTP/1.1\r\nHost: a\r\n\r\n":              "400 Bad Request, ",
		"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n":           "400 Bad Request, ",
		"GET  /livez HTTP/1.1\r\nHost: a\r\n\r\n":            "400 Bad Request, ",
		"GET /livez HTTP/1.1 \r\nHost: a\r\n\r\n":            "400 Bad Request, ",
		"GET /livez http/1.1\r\nHost: a\r\n\r\n":             "400 Bad Request, ",
		"G(T /livez HTTP/1.1\r\nHost: a\r\n\r\n":             "400 Bad Request, ",
		"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n":               "400 Bad Request, ",
		"GET /livez HTTP/2.0\r\nHost: a\r\n\r\n":             "505 HTTP Version Not Supported, ",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                   "505 HTTP Version Not Supported, ",
		long + "A: " + strings.Repeat("b", maxRequest):       "431 Request Header Fields Too Large, ",
		"GET /" + strings.Repeat("b", maxRequest):            "414 URI Too Long, ",
	} {
		status, fields, body := parts(t, s.ask(t, request))
		if got := status + ", " + body; !strings.HasPrefix(got, want) {
			t.Errorf("%.80q: %.120q, want %q", request, got, want)
		}
		if length := fmt.Sprintf("Content-Length: %d", len(body)); !slices.Contains(fields, length) {
			t.Errorf("%.80q: no %s in %q", request, length, fields)
		}
		if allow := slices.Contains(fields, "Allow: GET, HEAD"); allow != strings.HasPrefix(want, "405") {
			t.Errorf("%.80q: %q", request, fields)
		}
		if strings.Contains(body, "secret") {
			t.Errorf("%.80q: the command line is in %q", request, body)
		}
	}
}

// HEAD has the fields of GET, and no body.
func TestHTTPHead(t *testing.T) {
	t.Parallel()
	s := startHTTP(t)
	undated := func(fields []string) (rest []string) {
		for _, f := range fields {
			if name, _, _ := strings.Cut(f, ":"); name != "Date" {
				rest = append(rest, f)
			}
		}
		return rest
	}
	for _, path := range []string{"/livez", "/readyz", "/nowhere"} {
		wantStatus, want, body := parts(t, s.ask(t, get(path)))
		status, got, none := parts(t, s.ask(t, strings.Replace(get(path), "GET", "HEAD", 1)))
		if status != wantStatus || !slices.Equal(undated(got), undated(want)) || none != "" || body == "" {
			t.Errorf("%s: %s %q %q, want %s %q", path, status, got, none, wantStatus, want)
		}
	}
	for accept, kind := range map[string]string{"*/*": typeText, "application/openmetrics-text;version=1.0.0": typeOpenMetrics} {
		_, fields, none := parts(t, s.ask(t, "HEAD /metrics HTTP/1.1\r\nHost: a\r\nAccept: "+accept+"\r\n\r\n"))
		if !slices.Contains(fields, "Content-Type: "+kind) || none != "" {
			t.Errorf("%s: %q %q", accept, fields, none)
		}
	}
}

// What probes get in each state.
func TestHTTPProbes(t *testing.T) {
	t.Parallel()
	s := startHTTP(t)
	for name, c := range map[string]struct {
		state       string
		ready       int
		dead        bool
		live, probe string
	}{
		"before the start": {"", 0, false, "200 OK", "503 Service Unavailable, not started yet"},
		"starting":         {"running", 0, false, "200 OK", "503 Service Unavailable, the program is not ready"},
		"running":          {"running", 1, false, "200 OK", "200 OK, the program is ready"},
		"drain delay":      {"drainDelay", 0, false, "200 OK", "503 Service Unavailable, stopping: the drain delay is running"},
		"stopping":         {"stopping", 0, false, "200 OK", "503 Service Unavailable, stopping"},
		"ended":            {"ended", 0, false, "200 OK", "503 Service Unavailable, stopping: all workers have ended"},
		"no answer":        {"running", 1, true, "503 Service Unavailable", "503 Service Unavailable, nodeinit is too busy"},
	} {
		status := supervisor.Status{State: c.state, Ready: c.ready}
		if c.ready > 0 {
			status.Workers = running().Workers
		}
		s.set(status, c.dead)
		live, _, _ := parts(t, s.ask(t, get("/livez")))
		ready, _, body := parts(t, s.ask(t, get("/readyz")))
		if live != c.live || !strings.HasPrefix(ready+", "+body, c.probe) {
			t.Errorf("%s: %s, %s, %q, want %s, %s", name, live, ready, body, c.live, c.probe)
		}
		for _, path := range []string{"/metrics", "/status"} {
			waitUntil(t, path, func() bool { // the last metrics may be served for a moment
				got, _, _ := parts(t, s.ask(t, get(path)))
				return (got == "503 Service Unavailable") == c.dead
			})
		}
	}
}

// probe asks until it is answered: one that is slow to send its request makes room.
func (s *testHTTP) probe(t *testing.T) {
	waitUntil(t, "an answer", func() bool {
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Error(err)
			return true
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(testproc.HangLimit))
		_, _ = io.WriteString(c, get("/readyz"))
		answer, _ := io.ReadAll(c)
		if len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 200 OK\r\n") {
			t.Errorf("%q", answer)
		}
		return len(answer) > 0
	})
}

// Clients that send nothing, half a request, or do not read do not keep others waiting, and
// nobody is refused.
func TestHTTPMakesRoom(t *testing.T) {
	t.Parallel()
	s := startHTTP(t)
	many := running()
	for i := range 4000 { // more than the buffers of a connection take
		many.Workers = append(many.Workers, supervisor.WorkerStatus{Slot: i, State: "waiting", Current: true})
	}
	s.set(many, false)
	slow := func() {
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.(*net.TCPConn).SetReadBuffer(1 << 10)
		if _, err := io.WriteString(c, get("/metrics")); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 * maxConnections {
		switch i % 3 {
		case 0:
			s.open(t, "")
		case 1:
			s.open(t, "GET /livez HTTP/1.1\r\nHo")
		default:
			slow()
		}
		s.probe(t)
	}
	s.set(running(), false)
	var all sync.WaitGroup
	for range 20 * maxConnections {
		all.Go(func() { s.probe(t) })
	}
	all.Wait()
}

// A client that sends more than is read gets its answer all the same, and no reset.
func TestHTTPAnswersWhatIsTooMuch(t *testing.T) {
	t.Parallel()
	s := startHTTP(t)
	body := strings.Repeat("x", 500<<10)
	for _, request := range []string{
		"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 512000\r\n\r\n" + body,
		"GET /" + body + " HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		if status, _, _ := parts(t, s.ask(t, request)); !strings.HasPrefix(status, "4") {
			t.Errorf("%s", status)
		}
	}
}

// What the application has follows, in the format that it decides.
func TestHTTPOfTheApplication(t *testing.T) {
	t.Parallel()
	s := startHTTP(t, func(h *HTTP) {
		h.App = func(_ context.Context, accept string, timeout time.Duration, open bool) ([]byte, bool) {
			return fmt.Appendf(nil, "app{accept=%q,timeout=\"%v\",open=\"%v\"} 1\n", accept, timeout, open), accept == ",b"
		}
	})
	for accept, want := range map[string]string{
		"application/openmetrics-text": `app{accept=",application/openmetrics-text",timeout="1.5s",open="true"} 1` + "\n",
		"b":                            `app{accept=",b",timeout="1.5s",open="false"} 1` + "\n# EOF\n",
	} {
		_, fields, body := parts(t, s.ask(t, "GET /metrics HTTP/1.1\r\nHost: a\r\nX-Prometheus-Scrape-Timeout-Seconds: 1.5\r\nAccept: "+accept+"\r\n\r\n"))
		kind := typeText
		if accept == "b" {
			kind = typeOpenMetrics
		}
		if !strings.HasSuffix(body, "\n"+want) || !slices.Contains(fields, "Content-Type: "+kind) {
			t.Errorf("%s: %q, %q", accept, fields, body[max(len(body)-200, 0):])
		}
	}
}

// Where the address is taken, that is an error, and one of two names of all addresses.
func TestHTTPListenErrors(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	for _, ip := range []netip.Addr{{}, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::ffff:127.0.0.1"), netip.MustParseAddr("::")} {
		h := &HTTP{Gatherer: new(Gatherer)}
		if err := h.Listen(ip, port); err != unix.EADDRINUSE {
			t.Errorf("%v: %v", ip, err)
		}
	}
	h := &HTTP{Gatherer: new(Gatherer)}
	if err := h.Listen(netip.MustParseAddr("192.0.2.1"), port); err != unix.EADDRNOTAVAIL {
		t.Errorf("an address that is not here: %v", err)
	}
}

// BenchmarkHTTP shows what a request leaves behind: httpGarbage.
func BenchmarkHTTP(b *testing.B) {
	for _, path := range []string{"/livez", "/metrics"} {
		b.Run(path, func(b *testing.B) {
			s := startHTTP(b)
			b.ReportAllocs()
			answer := make([]byte, 64<<10)
			for b.Loop() {
				var r response
				var q httpRequest
				s.respond(b.Context(), &r, &q, []byte(get(path)))
				copy(answer, r.bytes(false))
				s.keep(r.buffer)
			}
		})
	}
}
