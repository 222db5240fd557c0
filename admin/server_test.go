package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A testOperation is one that the test brings to its end.
type testOperation struct {
	events        chan supervisor.Event
	text, failure string
}

func newTestOperation() *testOperation {
	return &testOperation{events: make(chan supervisor.Event, 64), text: "done it"}
}

func (o *testOperation) Events() <-chan supervisor.Event { return o.events }
func (o *testOperation) Text() string                    { return o.text }
func (o *testOperation) Failure() string                 { return o.failure }

// A testServer is a Server with answers of the test, at a path.
type testServer struct {
	*Server
	log   lockedBuffer
	stop  func() // as the end of the container, and waits for Run
	large int    // bytes of a document

	operations chan *testOperation // that were asked for
}

// newTestServer returns a server that does not run.
func newTestServer(control string) *testServer {
	s := &testServer{operations: make(chan *testOperation, 100)}
	operation := func() Operation {
		o := newTestOperation()
		s.operations <- o
		return o
	}
	s.Server = &Server{
		Shared:  &Shared{Log: logs.New(&s.log, logs.JSON, logs.LevelInfo, nil)},
		Control: control,
		Status: func(b []byte) []byte {
			return fmt.Appendf(b, `{"version":1,"ready":1,"state":%q}`, strings.Repeat("x", s.large))
		},
		Health: func() (bool, string) { return true, "fine" },
		Reload: operation,
		Scale: func(n int, force bool) Operation {
			o := operation().(*testOperation)
			o.text = fmt.Sprint(n, force)
			return o
		},
	}
	return s
}

// startServer starts a server in this process. All its goroutines have ended when the
// test does: Run returns.
func startServer(t *testing.T, configure ...func(*testServer)) *testServer {
	t.Helper()
	s := newTestServer(filepath.Join(t.TempDir(), "socket"))
	for _, f := range configure {
		f(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	s.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(testproc.HangLimit):
			t.Error("the server does not end")
		}
	})
	t.Cleanup(s.stop)
	waitUntil(t, "the socket", func() bool {
		conn, err := net.Dial("unix", s.Control)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return s
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(testproc.HangLimit)
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited %v for %s", testproc.HangLimit, what)
		}
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// open connects to s, and sends text.
func (s *testServer) open(t *testing.T, text string) *net.UnixConn {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: s.Control, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(testproc.HangLimit))
	if _, err := io.WriteString(conn, text); err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		t.Fatal(err)
	}
	return conn
}

// rest returns what comes until the server closes the connection.
func rest(t *testing.T, conn net.Conn) string {
	t.Helper()
	text, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, unix.ECONNRESET) {
		t.Fatalf("%v after %q", err, text)
	}
	return string(text)
}

func (s *testServer) ask(t *testing.T, text string) string {
	t.Helper()
	conn := s.open(t, text)
	defer conn.Close()
	return rest(t, conn)
}

const (
	askHealth  = `{"version":1,"op":"health"}` + "\n"
	askStatus  = `{"version":1,"op":"status"}` + "\n"
	askReload  = `{"version":1,"op":"reload"}` + "\n"
	fine       = `{"version":1,"healthy":true,"text":"fine"}` + "\n"
	tooMany    = `{"error":"too many clients"}` + "\n"
	tooLong    = `{"error":"the request is longer than 4096 bytes"}` + "\n"
	noRequest  = `{"error":"no request within 5s"}` + "\n"
	notRequest = `{"error":"not a request of the control protocol"}` + "\n"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for text, want := range map[string]string{
		askHealth:                           fine,
		askHealth + askStatus:               fine, // one for each connection
		askStatus:                           `{"version":1,"ready":1,"state":""}` + "\n",
		"rubbish\n":                         notRequest,
		"\n":                                notRequest,
		strings.Repeat("\x00", 4095) + "\n": notRequest,
		strings.Repeat("[", 4095) + "\n":    notRequest,
		strings.Repeat("x", 4096):           tooLong,
		strings.Repeat("x", 1<<20):          tooLong,
		strings.Repeat(" ", 4096-len(askHealth)) + askHealth: fine,
	} {
		if got := s.ask(t, text); got != want {
			t.Errorf("%.40q: %q, want %q", text, got, want)
		}
	}
	if text := s.log.String(); text != "" {
		t.Errorf("logged %s", text)
	}
}

