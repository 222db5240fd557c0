package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/supervisor"
)

// askerOf returns an Asker for the server at address, an http URL or host and port.
func askerOf(t *testing.T, address string) *Asker {
	t.Helper()
	at, err := netip.ParseAddrPort(strings.TrimPrefix(address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return &Asker{
		UserAgent: "nodeinit/1 (test)", Shared: new(Shared),
		Connect: func(supervisor.WorkerStatus, int) (int, error) { return dialTCP(at) },
	}
}

// listen serves each connection with handler until the test ends.
func listenFor(t *testing.T, handler func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			handler(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func TestAskerGets(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "127.0.0.1:3000" || r.UserAgent() != "nodeinit/1 (test)" || r.Header.Get("Accept") != "text/plain" || !r.Close {
			t.Errorf("%s of %s", r.Header, r.Host)
		}
		if r.URL.Path == "/503" {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, r.RequestURI)
	}))
	defer server.Close()
	a := askerOf(t, server.URL)
	get := func(path string, maxBody int) Answer {
		t.Helper()
		answer, err := a.Get(t.Context(), supervisor.WorkerStatus{}, Route{3000, path}, "text/plain", maxBody)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	if got := get("/a?b=c", 100); got.Status != 200 || string(got.Body) != "/a?b=c" || !strings.HasPrefix(got.ContentType, "text/plain") {
		t.Errorf("%+v", got)
	}
	if got := get("/a", 0); got.Status != 200 || got.Body != nil {
		t.Errorf("no body asked for: %+v", got)
	}
	if got := get("/503", 100); got.Status != 503 || got.Body != nil {
		t.Errorf("%+v", got)
	}
}

func TestAskerSaysWhy(t *testing.T) {
	t.Parallel()
	says := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, text)
		}
	}
	for name, c := range map[string]struct {
		handler func(net.Conn)
		err     string
	}{
		"closed":   {says(""), "without an answer, as a server does that speaks TLS"},
		"half":     {says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), "before the end of its answer"},
		"too long": {says("HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n"), "body is longer than 4 MiB"},
		"TLS":      {says("\x15\x03\x01\x00\x02\x02\x46"), "it speaks TLS"},
		"garbage":  {says("hello\n"), `malformed status line "hello"`},
		"silent":   {func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, "no answer within 50ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := testproc.HangLimit
			if name == "silent" {
				limit = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			answer, err := askerOf(t, listenFor(t, c.handler)).Get(ctx, supervisor.WorkerStatus{}, Route{0, "/"}, "", 4<<20)
			if err == nil || !strings.Contains(err.Error(), c.err) || answer.Status != 0 {
				t.Errorf("%+v, %v; want %q", answer, err, c.err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := askerOf(t, listenFor(t, says(""))).Get(ctx, supervisor.WorkerStatus{}, Route{0, "/"}, "", 0); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	refused := errors.New("no")
	a := &Asker{Shared: new(Shared), Connect: func(supervisor.WorkerStatus, int) (int, error) { return -1, refused }}
	if _, err := a.Get(t.Context(), supervisor.WorkerStatus{}, Route{0, "/"}, "", 0); err != refused {
		t.Errorf("no connection: %v", err)
	}
}

// A program without an agent is found by its process ID.
func TestConnectToByAddress(t *testing.T) {
	t.Parallel()
	own := supervisor.WorkerStatus{PID: os.Getpid()}
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "[::]", "[::1]", "127.0.0.9"} {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		fd, err := ConnectTo(nil, 0, &own, l.Addr().(*net.TCPAddr).Port)
		if err != nil {
			t.Fatal(err)
		}
		client := os.NewFile(uintptr(fd), "client")
		defer client.Close()
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		server.Close()
	}
	if fd, err := ConnectTo(nil, 0, &supervisor.WorkerStatus{PID: 1 << 30}, 0); err == nil || !strings.Contains(err.Error(), "port is not known") {
		t.Errorf("no process: descriptor %d, %v", fd, err)
	}
}
