package cluster

import (
	"fmt"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/test/harness"
)

// A connection on which nothing was ever sent, as browsers open ahead of need, is
// closed as one that is not used any more: nothing else ends this drain. With TLS
// there are two kinds of it.
func TestDrainClosesUnusedConnections(t *testing.T) {
	t.Parallel()
	certificate := newCertificate(t)
	for _, kind := range []string{"http", "https", "http2", "http2 over TLS"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			onEach(t, starts(harness.EdgeLines(), "fork", "per-core"), func(t *testing.T, s start) {
				h := s.opens(t, "--grace 0")
				h.serves(kind, object{"tls": certificate.options})
				unused := []*harness.Client{h.connect(nil)}
				if kind == "https" || kind == "http2 over TLS" {
					config := certificate.client()
					config.NextProtos = map[string][]string{"http2 over TLS": {"h2"}}[kind]
					unused = append(unused, h.connect(config))
				}
				h.staysUp() // and has met them
				h.drains()
				for _, v := range unused {
					v.ExpectClosed()
				}
				h.endsDrained()
			})
		})
	}
}

// An application that only closes its server does not wait for them either.
func TestUnusedConnectionsDoNotHoldAHandler(t *testing.T) {
	t.Parallel()
	onEach(t, starts(harness.EdgeLines(), "fork", "per-core"), func(t *testing.T, s start) {
		h := s.opens(t, "--grace 0")
		h.do("handle", "closes", nil)
		h.serves("http", nil)
		unused := h.connect(nil)
		h.isServed()
		h.Signal(unix.SIGTERM)
		h.expect("SIGTERM")
		unused.ExpectEnd()
		h.endsByItself()
	})
}

// A server that does not speak HTTP may be the first to speak: what was never
// sent anything there is not idle.
func TestDrainLeavesPlainConnections(t *testing.T) {
	t.Parallel()
	onEach(t, starts(harness.EdgeLines(), "fork", "per-core"), func(t *testing.T, s start) {
		h := s.opens(t, "--grace 0")
		port := harness.ReservePort(t)
		h.do("listenPlain", object{"port": port}, nil)
		h.serves("http", nil)
		plain, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer plain.Close()
		unused := h.connect(nil)
		h.isServed()
		h.drains()
		unused.ExpectEnd()
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
func TestDrainAnswersPipelinedRequests(t *testing.T) {
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
			onEach(t, starts(harness.NodeLines, "fork"), func(t *testing.T, s start) {
				h := s.opens(t, harness.LongGrace)
				h.serves("http", nil)
				regular, v := h.connect(nil), h.connect(nil)
				ask := func(paths []string) {
					for _, path := range paths {
						v.Request(path)
						if path != "/" {
							h.expect("asked")
						}
					}
				}
				ask(c.paths)
				h.staysUp() // and has been asked for the last
				h.drains()
				regular.UntilClosed()
				ask(c.late)
				all := append(c.paths, c.late...)
				for i, path := range all {
					text := "served\n"
					if path != "/" {
						h.do("answer", path, nil)
						h.expect("answered")
						text = "answered\n"
					}
					v.Expect(text, i == len(all)-1)
				}
				h.endsDrained()
			})
		})
	}
}

// A server that does not keep its process alive takes no more connections either,
// and has what it was asked for answered.
func TestDrainsAnUnreferencedServer(t *testing.T) {
	t.Parallel()
	list := append(starts([]string{"20.20.2", harness.NewestLine}, "fork"), starts(harness.EdgeLines(), "per-core")...)
	onEach(t, list, func(t *testing.T, s start) {
		h := s.opens(t, harness.LongGrace)
		h.serves("http", object{"unref": true})
		slow := h.connect(nil)
		slow.Request("/slow", harness.CloseHeader)
		h.expect("asked")
		h.drains()
		h.untilRefused()
		h.do("answer", "/slow", nil)
		slow.Expect("answered\n", true)
		h.expect("answered")
		h.endsDrained()
	})
}