// What a client does wrong, it does to itself.
func TestBadClientsHoldUpNobody(t *testing.T) {
	t.Parallel()
	s := startServer(t, func(s *testServer) { s.large = 4 << 20 })
	var silent []*net.UnixConn
	for range 6 {
		silent = append(silent, s.open(t, `{"version":1,`))
	}
	var deaf []*net.UnixConn
	for range 4 {
		deaf = append(deaf, s.open(t, askStatus)) // its document does not fit the buffer of the socket
	}
	s.open(t, `{"version"`).Close()
	s.open(t, askStatus).Close()
	if err := s.open(t, askHealth[:10]).CloseWrite(); err != nil {
		t.Error(err)
	}
	for range 100 {
		if got := s.ask(t, askHealth); got != fine {
			t.Fatalf("%q", got)
		}
	}
	for _, conn := range silent {
		if got := rest(t, conn); got != noRequest {
			t.Errorf("a silent client gets %q", got)
		}
	}
	s.stop() // returns once the clients that do not read are given up
	for _, conn := range deaf {
		if got := rest(t, conn); len(got) == 0 || len(got) >= s.large {
			t.Errorf("one that did not read gets %d bytes", len(got))
		}
	}
}

// A fault in an answer ends no more than its connection.
func TestPanicsAreLogged(t *testing.T) {
	t.Parallel()
	s := startServer(t, func(s *testServer) {
		s.Status = func([]byte) []byte { panic("of a test") }
	})
	for range 3 {
		if got := s.ask(t, askStatus); got != "" {
			t.Errorf("status is %q", got)
		}
		if got := s.ask(t, askHealth); got != fine {
			t.Errorf("health is %q", got)
		}
	}
	if log := s.log.String(); strings.Count(log, `"msg":"internal error, please report it","error":"of a test","stack":"`) != 3 {
		t.Errorf("logged %s", log)
	}
}

func TestManyClients(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	s := startServer(t, func(s *testServer) {
		status := s.Status
		s.Status = func(b []byte) []byte { <-released; return status(b) }
	})
	t.Cleanup(release)
	for range 2 * maxConnections { // health has connections of its own
		s.open(t, askStatus)
		if got := s.ask(t, askHealth); got != fine {
			t.Errorf("%q", got)
		}
	}
	if got := s.ask(t, askStatus); got != tooMany {
		t.Errorf("%q", got)
	}
	release()
	waitUntil(t, "room", func() bool { return s.ask(t, askHealth) == fine })

	answers := make(chan string, 1000)
	for range cap(answers) {
		go func() {
			conn, err := net.Dial("unix", s.Control)
			if err != nil { // EAGAIN: too many wait to be accepted
				answers <- tooMany
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, askHealth)
			text, _ := io.ReadAll(conn)
			answers <- string(text)
		}()
	}
	count := make(map[string]int)
	for range cap(answers) {
		count[<-answers]++
	}
	if count[fine] == 0 || count[fine]+count[tooMany] != cap(answers) {
		t.Errorf("%v", count)
	}
	if got := s.ask(t, askHealth); got != fine {
		t.Errorf("%q after all", got)
	}
}

// Where all connections are taken, one whose client says nothing makes room.
func TestSilentClientsMakeRoom(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	waitUntil(t, "one to make room", func() bool { // on a slow machine they end by themselves
		var open []*net.UnixConn
		for range maxConnections {
			open = append(open, s.open(t, `{"version":1,`))
		}
		waitUntil(t, "an answer", func() bool { return s.ask(t, askHealth) == fine })
		madeRoom := false
		for _, conn := range open {
			_ = conn.CloseWrite()
			madeRoom = rest(t, conn) == tooMany || madeRoom
		}
		return madeRoom
	})
}

// What connections without a request leave behind is collected too.
func TestConnectionsAloneLeaveNothing(t *testing.T) {
	t.Parallel()
	collected := make(chan struct{})
	s := startServer(t, func(s *testServer) { s.Trim = sync.OnceFunc(func() { close(collected) }) })
	waitUntil(t, "a collection", func() bool {
		s.open(t, "").Close()
		select {
		case <-collected:
			return true
		default:
			return false
		}
	})
}

