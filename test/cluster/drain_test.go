package cluster

import (
	"crypto/tls"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/test/harness"
)

// An application without shutdown code answers what it has been asked when it is
// stopped, lets its clients go, and ends by the signal. It takes no more
// connections, and hears nothing of all that.
func TestDrainsWithoutShutdownCode(t *testing.T) {
	t.Parallel()
	certificate := newCertificate(t)
	for kind, config := range map[string]*tls.Config{"http": nil, "https": certificate.client()} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			list := everyLine()
			if kind == "https" {
				list = starts(harness.EdgeLines(), "fork", "per-core")
			}
			onEach(t, list, func(t *testing.T, s start) {
				h := s.opens(t, harness.LongGrace)
				h.do("listenForMessages", nil, nil)
				h.do("replaceSend", nil, nil)
				h.serves(kind, object{"tls": certificate.options})
				slow, regular := h.connect(config), h.connect(config)
				regular.Request("/")
				regular.Expect("served\n", false)
				slow.Request("/slow", harness.CloseHeader)
				h.expect("asked")
				h.drains()
				h.untilRefused()
				regular.UntilClosed()
				h.staysUp()
				h.do("answer", "/slow", nil)
				slow.Expect("answered\n", true)
				h.expect("answered")
				h.endsDrained()
			})
		})
	}
}

// A connection on which a request is being answered when the stop comes ends
// with that answer, which says so to its client. Where the head that could say
// it is long gone, the next answer does: a client that does not know yet may
// have sent one already.
func TestDrainEndsConnectionsInUse(t *testing.T) {
	t.Parallel()
	onEach(t, everyLine(), func(t *testing.T, s start) {
		h := s.opens(t, harness.LongGrace)
		h.serves("http", nil)
		inUse, begun, regular := h.connect(nil), h.connect(nil), h.connect(nil)
		inUse.Request("/slow")
		h.expect("asked")
		begun.Request("/stream")
		h.expect("asked")
		begun.ReadTo("begun\n")
		regular.Request("/")
		regular.Expect("served\n", false)
		h.drains()
		regular.UntilClosed()
		h.do("answer", "/slow", nil)
		inUse.Expect("answered\n", true)
		h.expect("answered")
		h.do("answer", "/stream", nil)
		begun.ReadTo("answered\n\r\n0\r\n\r\n")
		h.expect("answered")
		begun.Request("/")
		begun.Expect("served\n", true)
		h.endsDrained()
	})
}

// Unused connections are closed by the worker, so that they do not
// hold up its end: nothing else ends this one.
func TestDrainClosesIdleConnections(t *testing.T) {
	t.Parallel()
	onEach(t, starts(harness.EdgeLines(), "fork", "per-core"), func(t *testing.T, s start) {
		h := s.opens(t, "--grace 0")
		h.serves("http", nil)
		idle := h.connect(nil)
		idle.Request("/")
		idle.Expect("served\n", false)
		h.drains()
		idle.ExpectEnd()
		h.endsDrained()
	})
}

// What does not end by itself stays open while others are answered, until the
// last call or a second stop signal.
func TestDrainLeavesStreamsOpen(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string]string{"second signal": "--grace 0", "last call": "--grace 4s"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, starts(harness.EdgeLines(), "fork", "per-core"), func(t *testing.T, s start) {
				h := s.opens(t, flags)
				h.serves("http", nil)
				slow, stream, socket := h.connect(nil), h.connect(nil), h.connect(nil)
				slow.Request("/slow", harness.CloseHeader)
				stream.Request("/stream")
				h.expect("asked", "asked")
				stream.ReadTo("begun\n")
				socket.Request("/", "Connection: Upgrade", "Upgrade: echo")
				socket.ReadTo("Upgrade: echo\r\n\r\n")
				h.drains()
				if name == "second signal" { // the last call comes when it comes
					h.do("answer", "/slow", nil)
					slow.Expect("answered\n", true)
					h.expect("answered")
					h.staysUp()
					h.do("more", "/stream", nil)
					stream.ReadTo("more\n")
					if err := echoes(socket); err != nil {
						t.Error(err)
					}
					h.Signal(unix.SIGTERM)
				} else {
					slow.ExpectEnd()
				}
				socket.ExpectEnd()
				stream.ReadTo("\r\n") // of the chunk; its end never comes
				stream.ExpectEnd()
				// The kernel decides on the status as the signal is sent, and SIGKILL, a second later, is late.
				h.WaitCode(harness.Terminated)
				if rest := h.rest(); len(rest) > 0 {
					t.Errorf("the application reports %q besides", rest)
				}
			})
		})
	}
}

// An application that handles the signal gets it at once, and ends as it likes.
func TestLeavesTheDrainToTheApplication(t *testing.T) {
	t.Parallel()
	for _, handler := range []string{"exits", "closes"} {
		t.Run(handler, func(t *testing.T) {
			t.Parallel()
			onEach(t, everyLine(), func(t *testing.T, s start) {
				h := s.opens(t, harness.LongGrace)
				h.do("handle", handler, nil)
				h.serves("http", nil)
				slow := h.connect(nil)
				slow.Request("/slow", harness.CloseHeader)
				h.expect("asked")
				h.Signal(unix.SIGTERM)
				h.expect("SIGTERM")
				h.untilRefused()
				h.do("answer", "/slow", nil)
				slow.Expect("answered\n", true)
				h.expect("answered")
				h.endsByItself()
			})
		})
	}
}

// An application that only closes its server ends, although its clients would
// keep their connections: the next answer on each says that it is the last.
func TestLetsClientsGo(t *testing.T) {
	t.Parallel()
	onEach(t, everyLine(), func(t *testing.T, s start) {
		h := s.opens(t, harness.LongGrace)
		h.do("handle", "closes", nil)
		h.serves("http", nil)
		inUse, busy := h.connect(nil), h.connect(nil)
		inUse.Request("/slow")
		h.expect("asked")
		busy.Request("/stream") // Node 19 and later close idle connections by themselves
		h.expect("asked")
		busy.ReadTo("begun\n")
		h.Signal(unix.SIGTERM)
		h.expect("SIGTERM")
		h.do("answer", "/stream", nil)
		busy.ReadTo("answered\n\r\n0\r\n\r\n")
		h.expect("answered")
		busy.UntilClosed()
		h.do("answer", "/slow", nil)
		inUse.Expect("answered\n", true)
		h.expect("answered")
		h.endsByItself()
	})
}
