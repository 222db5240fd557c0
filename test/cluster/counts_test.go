package cluster

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// A counted is testdata/agent/counts.js under nodeinit.
type counted struct {
	*testproc.Process
	t     *testing.T
	ports map[string]string // by kind of server
	trust *tls.Config
}

// startCounted starts it, and waits until all its servers listen.
func (s start) startCounted(t *testing.T) *counted {
	t.Helper()
	certificate := newCertificate(t)
	options, err := json.Marshal(certificate.options)
	if err != nil {
		t.Fatal(err)
	}
	p := harness.WithEnv(s.node(t, "--log-level off", "counts.js"), "TEST_TLS="+string(options)).Start(t)
	k := &counted{Process: p, t: t, ports: make(map[string]string), trust: certificate.client()}
	for range 5 {
		name, port, _ := strings.Cut(p.Line(), " ")
		k.ports[name] = port
	}
	return k
}

// until waits until status shows these counts. A number of requests above that is wrong.
func (k *counted) until(connections, requests int) {
	k.t.Helper()
	enter := []string{"nsenter", "--target", fmt.Sprint(k.PID), "--pid", "--mount"}
	if os.Getuid() != 0 {
		enter = append(enter, "--user", "--preserve-credentials")
	}
	status := testproc.Command{Argv: slices.Concat(enter, []string{harness.Nodeinit, "status", "--json"})}
	harness.WaitUntil(k.t, fmt.Sprintf("%d connections and %d requests", connections, requests), func() bool {
		p := status.Start(k.t)
		p.WaitCode(0)
		var document struct {
			Workers []struct{ Connections, Requests *int }
		}
		if err := json.Unmarshal([]byte(p.Output()), &document); err != nil || len(document.Workers) != 1 {
			k.t.Fatalf("%v: %s", err, p.Output())
		}
		w := document.Workers[0]
		if w.Connections == nil || w.Requests == nil {
			return false
		}
		if *w.Requests > requests {
			k.t.Fatalf("%d requests, want %d", *w.Requests, requests)
		}
		return *w.Connections == connections && *w.Requests == requests
	})
}

// transport speaks one version of HTTP, on one connection if requests do not overlap.
func (k *counted) transport(version func(*http.Protocols)) *http.Transport {
	transport := &http.Transport{TLSClientConfig: k.trust.Clone(), Protocols: new(http.Protocols)}
	version(transport.Protocols)
	k.t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// ask sends a request and returns the answer.
func (k *counted) ask(transport *http.Transport, scheme, kind, path string, major int) string {
	k.t.Helper()
	request, err := http.NewRequest(http.MethodGet, scheme+"://127.0.0.1:"+k.ports[kind]+path, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		k.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.ProtoMajor != major {
		k.t.Fatalf("%s: %s: %q (%v)", kind, response.Proto, body, err)
	}
	return string(body)
}

// open connects, writes what is not empty, and reads so much of the answer.
func (k *counted) open(kind, text, answer string) net.Conn {
	k.t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+k.ports[kind])
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { c.Close() })
	got := make([]byte, len(answer))
	if _, err := io.WriteString(c, text); err != nil {
		k.t.Fatal(err)
	}
	if _, err := io.ReadFull(c, got); err != nil || string(got) != answer {
		k.t.Fatalf("%s: read %q (%v), want %q", kind, got, err, answer)
	}
	return c
}

// The agent counts the open connections of all servers, of whatever kind, and the requests
// of HTTP/1 and HTTP/2, also those from before it was attached. What is not counted is a
// connection that switches its protocol, as a request.
func TestAgentCounts(t *testing.T) {
	t.Parallel()
	onEach(t, everyLine(), func(t *testing.T, s start) {
		k := s.startCounted(t)
		http1 := k.transport(func(p *http.Protocols) { p.SetHTTP1(true) })
		tls2 := k.transport(func(p *http.Protocols) { p.SetHTTP2(true) })
		clear2 := k.transport(func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })
		for range 3 {
			k.ask(http1, "http", "http", "/", 1)
			k.ask(http1, "https", "https", "/", 1)
			k.ask(http1, "https", "h2", "/", 1)
			k.ask(tls2, "https", "h2", "/", 2)
			k.ask(clear2, "http", "h2c", "/", 2)
		}
		const host = " HTTP/1.1\r\nHost: it\r\n"
		raw := []net.Conn{
			k.open("net", "", "hello"),
			k.open("net", "", "hello"),
			k.open("http", "", ""),
			k.open("http", strings.Repeat("GET /"+host+"\r\n", 2)+"GET /never"+host+"\r\n", "HTTP/1.1 200 OK\r\n"),
			k.open("http", "GET /"+host+"Connection: upgrade\r\nUpgrade: it\r\n\r\n", "HTTP/1.1 101 "),
		}
		k.until(10, 18)
		for _, c := range raw {
			c.Close()
		}
		for _, transport := range []*http.Transport{http1, tls2, clear2} {
			transport.CloseIdleConnections()
		}
		k.until(0, 18)
		k.ports["h2c"] = k.ask(http1, "http", "http", "/again", 1)
		k.ask(clear2, "http", "h2c", "/", 2)
		k.until(2, 20)
	})
}