func TestOperations(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	conn := s.open(t, `{"version":1,"op":"scale","workers":3,"force":true}`+"\n")
	if err := conn.CloseWrite(); err != nil { // it still reads
		t.Fatal(err)
	}
	o := <-s.operations
	o.events <- supervisor.Event{Slot: 1, PID: 2, Step: "starting"}
	o.events <- supervisor.Event{Slot: 1, PID: 2, Step: "ended", Text: "exit 1"}
	close(o.events)
	want := accepted + `{"event":{"slot":1,"pid":2,"step":"starting"}}` + "\n" +
		`{"event":{"slot":1,"pid":2,"step":"ended","text":"exit 1"}}` + "\n" + `{"done":true,"text":"3 true"}` + "\n"
	if got := rest(t, conn); got != want {
		t.Errorf("%s", got)
	}
	conn = s.open(t, askReload)
	o = <-s.operations
	o.failure = "it did not start"
	close(o.events)
	if got := rest(t, conn); got != accepted+`{"error":"it did not start"}`+"\n" {
		t.Errorf("%s", got)
	}
}

// A server that does not even accept a request is given up, and one that has accepted it
// may take as long as it likes.
func TestLimitOfClient(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "socket")
	stalled, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.close()
	last := func(line []byte) (bool, error) { return !strings.Contains(string(line), "accepted"), nil }
	c := Client{address: path}
	if _, err := c.do(request{Op: opReload}, time.Millisecond, last); err == nil || err.Error() != "no answer within 1ms" {
		t.Errorf("%v", err)
	}
	s := startServer(t)
	for limit := 20 * time.Millisecond; ; limit *= 2 { // a slow machine may need more
		c := Client{address: s.Control}
		started := make(chan *time.Timer, 1)
		text, err := c.do(request{Op: opReload}, limit, func(line []byte) (bool, error) {
			if end, _ := last(line); end {
				return true, nil
			}
			o := <-s.operations
			started <- time.AfterFunc(2*limit, func() { close(o.events) })
			return false, nil
		})
		if err == nil && text == "done it" && len(started) == 1 {
			return
		}
		if limit > testproc.HangLimit {
			t.Fatalf("%q, %v", text, err)
		}
	}
}

// What a client has given up before it was accepted is not done.
func TestNothingIsDoneForClientsThatHaveGone(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	s.calls.Lock() // as a server that is stopped
	s.open(t, askReload).Close()
	s.calls.Unlock()
	if got := s.ask(t, askHealth); got != fine {
		t.Errorf("%q", got)
	}
	s.stop()
	if n := len(s.operations); n > 0 {
		t.Errorf("%d reloads", n)
	}
}

// A connection ends with its client: else these would be too many.
func TestClientsThatGo(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for range 3 * maxFollowers {
		var o *testOperation
		waitUntil(t, "room", func() bool {
			conn := s.open(t, askReload)
			defer conn.Close()
			select {
			case o = <-s.operations:
				o.events <- supervisor.Event{Step: "starting"}
				_, err := io.ReadFull(conn, make([]byte, len(accepted)+1))
				return err == nil
			case <-time.After(50 * time.Millisecond): // it was refused, or has not been served yet
				return false
			}
		})
		if len(o.events) > 0 {
			t.Error("the event was not sent")
		}
	}
}

// Clients that wait for a reload keep no others from status and health.
func TestFollowersLeaveRoom(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	var waiting []*net.UnixConn
	for range maxFollowers {
		waiting = append(waiting, s.open(t, askReload))
		<-s.operations
	}
	if got := s.ask(t, askReload); !strings.Contains(got, "too many clients wait for a reload or scale") {
		t.Errorf("%q", got)
	}
	if got := s.ask(t, askHealth); got != fine {
		t.Errorf("%q", got)
	}
	s.stop()
	for _, conn := range waiting {
		if got := rest(t, conn); got != accepted+`{"error":"stopping"}`+"\n" {
			t.Errorf("%q at the end", got)
		}
	}
	if _, err := os.Lstat(s.Control); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
}

// What an operation has reported by the end of the container is passed on.
func TestEndsOfOperationsArrive(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	conn := s.open(t, askReload)
	o := <-s.operations
	o.failure = "stopping"
	o.events <- supervisor.Event{Step: "ready"}
	close(o.events)
	s.stop()
	if got := rest(t, conn); got != accepted+`{"event":{"slot":0,"step":"ready"}}`+"\n"+`{"error":"stopping"}`+"\n" {
		t.Errorf("%q", got)
	}
}
