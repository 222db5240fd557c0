package httpget

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// serveRaw serves one connection with handler, after the request was read, and returns
// the address of the server. The test does not end before handler.
func serveRaw(t *testing.T, handler func(conn net.Conn)) (uri string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return // no client came
		}
		defer conn.Close()
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			handler(conn)
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return "http://" + listener.Addr().String()
}

func serve(t *testing.T, handler http.HandlerFunc) (uri string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// says answers with text, and ends the connection.
func says(text string) func(net.Conn) {
	return func(conn net.Conn) { _, _ = io.WriteString(conn, text) }
}

// endless answers with start, and then with rest until the client has gone.
func endless(start, rest string) func(net.Conn) {
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, start)
		for rest = strings.Repeat(rest, 1+4096/len(rest)); err == nil; {
			_, err = io.WriteString(conn, rest)
		}
	}
}

const ok = "HTTP/1.1 200 OK\r\n"

// answers are whole answers, with the body that each has.
var answers = map[string]struct{ text, body string }{
	"a length":              {ok + "Content-Length: 4\r\n\r\nbody", "body"},
	"no body":               {ok + "Content-Length: 0\r\n\r\n", ""},
	"up to the end":         {ok + "\r\nbody", "body"},
	"HTTP/1.0":              {"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nbody", "body"},
	"no reason":             {"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nbody", "body"},
	"line feeds alone":      {"HTTP/1.1 200 OK\nContent-Length: 4\n\nbody", "body"},
	"chunks":                {ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n02\r\ndy\r\n0\r\n\r\n", "body"},
	"no chunk":              {ok + "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", ""},
	"extensions":            {ok + "Transfer-Encoding: chunked\r\n\r\n4;a=\"b\";c\r\nbody\r\n0;d\r\n\r\n", "body"},
	"a padded chunk size":   {ok + "Transfer-Encoding: chunked\r\n\r\n4 \t\r\nbody\r\n0  \r\n\r\n", "body"},
	"trailers":              {ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nA: b\r\n\r\n", "body"},
	"continue":              {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + ok + "Content-Length: 4\r\n\r\nbody", "body"},
	"two answers":           {ok + "Content-Length: 4\r\n\r\nbody" + ok + "Content-Length: 5\r\n\r\nother", "body"},
	"more than its length":  {ok + "Content-Length: 2\r\n\r\nbody", "bo"},
	"identity":              {ok + "Content-Encoding: identity\r\nContent-Length: 4\r\n\r\nbody", "body"},
	"a header of two lines": {ok + "Server: a\r\n b\r\nContent-Length: 4\r\n\r\nbody", "body"},
	"a folded length":       {ok + "Content-Length:\r\n\t4\r\n \r\n\r\nbody", "body"},
	"names in capitals":     {ok + "CONTENT-LENGTH:4\r\ncontent-encoding: IDENTITY \r\n\r\nbody", "body"},
	"NUL bytes in the body": {ok + "Content-Length: 4\r\n\r\n\x00\x00\x00\x00", "\x00\x00\x00\x00"},
	"the longest body":      {ok + "Content-Length: 1048576\r\n\r\n" + strings.Repeat("x", maxBody), strings.Repeat("x", maxBody)},
	"the same to the end":   {ok + "\r\n" + strings.Repeat("x", maxBody), strings.Repeat("x", maxBody)},
}

// refused are answers with a part of the error that each leads to.
var refused = map[string]struct{ text, err string }{
	"nothing":                 {"", "unexpected EOF"},
	"garbage":                 {"SSH-2.0-OpenSSH_9.2\r\n", "malformed status line"},
	"NUL bytes":               {strings.Repeat("\x00", 100) + "\r\n", "malformed status line"},
	"TLS":                     {"\x15\x03\x01\x00\x02\x02\x46", "speaks TLS"},
	"HTTP/2":                  {"\x00\x00\x12\x04\x00\x00\x00\x00\x00", "speaks HTTP/2"},
	"HTTP/2 in words":         {"HTTP/2.0 200 OK\r\n\r\nbody", "malformed status line"},
	"a status of two digits":  {"HTTP/1.1 20 OK\r\n\r\nbody", "malformed status line"},
	"a negative status":       {"HTTP/1.1 -20 OK\r\n\r\nbody", "status"},
	"half a status line":      {"HTTP/1.1 200", "unexpected EOF"},
	"half a header":           {ok + "Content-Length: 4", "unexpected EOF"},
	"a header without colon":  {ok + "Content-Length 4\r\n\r\nbody", "malformed MIME header"},
	"NUL bytes in headers":    {ok + "Content\x00Length: 4\r\n\r\nbody", "malformed MIME header"},
	"a control byte":          {ok + "A: b\x01\r\nContent-Length: 4\r\n\r\nbody", "malformed MIME header"},
	"a carriage return":       {ok + "A: b\rContent-Length: 4\r\n\r\nbody", "malformed MIME header"},
	"a folded first line":     {ok + " Content-Length: 4\r\n\r\nbody", "malformed MIME header"},
	"a space before a colon":  {ok + "Content-Length : 4\r\n\r\nbody", "malformed MIME header"},
	"compressed twice":        {ok + "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n\r\n", "content coding"},
	"status 404":              {"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nbody", `status "404 Not Found"`},
	"status 204":              {"HTTP/1.1 204 No Content\r\n\r\n", "status"},
	"a redirect":              {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "status"},
	"another protocol":        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nbody", "status"},
	"continue, then nothing":  {"HTTP/1.1 100 Continue\r\n\r\n", "unexpected EOF"},
	"less than its length":    {ok + "Content-Length: 5\r\n\r\nbody", "unexpected EOF"},
	"a negative length":       {ok + "Content-Length: -1\r\n\r\nbody", "length"},
	"a signed length":         {ok + "Content-Length: +4\r\n\r\nbody", "length"},
	"a length that overflows": {ok + "Content-Length: 18446744073709551620\r\n\r\nbody", "length"},
	"a huge length":           {ok + "Content-Length: 9223372036854775807\r\n\r\nbody", "longer than 1 MiB"},
	"a length too long":       {ok + "Content-Length: 1048577\r\n\r\nbody", "longer than 1 MiB"},
	"no number as length":     {ok + "Content-Length: four\r\n\r\nbody", "length"},
	"two lengths":             {ok + "Content-Length: 4\r\nContent-Length: 2\r\n\r\nbody", "several lengths"},
	"a length and chunks":     {ok + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", "both"},
	"compressed":              {ok + "Content-Encoding: gzip\r\n\r\n" + gzipped("body"), "content coding"},
	"compressed chunks":       {ok + "Transfer-Encoding: gzip, chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", "transfer codings"},
	"chunked twice":           {ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "transfer codings"},
	"no last chunk":           {chunked("4\r\nbody\r\n"), "unexpected EOF"},
	"half a chunk":            {chunked("4\r\nbo"), "unexpected EOF"},
	"half a chunk size":       {chunked("4"), "unexpected EOF"},
	"a chunk without size":    {chunked("\r\nbody\r\n0\r\n\r\n"), "malformed chunk size"},
	"a negative chunk":        {chunked("-4\r\nbody\r\n0\r\n\r\n"), "malformed chunk size"},
	"a chunk that overflows":  {chunked("10000000000000004\r\nbody\r\n0\r\n\r\n"), "malformed chunk size"},
	"a huge chunk":            {chunked("7fffffffffffffff\r\nbody\r\n0\r\n\r\n"), "longer than 1 MiB"},
	"a chunk size with 0x":    {chunked("0x4\r\nbody\r\n0\r\n\r\n"), "malformed chunk size"},
	"a line feed alone":       {chunked("4\nbody\r\n0\r\n\r\n"), "malformed chunk size"},
	"a chunk too short":       {chunked("5\r\nbody\r\n0\r\n\r\n"), "a chunk ends with"},
	"a chunk too long":        {chunked("2\r\nbody\r\n0\r\n\r\n"), "a chunk ends with"},
	"chunks too long":         {chunked(strings.Repeat("80000\r\n"+strings.Repeat("x", 512<<10)+"\r\n", 3)), "longer than 1 MiB"},
	"small chunks too long":   {chunked(strings.Repeat("1\r\nx\r\n", maxBody/4) + "0\r\n\r\n"), "longer than 1 MiB"},
	"one byte too long":       {ok + "\r\n" + strings.Repeat("x", maxBody+1), "longer than 1 MiB"},
}

func chunked(body string) string { return ok + "Transfer-Encoding: chunked\r\n\r\n" + body }

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func TestGet(t *testing.T) {
	t.Parallel()
	for name, c := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := Get(t.Context(), serveRaw(t, says(c.text)))
			if string(body) != c.body || err != nil {
				t.Errorf("%.60q, %v; want %.60q", body, err, c.body)
			}
		})
	}
}

