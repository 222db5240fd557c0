package test

import (
	"fmt"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// A connection on which nothing was ever sent, as browsers open ahead of need, is
// closed as one that nobody uses any more: nothing else ends this drain. With TLS
// there are two kinds of it.
func TestClusterDrainClosesUnusedConnections(t *testing.T) {
	t.Parallel()
	certificate := newCertificate(t)
	for _, kind := range []string{"http", "https", "http2", "http2 over TLS"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			onEach(t, starts(edges(), "fork", "per-core"), func(t *testing.T, s start) {
				h := s.opens(t, "--grace 0")
				h.serves(kind, object{"tls": certificate.options})
				unused := []*visitor{h.visit(nil)}
				if kind == "https" || kind == "http2 over TLS" {
					config := certificate.client()
					config.NextProtos = map[string][]string{"http2 over TLS": {"h2"}}[kind]
					unused = append(unused, h.visit(config))
				}
				h.staysUp() // and has met them
				h.drains()
				for _, v := range unused {
					v.isClosed()
				}
				h.endsDrained()
			})
		})
	}
}

// isClosed waits for the end of a connection, whatever comes before it: an HTTP/2
// server says hello first.
func (v *visitor) isClosed() {
	v.t.Helper()
	for {
		if _, err := v.in.ReadByte(); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				v.t.Error("not closed")
			}
			return
		}
	}
}

// An application that only closes its server does not wait for them either.
func TestClusterUnusedConnectionsDoNotHoldAHandler(t *testing.T) {
	t.Parallel()
	onEach(t, starts(edges(), "fork", "per-core"), func(t *testing.T, s start) {
		h := s.opens(t, "--grace 0")
		h.do("handle", "closes", nil)
		h.serves("http", nil)
		unused := h.visit(nil)
		h.isServed()
		h.Signal(unix.SIGTERM)
		h.expect("SIGTERM")
		unused.hearsTheEnd()
		h.endsByItself()
	})
}

// A server that does not speak HTTP may be the first to speak: what was never
// sent anything there is not idle.
func TestClusterDrainLeavesPlainConnections(t *testing.T) {
	t.Parallel()
	onEach(t, starts(edges(), "fork", "per-core"), func(t *testing.T, s start) {
		h := s.opens(t, "--grace 0")
		port := reservePort(t)
		h.do("listenPlain", object{"port": port}, nil)
		h.serves("http", nil)
		plain, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer plain.Close()
		unused := h.visit(nil)
		h.isServed()
		h.drains()
		unused.hearsTheEnd()
		h.staysUp()
		if err := echoes(plain); err != nil {
			t.Error(err)
		}
		plain.Close()
		h.endsDrained()
	})
}

// Of requests that a client has sent without waiting, all are answered, and only
// the last answer ends the connection: one that was written while it waited for
// those before it, one that was not, and one that came when it had been decided.
func TestClusterDrainAnswersPipelinedRequests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		paths []string // before the drain
		late  []string // when it has begun
	}{
		"the last is written": {[]string{"/slow", "/", "/"}, nil},
		"the last is not":     {[]string{"/slow", "/", "/slower"}, nil},
		"one comes later":     {[]string{"/slow", "/"}, []string{"/", "/slower"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, starts(nodeLines, "fork"), func(t *testing.T, s start) {
				h := s.opens(t, forEver)
				h.serves("http", nil)
				regular, v := h.visit(nil), h.visit(nil)
				ask := func(paths []string) {
					for _, path := range paths {
						v.asks(path)
						if path != "/" {
							h.expect("asked")
						}
					}
				}
				ask(c.paths)
				h.staysUp() // and has been asked for the last
				h.drains()
				regular.isToldToGo()
				ask(c.late)
				all := append(c.paths, c.late...)
				for i, path := range all {
					text := "served\n"
					if path != "/" {
						h.do("answer", path, nil)
						h.expect("answered")
						text = "answered\n"
					}
					v.hears(text, i == len(all)-1)
				}
				h.endsDrained()
			})
		})
	}
}

// A server that does not keep its process alive takes no more connections either,
// and has what it was asked for answered.
func TestClusterDrainsAnUnreferencedServer(t *testing.T) {
	t.Parallel()
	list := append(starts([]string{"20.20.2", newestLine}, "fork"), starts(edges(), "per-core")...)
	onEach(t, list, func(t *testing.T, s start) {
		h := s.opens(t, forEver)
		h.serves("http", object{"unref": true})
		slow := h.visit(nil)
		slow.asks("/slow", lastRequest)
		h.expect("asked")
		h.drains()
		h.untilRefused()
		h.do("answer", "/slow", nil)
		slow.hears("answered\n", true)
		h.expect("answered")
		h.endsDrained()
	})
}
