package test

import (
	"crypto/tls"
	"testing"

	"golang.org/x/sys/unix"
)

// An application without shutdown code answers what it has been asked when it is
// told to stop, lets its clients go, and ends by the signal. It takes no more
// connections, and hears nothing of all that.
func TestClusterDrainsWithoutShutdownCode(t *testing.T) {
	t.Parallel()
	certificate := newCertificate(t)
	for kind, config := range map[string]*tls.Config{"http": nil, "https": certificate.client()} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			lines := nodeLines
			if kind == "https" {
				lines = edges()
			}
			onEach(t, starts(lines, "fork", "per-core"), func(t *testing.T, s start) {
				h := s.opens(t, forEver)
				h.do("listenForMessages", nil, nil)
				h.do("replaceSend", nil, nil)
				h.serves(kind, object{"tls": certificate.options})
				slow, regular := h.visit(config), h.visit(config)
				regular.asks("/")
				regular.hears("served\n", false)
				slow.asks("/slow", lastRequest)
				h.expect("asked")
				h.drains()
				h.untilRefused()
				regular.isToldToGo()
				h.staysUp()
				h.do("answer", "/slow", nil)
				slow.hears("answered\n", true)
				h.expect("answered")
				h.endsDrained()
			})
		})
	}
}

// A connection on which a request is being answered when the stop comes ends with
// that answer, and its client is told so. Where the head that could say it is long
// gone, the next answer does: who has not been told may be asking already.
func TestClusterDrainEndsConnectionsInUse(t *testing.T) {
	t.Parallel()
	onEach(t, starts(nodeLines, "fork", "per-core"), func(t *testing.T, s start) {
		h := s.opens(t, forEver)
		h.serves("http", nil)
		inUse, begun, regular := h.visit(nil), h.visit(nil), h.visit(nil)
		inUse.asks("/slow")
		h.expect("asked")
		begun.asks("/stream")
		h.expect("asked")
		begun.reads("begun\n")
		regular.asks("/")
		regular.hears("served\n", false)
		h.drains()
		regular.isToldToGo()
		h.do("answer", "/slow", nil)
		inUse.hears("answered\n", true)
		h.expect("answered")
		h.do("answer", "/stream", nil)
		begun.reads("answered\n\r\n0\r\n\r\n")
		h.expect("answered")
		begun.asks("/")
		begun.hears("served\n", true)
		h.endsDrained()
	})
}

// Connections that nobody uses are closed by the worker, so that they do not
// hold up its end: nothing else ends this one.
func TestClusterDrainClosesIdleConnections(t *testing.T) {
	t.Parallel()
	onEach(t, starts(edges(), "fork", "per-core"), func(t *testing.T, s start) {
		h := s.opens(t, "--grace 0")
		h.serves("http", nil)
		idle := h.visit(nil)
		idle.asks("/")
		idle.hears("served\n", false)
		h.drains()
		idle.hearsTheEnd()
		h.endsDrained()
	})
}

// What does not end by itself stays open while others are answered, until the
// last call or a second stop signal.
func TestClusterDrainLeavesStreamsOpen(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string]string{"second signal": "--grace 0", "last call": "--grace 4s"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, starts(edges(), "fork", "per-core"), func(t *testing.T, s start) {
				h := s.opens(t, flags)
				h.serves("http", nil)
				slow, stream, socket := h.visit(nil), h.visit(nil), h.visit(nil)
				slow.asks("/slow", lastRequest)
				stream.asks("/stream")
				h.expect("asked", "asked")
				stream.reads("begun\n")
				socket.asks("/", "Connection: Upgrade", "Upgrade: echo")
				socket.reads("Upgrade: echo\r\n\r\n")
				h.drains()
				if name == "second signal" { // the last call comes when it comes
					h.do("answer", "/slow", nil)
					slow.hears("answered\n", true)
					h.expect("answered")
					h.staysUp()
					h.do("more", "/stream", nil)
					stream.reads("more\n")
					if err := echoes(socket); err != nil {
						t.Error(err)
					}
					h.Signal(unix.SIGTERM)
				} else {
					slow.hearsTheEnd()
				}
				socket.hearsTheEnd()
				stream.reads("\r\n") // of the chunk; its end never comes
				stream.hearsTheEnd()
				// The kernel decides on the status as the signal is sent, and SIGKILL, a second later, is late.
				h.WaitCode(terminated)
				if rest := h.rest(); len(rest) > 0 {
					t.Errorf("the application reports %q besides", rest)
				}
			})
		})
	}
}

// An application that handles the signal gets it at once, and ends as it likes.
func TestClusterLeavesTheDrainToTheApplication(t *testing.T) {
	t.Parallel()
	for _, handler := range []string{"exits", "closes"} {
		t.Run(handler, func(t *testing.T) {
			t.Parallel()
			onEach(t, starts(nodeLines, "fork", "per-core"), func(t *testing.T, s start) {
				h := s.opens(t, forEver)
				h.do("handle", handler, nil)
				h.serves("http", nil)
				slow := h.visit(nil)
				slow.asks("/slow", lastRequest)
				h.expect("asked")
				h.Signal(unix.SIGTERM)
				h.expect("SIGTERM")
				h.untilRefused()
				h.do("answer", "/slow", nil)
				slow.hears("answered\n", true)
				h.expect("answered")
				h.endsByItself()
			})
		})
	}
}

// An application that only closes its server ends, although its clients would
// keep their connections: each is told with its next answer that it is the last.
func TestClusterLetsClientsGo(t *testing.T) {
	t.Parallel()
	onEach(t, starts(nodeLines, "fork", "per-core"), func(t *testing.T, s start) {
		h := s.opens(t, forEver)
		h.do("handle", "closes", nil)
		h.serves("http", nil)
		inUse, busy := h.visit(nil), h.visit(nil)
		inUse.asks("/slow")
		h.expect("asked")
		busy.asks("/stream") // Node 19 and later close who is idle by themselves
		h.expect("asked")
		busy.reads("begun\n")
		h.Signal(unix.SIGTERM)
		h.expect("SIGTERM")
		h.do("answer", "/stream", nil)
		busy.reads("answered\n\r\n0\r\n\r\n")
		h.expect("answered")
		busy.isToldToGo()
		h.do("answer", "/slow", nil)
		inUse.hears("answered\n", true)
		h.expect("answered")
		h.endsByItself()
	})
}