// What is not one whole answer is an error that says why, and has no body.
func TestGetRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range refused {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := Get(t.Context(), serveRaw(t, says(c.text)))
			if body != nil || err == nil || !strings.Contains(err.Error(), c.err) || strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("%.60q, %v; want an error with %q", body, err, c.err)
			}
		})
	}
}

// A server that never ends its answer does not keep get.
func TestGetEndsWhatIsEndless(t *testing.T) {
	t.Parallel()
	const header, body, line = "headers are longer than 64 KiB", "body is longer than 1 MiB", "a chunk's line is longer than 4 KiB"
	for name, c := range map[string]struct {
		handler func(net.Conn)
		err     string
	}{
		"status line":    {endless("HTTP/1.1 200 ", "O"), header},
		"header":         {endless(ok+"A: ", "b"), header},
		"headers":        {endless(ok, "A: b\r\n"), header},
		"a folded one":   {endless(ok+"A: b\r\n", " c\r\n"), header},
		"continue":       {endless("", "HTTP/1.1 100 Continue\r\n\r\n"), header},
		"empty headers":  {endless(ok, ": b\r\n"), "malformed MIME header"},
		"body":           {endless(ok+"\r\n", "x"), body},
		"chunks":         {endless(chunked(""), "1\r\nx\r\n"), body},
		"a chunk's line": {endless(chunked("4;"), "x"), line},
		"its zeros":      {endless(chunked(""), "0"), line},
		"one chunk":      {endless(chunked("fffffffff\r\n"), "x"), body},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Get(t.Context(), serveRaw(t, c.handler))
			if got != nil || err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%.60q, %v; want an error with %q", got, err, c.err)
			}
		})
	}
}

