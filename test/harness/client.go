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

// A Client is an HTTP/1.1 connection to a server, kept open as long as the server
// allows.
type Client struct {
	net.Conn
	In *bufio.Reader // what the server sends
	t  *testing.T
}

// NewClient makes a client of a connection, which is closed with the test.
func NewClient(t *testing.T, conn net.Conn) *Client {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(testproc.HangLimit))
	return &Client{Conn: conn, In: bufio.NewReader(conn), t: t}
}

// Request sends a request, with more lines in its head.
func (c *Client) Request(path string, more ...string) {
	c.t.Helper()
	head := append([]string{"GET " + path + " HTTP/1.1", "Host: here"}, more...)
	if _, err := io.WriteString(c, strings.Join(head, "\r\n")+"\r\n\r\n"); err != nil {
		c.t.Fatal(err)
	}
}

// Expect checks the next response, and whether it is the last on its connection.
func (c *Client) Expect(body string, last bool) {
	c.t.Helper()
	if got := c.ExpectBody(body); got != last {
		c.t.Fatalf("Connection: close on %q: %v, want %v", body, got, last)
	}
	if last {
		c.ExpectEnd()
	}
}

// ExpectBody checks the next response, and returns whether it is the last.
func (c *Client) ExpectBody(body string) (last bool) {
	c.t.Helper()
	response, err := http.ReadResponse(c.In, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	got, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || string(got) != body {
		c.t.Fatalf("%s: %q (%v), want %q", response.Status, got, err, body)
	}
	return response.Close
}

// UntilClosed asks until a response is the last on the connection: by then
// the agent has its order, which is slower than the log and a signal.
func (c *Client) UntilClosed() {
	c.t.Helper()
	WaitUntil(c.t, "a response that closes its connection", func() bool {
		c.Request("/")
		return c.ExpectBody("served\n")
	})
	c.ExpectEnd()
}

// ReadTo reads up to the end of the next text.
func (c *Client) ReadTo(text string) {
	c.t.Helper()
	var got []byte
	for !strings.HasSuffix(string(got), text) {
		b, err := c.In.ReadByte()
		if err != nil {
			c.t.Fatalf("%q and %v, want %q", got, err, text)
		}
		got = append(got, b)
	}
}

// ExpectEnd checks that the connection ends, and is not broken.
func (c *Client) ExpectEnd() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.In); err != nil || len(rest) > 0 {
		c.t.Errorf("%q and %v, want the end of the connection", rest, err)
	}
}

// Response returns the body of the next response, and whether it is the last.
func (c *Client) Response() (body string, last bool) {
	c.t.Helper()
	response, err := http.ReadResponse(c.In, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text), response.Close
}

// ExpectClosed waits for the end of a connection, whatever comes before it: an HTTP/2
// server says hello first.
func (c *Client) ExpectClosed() {
	c.t.Helper()
	for {
		if _, err := c.In.ReadByte(); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				c.t.Error("not closed")
			}
			return
		}
	}
}
