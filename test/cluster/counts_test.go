package cluster

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	primary "github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/test/harness"
)

// A counted is testdata/agent/counts.js with a channel to a primary of the test's, which
// has what its agent reports.
type counted struct {
	t       *testing.T
	primary *primary.Primary
	state   primary.State
	ended   chan struct{}
	ports   map[string]string // by kind of server
	trust   *tls.Config
}

// startCounted starts it with the agent, and waits until all its servers listen.
func (s start) startCounted(t *testing.T) *counted {
	t.Helper()
	certificate := newCertificate(t)
	options, err := json.Marshal(certificate.options)
	if err != nil {
		t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	k := &counted{t: t, primary: runPrimary(t), ended: make(chan struct{}), ports: make(map[string]string), trust: certificate.client()}
	c := k.command(s, "TEST_TLS="+string(options))
	c.Stdout = in
	err = c.Start()
	in.Close()
	c.ExtraFiles[0].Close()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(k.ended)
		_ = c.Wait()
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		<-k.ended
	})
	lines := bufio.NewScanner(out)
	for len(k.ports) < 5 && lines.Scan() {
		name, port, _ := strings.Cut(lines.Text(), " ")
		k.ports[name] = port
	}
	if len(k.ports) < 5 {
		t.Fatalf("only %v listen: %v", k.ports, lines.Err())
	}
	return k
}

// runPrimary runs a primary as long as the test.
func runPrimary(t *testing.T) *primary.Primary {
	t.Helper()
	p, err := primary.New(primary.RR)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return p
}

// command starts counts.js as nodeinit does, with its channel as the extra file.
func (k *counted) command(s start, variable string) *exec.Cmd {
	k.t.Helper()
	open, slot := k.primary.OpenFork, node.Slot{Agent: true}
	if s.mode == "per-core" {
		open = func() (*primary.Worker, int, error) { return k.primary.Open(0) }
		slot.ID, slot.Workers = 1, 1
	}
	_, fd, err := open()
	if err != nil {
		k.t.Fatal(err)
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		k.t.Fatal(err)
	}
	c := exec.Command(harness.NodeBinary(k.t, s.line), inAgentData(k.t, "counts.js"))
	c.Env = node.WorkerEnv(c.Args, append(withoutVariables("NODE_OPTIONS"), variable), slot, node.JoinDirect, 3, stat.Ino)
	c.ExtraFiles, c.Stderr = []*os.File{os.NewFile(uintptr(fd), "channel")}, os.Stderr
	return c
}

// until waits for a heartbeat with these counts. A number of requests above that is wrong.
func (k *counted) until(connections, requests int64) {
	k.t.Helper()
	timeout := time.After(testproc.HangLimit)
	for !k.state.Counted || k.state.Connections != connections || k.state.Requests != requests {
		if k.state.Requests > requests {
			k.t.Fatalf("%d requests, want %d", k.state.Requests, requests)
		}
		select {
		case <-k.primary.Reported():
			for _, report := range k.primary.Reports() {
				k.state = report.State
			}
		case <-k.ended:
			k.t.Fatal("it has ended")
		case <-timeout:
			k.t.Fatalf("%d connections and %d requests, want %d and %d", k.state.Connections, k.state.Requests, connections, requests)
		}
	}
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
	onEach(t, starts(harness.NodeLines, "fork", "per-core"), func(t *testing.T, s start) {
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
