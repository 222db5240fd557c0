package harness

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// NewClient is a client on a connection, which is closed with the test.
func NewClient(t *testing.T, conn net.Conn) *Client {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(testproc.HangLimit))
	return &Client{conn, t, bufio.NewReader(conn)}
}

// Response returns the next one, and whether it is the last.
func (v *Client) Response() (body string, last bool) {
	v.t.Helper()
	response, err := http.ReadResponse(v.In, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return string(text), response.Close
}

// ExpectClosed waits for the end of a connection, whatever comes before it: an HTTP/2
// server says hello first.
func (v *Client) ExpectClosed() {
	v.t.Helper()
	for {
		if _, err := v.In.ReadByte(); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				v.t.Error("not closed")
			}
			return
		}
	}
}

// A Client is a client's connection, which it keeps as long as it may.
type Client struct {
	net.Conn
	t  *testing.T
	In *bufio.Reader
}

// Request sends a request, with more lines in its head.
func (v *Client) Request(path string, more ...string) {
	v.t.Helper()
	head := append([]string{"GET " + path + " HTTP/1.1", "Host: here"}, more...)
	if _, err := io.WriteString(v, strings.Join(head, "\r\n")+"\r\n\r\n"); err != nil {
		v.t.Fatal(err)
	}
}

// Expect checks the next answer, and whether it is the last on its connection.
func (v *Client) Expect(body string, last bool) {
	v.t.Helper()
	if got := v.ExpectBody(body); got != last {
		v.t.Fatalf("Connection: close on %q: %v, want %v", body, got, last)
	}
	if last {
		v.ExpectEnd()
	}
}

// ExpectBody returns whether the next answer is the last.
func (v *Client) ExpectBody(body string) (last bool) {
	v.t.Helper()
	response, err := http.ReadResponse(v.In, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	got, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || string(got) != body {
		v.t.Fatalf("%s: %q (%v), want %q", response.Status, got, err, body)
	}
	return response.Close
}

// UntilClosed asks until an answer is the last on the connection, which is when
// the agent has got its orders: the log, and a signal, are faster than those.
func (v *Client) UntilClosed() {
	v.t.Helper()
	WaitUntil(v.t, "a client to be told to go", func() bool {
		v.Request("/")
		return v.ExpectBody("served\n")
	})
	v.ExpectEnd()
}

// ReadTo ReadTo up to the end of a text that is to come.
func (v *Client) ReadTo(text string) {
	v.t.Helper()
	var got []byte
	for !strings.HasSuffix(string(got), text) {
		b, err := v.In.ReadByte()
		if err != nil {
			v.t.Fatalf("%q and %v, want %q", got, err, text)
		}
		got = append(got, b)
	}
}

// ExpectEnd checks that the connection ends, and is not broken.
func (v *Client) ExpectEnd() {
	v.t.Helper()
	if rest, err := io.ReadAll(v.In); err != nil || len(rest) > 0 {
		v.t.Errorf("%q and %v, want the end of the connection", rest, err)
	}
}
