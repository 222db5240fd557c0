package cluster

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// The kinds of HTTP/2 frames that matter here (RFC 9113, section 6).
const (
	dataFrame     = 0
	headersFrame  = 1
	settingsFrame = 4
	pingFrame     = 6
	goAwayFrame   = 7
	windowFrame   = 8
)

const endOfStream, endOfHeaders, acknowledged = 1, 4, 1

// An http2Client is a client's HTTP/2 session, frame by frame: one that a library
// has hides GOAWAY.
type http2Client struct {
	*harness.Client
	t       *testing.T
	streams uint32
	away    bool // GOAWAY has come
}

// connectHTTP2 opens a session, over TLS if there is a config.
func (h *service) connectHTTP2(config *tls.Config) *http2Client {
	h.t.Helper()
	if config != nil {
		config = config.Clone()
		config.NextProtos = []string{"h2"}
	}
	v := &http2Client{Client: h.connect(config), t: h.t}
	if _, err := io.WriteString(v, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); err != nil {
		h.t.Fatal(err)
	}
	v.sends(settingsFrame, 0, 0, nil)
	return v
}

func (v *http2Client) sends(kind, flags byte, stream uint32, payload []byte) {
	v.t.Helper()
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	head = binary.BigEndian.AppendUint32(append(head, flags), stream)
	if _, err := v.Write(append(head, payload...)); err != nil {
		v.t.Fatal(err)
	}
}

// asks sends a request; its fields are those of HPACK's static table (RFC 7541,
// appendix A) with values as they are.
func (v *http2Client) asks(path string) (stream uint32) {
	v.t.Helper()
	const get, httpScheme, pathField, authority = 0x82, 0x86, 0x04, 0x01
	block := append([]byte{get, httpScheme, pathField, byte(len(path))}, path...)
	block = append(block, authority, byte(len("here")))
	block = append(block, "here"...)
	stream = 2*v.streams + 1
	v.streams++
	v.sends(headersFrame, endOfStream|endOfHeaders, stream, block)
	return stream
}

// next returns what comes next but for what keeps the session going.
func (v *http2Client) next() (what string, err error) {
	v.t.Helper()
	for {
		var head [9]byte
		if _, err := io.ReadFull(v.In, head[:]); err != nil {
			return "", err
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[:4])>>8)
		if _, err := io.ReadFull(v.In, payload); err != nil {
			return "", err
		}
		kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
		end := ""
		if flags&endOfStream != 0 {
			end = ", the end"
		}
		switch kind {
		case settingsFrame, pingFrame:
			if flags&acknowledged == 0 {
				v.sends(kind, acknowledged, 0, payload[:len(payload)*int(kind/pingFrame)])
			}
		case windowFrame:
		case headersFrame:
			return fmt.Sprintf("%d: head%s", stream, end), nil
		case dataFrame:
			if len(payload) > 0 || end != "" {
				return fmt.Sprintf("%d: %q%s", stream, payload, end), nil
			}
		case goAwayFrame:
			v.away = true
			return fmt.Sprintf("go away after %d, error %d", binary.BigEndian.Uint32(payload), binary.BigEndian.Uint32(payload[4:])), nil
		default:
			return fmt.Sprintf("%d: frame of kind %d %q", stream, kind, payload), nil
		}
	}
}

// hears reads each of want.
func (v *http2Client) hears(want ...string) {
	v.t.Helper()
	for i := range want {
		got, err := v.next()
		if err != nil || got != want[i] {
			v.t.Fatalf("%q (%v), want %q", got, err, want[i])
		}
	}
}

// hearsTheRest reads the session to its end and checks that it ends well, after
// what is in want, and that GOAWAY has come.
func (v *http2Client) hearsTheRest(want ...string) {
	v.t.Helper()
	var got []string
	for {
		what, err := v.next()
		if errors.Is(err, io.EOF) {
			v.Close() // Node waits for that, as HTTP/2 wants it
			break
		}
		if err != nil {
			v.t.Fatalf("after %q: %v", got, err)
		}
		if !strings.HasPrefix(what, "go away after ") || !strings.HasSuffix(what, ", error 0") {
			got = append(got, what)
		}
	}
	if !slices.Equal(got, want) || !v.away {
		v.t.Fatalf("heard %q, want %q; GOAWAY: %v", got, want, v.away)
	}
}

// answerOn is what is heard of an answer.
func answerOn(stream uint32, body string) []string {
	return []string{fmt.Sprintf("%d: head", stream), fmt.Sprintf("%d: %q", stream, body), fmt.Sprintf("%d: \"\", the end", stream)}
}

// Over HTTP/2, clients get GOAWAY, streams that are open go on, and a
// session ends with its last stream.
func TestDrainsHTTP2(t *testing.T) {
	t.Parallel()
	certificate := newCertificate(t)
	for kind, config := range map[string]*tls.Config{"http2": nil, "http2 over TLS": certificate.client()} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			onEach(t, everyLine(), func(t *testing.T, s start) {
				h := s.opens(t, harness.LongGrace)
				h.serves(kind, object{"tls": certificate.options})
				idle, slow := h.connectHTTP2(config), h.connectHTTP2(config)
				idle.hears(answerOn(idle.asks("/"), "served\n")...)
				first, second := slow.asks("/slow"), slow.asks("/other")
				h.expect("asked", "asked")
				h.drains()
				idle.hearsTheRest()
				// In this order, so that what the client sends meanwhile is answered.
				slow.hears("go away after 2147483647, error 0", fmt.Sprintf("go away after %d, error 0", second))
				h.do("answer", "/other", nil)
				slow.hears(answerOn(second, "answered\n")...)
				h.staysUp()
				h.do("answer", "/slow", nil)
				slow.hearsTheRest(answerOn(first, "answered\n")...)
				h.expect("answered", "answered")
				h.endsDrained()
			})
		})
	}
}

// A session that has had no stream yet ends too, also if it was the first that its server
// has had, and if the agent was run while the server was about to listen.
func TestDrainsHTTP2SessionsWithoutStreams(t *testing.T) {
	t.Parallel()
	certificate := newCertificate(t)
	for name, c := range map[string]struct {
		kind   string
		config *tls.Config
		slow   bool
	}{
		"HTTP/2":          {"http2", nil, false},
		"slow to listen":  {"http2", nil, true},
		"HTTP/2 over TLS": {"http2 over TLS", certificate.client(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, starts([]string{"18.20.8", harness.NewestLine}, "fork", "per-core"), func(t *testing.T, s start) {
				h := s.opens(t, "--grace 0")
				h.serves(c.kind, object{"tls": certificate.options, "slow": c.slow})
				silent := h.connectHTTP2(c.config)
				idle := h.connectHTTP2(c.config) // which is accepted after it
				idle.hears(answerOn(idle.asks("/"), "served\n")...)
				h.drains()
				idle.hearsTheRest()
				silent.hearsTheRest()
				h.endsDrained()
			})
		})
	}
}