// The end of its context ends get wherever it waits: the server takes its time, and
// ends the context when it has said a part.
func TestGetIsCanceled(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"says nothing":      "",
		"half a line":       "HTTP/1.1 2",
		"half the headers":  ok + "Content-",
		"half a body":       ok + "Content-Length: 4\r\n\r\nbo",
		"half a chunk":      chunked("4\r\nbo"),
		"half a chunk size": chunked("4"),
		"no end":            ok + "\r\nbody",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), testproc.HangLimit)
			defer cancel()
			body, err := Get(ctx, serveRaw(t, func(conn net.Conn) {
				for i := range text { // a byte at a time
					_, _ = io.WriteString(conn, text[i:i+1])
				}
				cancel()
				_, _ = io.Copy(io.Discard, conn) // until the client has gone
			}))
			if body != nil || !errors.Is(err, context.Canceled) {
				t.Errorf("%.60q, %v; want %v", body, err, context.Canceled)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Get(ctx, "http://127.0.0.1:1/"); !errors.Is(err, context.Canceled) {
		t.Errorf("dialing: %v, want %v", err, context.Canceled)
	}
}

func TestGetAsksFor(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"":             "/",
		"/":            "/",
		"/v4/a-1/task": "/v4/a-1/task",
		"/a%20b":       "/a%20b",
		"/a?b=c":       "/a?b=c",
		"/a b":         "/a%20b",
		"/a\u00e9":     "/a%C3%A9",
	} {
		var host, asked string
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			host, asked = r.Host, r.RequestURI
			if r.Proto != "HTTP/1.1" || !r.Close || r.Header.Get("Accept-Encoding") != "identity" {
				t.Errorf("%s, close %t, %v", r.Proto, r.Close, r.Header)
			}
		})
		if _, err := Get(t.Context(), server+path); err != nil || asked != want || "http://"+host != server {
			t.Errorf("%q: asked %s for %q, %v; want %q", path, host, asked, err, want)
		}
	}
}

func TestGetRefusesAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"", "/task", "127.0.0.1/task", "https://127.0.0.1:1", "file:///etc", "http://", "http:///task", "http://:80/task",
		"http:127.0.0.1", "http://a b", "http://127.0.0.1:x", "http://user@127.0.0.1:1", "http://127.0.0.1:1/\r\nA: b",
		"http://127.0.0.1:1/\x00", "http://a%0d%0ab/", "http://[::1", "http://127.0.0.1:65536/", "http://%00/",
	} {
		if body, err := Get(t.Context(), address); err == nil {
			t.Errorf("%q: %q, want an error", address, body)
		}
	}
}

