package cluster

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// A service is testdata/agent/service.js under nodeinit: one process, as itself or
// as a worker. What it reports are the events of worker.
type service struct {
	*cluster
	*worker
	start
	t       *testing.T
	address string
}

// opens starts the service with flags.
func (s start) opens(t *testing.T, flags string, change ...func(*testproc.Command)) *service {
	t.Helper()
	a := app{workers: 1, flags: flags, file: "../agent/service.js"}
	a.change = func(c *testproc.Command) {
		c.Argv[slices.Index(c.Argv, "--mode")+1] = s.mode
		for _, f := range change {
			f(c)
		}
	}
	h := &service{cluster: startCluster(t, harness.Primary{Node: s.line, Balance: "rr"}, a), start: s, t: t}
	h.worker = h.next()
	return h
}

// serves has the service listen as a kind of server, and waits until nodeinit
// knows: then it also knows what the agent reported before that.
func (h *service) serves(kind string, more object) {
	h.t.Helper()
	port := harness.ReservePort(h.t)
	argument := object{"kind": kind, "port": port}
	for key, value := range more {
		argument[key] = value
	}
	h.do("listen", argument, nil)
	h.address = fmt.Sprintf("127.0.0.1:%d", port)
	h.untilSaid("listening")
}

// untilSaid waits for a line about the service: worker or program, and what.
func (h *service) untilSaid(what string) {
	h.t.Helper()
	harness.WaitUntil(h.t, fmt.Sprintf("the log to say %q", what), func() bool {
		if h.says(what) {
			return true
		}
		if unix.Kill(h.cluster.PID, 0) != nil {
			h.t.Fatalf("ended without saying %q", what)
		}
		return false
	})
}

func (h *service) says(what string) bool {
	h.t.Helper()
	return slices.ContainsFunc(harness.OwnLines(h.t, h.Output()), func(l harness.LogLine) bool {
		return l.Msg == what || l.Msg == "worker "+what || l.Msg == "program "+what || l.Msg == what+" the program"
	})
}

// announces has the application say that it is ready, and waits until nodeinit
// knows: then it knows what the agent reported before that. It takes --ready
// message.
func (h *service) announces() {
	h.t.Helper()
	h.do("ready", nil, nil)
	h.untilSaid("ready")
}

// drains is a stop signal to nodeinit that makes the service drain.
func (h *service) drains() {
	h.t.Helper()
	h.Signal(unix.SIGTERM)
	h.untilSaid("draining")
}

// staysUp gives the agent the time to say too early that all is done: it looks
// ten times a second. What the service does right does not depend on it.
func (h *service) staysUp() {
	h.t.Helper()
	h.do("idle", nil, nil)
}

// ends checks how the container ends, and that nothing was killed, and returns
// the events of the application that the test has not read.
func (h *service) ends(status int) []string {
	h.t.Helper()
	h.WaitCode(status)
	for _, l := range harness.OwnLines(h.t, h.Output()) {
		if l.Level == "error" || strings.HasPrefix(l.Msg, "killing") {
			h.t.Errorf("logged %v", l.Facts)
		}
	}
	if last := lastLine(h.t, h.Output()); last.Facts["requested"] != true {
		h.t.Errorf("the exit report is %v", last.Facts)
	}
	return h.rest()
}

// endsDrained is ends for an application that does not handle the signal and
// has been asked for as many pages as it has answered.
func (h *service) endsDrained() {
	h.t.Helper()
	if rest := h.ends(143); len(rest) > 0 {
		h.t.Errorf("the application reports %q besides", rest)
	}
}

// endsByItself is ends for an application that handles the signal, and was not
// drained.
func (h *service) endsByItself() {
	h.t.Helper()
	if rest := h.ends(0); len(rest) > 0 || h.says("draining") {
		h.t.Errorf("the application reports %q besides; in all\n%s", rest, h.Output())
	}
}

// connect connects, over TLS if there is a config.
func (h *service) connect(config *tls.Config) *harness.Client {
	h.t.Helper()
	conn, err := net.DialTimeout("tcp", h.address, testproc.HangLimit)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(testproc.HangLimit))
	if config != nil {
		config = config.Clone()
		config.ServerName = "127.0.0.1"
		secure := tls.Client(conn, config)
		if err := secure.Handshake(); err != nil {
			h.t.Fatal(err)
		}
		conn = secure
	}
	return harness.NewClient(h.t, conn)
}

// isServed checks that a connection of its own is answered.
func (h *service) isServed() {
	h.t.Helper()
	v := h.connect(nil)
	v.Request("/", harness.CloseHeader)
	v.Expect("served\n", true)
}

// untilRefused makes connections until one is refused. Those before it are
// served, or closed without a word before they have said anything: never in the
// middle of an answer.
func (h *service) untilRefused() {
	h.t.Helper()
	harness.WaitUntil(h.t, "a connection to be refused", func() bool {
		conn, err := net.DialTimeout("tcp", h.address, testproc.HangLimit)
		if err != nil {
			if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ECONNRESET) { // as it closes
				h.t.Fatal(err)
			}
			return errors.Is(err, syscall.ECONNREFUSED)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(testproc.HangLimit))
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"); err != nil {
			return false
		}
		if got, err := io.ReadAll(conn); len(got) > 0 && (err != nil || !strings.Contains(string(got), "served\n")) {
			h.t.Fatalf("an answer is %q (%v)", got, err)
		}
		return false
	})
}