// What a caller of Do asks for is sent, and what it needs comes back.
func TestDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text    string
		maxBody int
		want    Answer
	}{
		"with a body":        {ok + "Content-Type: text/plain; a=b\r\n\r\nbody", 4, Answer{200, "200 OK", "text/plain; a=b", []byte("body")}},
		"without":            {ok + "Content-Length: 999999999\r\n\r\n", 0, Answer{200, "200 OK", "", nil}},
		"another status":     {"HTTP/1.1 503 Not yet\r\nContent-Encoding: gzip\r\n\r\nbody", 4, Answer{503, "503 Not yet", "", nil}},
		"one without a body": {"HTTP/1.1 204 No Content\r\n\r\n", 4, Answer{204, "204 No Content", "", nil}},
	} {
		conn := &exchange{in: strings.NewReader(c.text)}
		got, err := Do(conn, Request{"/a?b", "localhost:1", "x/1", "text/plain", c.maxBody})
		if !reflect.DeepEqual(got, c.want) || err != nil {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
		asked, err := http.ReadRequest(bufio.NewReader(&conn.out))
		if err != nil {
			t.Fatal(err)
		}
		if h := asked.Header; asked.RequestURI != "/a?b" || asked.Host != "localhost:1" || h.Get("User-Agent") != "x/1" || h.Get("Accept") != "text/plain" {
			t.Errorf("%s: asked for %s of %s with %v", name, asked.RequestURI, asked.Host, h)
		}
	}
}

// An exchange has what a server says, and takes what the client does.
type exchange struct {
	in  io.Reader
	out bytes.Buffer
}

func (e *exchange) Read(b []byte) (int, error)  { return e.in.Read(b) }
func (e *exchange) Write(b []byte) (int, error) { return e.out.Write(b) }

// A Go server, as ECS has it, sends more than 2 KiB in chunks.
func TestGetFromGoServer(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 2048, 2049, 100_000, 1_000_000} {
		want := strings.Repeat("x", size)
		isChunked := make(chan bool, 1)
		uri := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, want)
			isChunked <- w.Header().Get("Content-Length") == ""
		})
		if body, err := Get(t.Context(), uri); string(body) != want || err != nil {
			t.Errorf("%d bytes: got %d, %v", size, len(body), err)
		}
		if !<-isChunked {
			t.Errorf("%d bytes: with a length of the handler's", size)
		}
	}
}

// FuzzReadAnswer compares with net/http: what is taken for an answer is one there too,
// with the same body. No input makes readAnswer read more than its limits, not even one
// that goes on without end.
func FuzzReadAnswer(f *testing.F) {
	for _, c := range answers {
		if len(c.text) < 1000 { // more than that slows the fuzzer down
			f.Add([]byte(c.text), []byte(c.text))
		}
	}
	for _, c := range refused {
		if len(c.text) < 1000 {
			f.Add([]byte(c.text), []byte("1\r\nx\r\n"))
		}
	}
	f.Fuzz(func(t *testing.T, answer, more []byte) {
		whole, err := readAnswer(bytes.NewReader(answer), maxBody)
		body := whole.Body
		if err != nil && (body != nil || errors.Is(err, io.EOF)) {
			t.Fatalf("%.100q and the error %v", body, err)
		}
		if err == nil && whole.Status == http.StatusOK {
			if want, known := bodyByHTTP(t, answer); known && !bytes.Equal(body, want) {
				t.Fatalf("%.100q, net/http has %.100q", body, want)
			}
		}
		endless := &repeated{text: answer, then: more}
		whole, _ = readAnswer(endless, maxBody)
		if endless.read > maxHeader+maxBody+1 || len(whole.Body) > maxBody {
			t.Fatalf("read %d bytes, body of %d", endless.read, len(whole.Body))
		}
	})
}

// repeated is text, and after that then without end, if that is not empty.
type repeated struct {
	text, then []byte
	read       int
}

func (r *repeated) Read(p []byte) (int, error) {
	if len(r.text) == 0 {
		r.text = r.then
	}
	if len(r.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.text)
	r.text = r.text[n:]
	r.read += n
	return n, nil
}

// bodyByHTTP returns the body of an answer that net/http reads. It is not known where
// net/http differs: it takes an answer of 1xx for the last one, and ignores the
// transfer coding of HTTP/1.0.
func bodyByHTTP(t *testing.T, answer []byte) (body []byte, known bool) {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	if err != nil {
		t.Fatalf("net/http: %v", err)
	}
	if response.StatusCode != http.StatusOK || !response.ProtoAtLeast(1, 1) {
		return nil, false
	}
	body, _ = io.ReadAll(response.Body) // perhaps an error of the trailers, which come after it
	return body, true
}
