package cluster

import (
	"bytes"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/rawjson"
)

// pieces cuts data where cuts says, so that a frame can end anywhere.
func pieces(data, cuts []byte) [][]byte {
	var list [][]byte
	for _, c := range cuts {
		n := min(int(c), len(data))
		list = append(list, data[:n])
		data = data[n:]
	}
	return append(list, data)
}

// framesOf returns what a splitter makes of pieces.
func framesOf(pieces [][]byte) (frames []string, whole []bool) {
	var s splitter
	for _, p := range pieces {
		s.split(p, func(frame []byte, w bool) {
			frames = append(frames, string(frame))
			whole = append(whole, w)
		})
	}
	return frames, whole
}

func FuzzSplitter(f *testing.F) {
	f.Add([]byte("a\nbc\n\nd"), []byte{1, 0, 2})
	f.Add([]byte(`{"cmd":"NODE_CLUSTER","act":"online","seq":0}`+"\n"), []byte{7})
	f.Fuzz(func(t *testing.T, data, cuts []byte) {
		got, whole := framesOf(pieces(data, cuts))
		want := strings.Split(string(data), "\n")
		want = want[:len(want)-1] // a frame after the last newline has not ended
		if len(got) != len(want) {
			t.Fatalf("%d frames, want %d", len(got), len(want))
		}
		for i := range want {
			if short := want[i][:min(len(want[i]), maxFrame)]; got[i] != short || whole[i] != (short == want[i]) {
				t.Fatalf("frame %d is %q (whole: %v), want %q", i, got[i], whole[i], want[i])
			}
		}
	})
}

func TestSplitterKeepsLittle(t *testing.T) {
	t.Parallel()
	var s splitter
	none := func([]byte, bool) { t.Fatal("a frame ended") }
	for range 100 << 20 / readSize {
		s.split(bytes.Repeat([]byte{'x'}, readSize), none)
		if len(s.partial) > maxFrame {
			t.Fatalf("%d bytes are kept", len(s.partial))
		}
	}
	ended := 0
	s.split([]byte("y\nshort\n"), func(frame []byte, whole bool) {
		if ended++; whole != (string(frame) == "short") {
			t.Errorf("%.20q is whole: %v", frame, whole)
		}
	})
	if ended != 2 {
		t.Errorf("%d frames ended, want 2", ended)
	}
	if cap(s.partial) > 4096 {
		t.Errorf("a buffer of %d bytes is kept for the next frame", cap(s.partial))
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	for frame, want := range map[string]kind{
		``:        appMessage,
		`"ready"`: readyMessage,
		`"ready `: appMessage,
		`42`:      appMessage,
		`null`:    appMessage,
		`{"cmd":"NODE_CLUSTER","act":"online","seq":0}`:                          clusterMessage,
		`{"cmd":"NODE_CLUSTERS"}`:                                                appMessage,
		`{"cmd":"NODE_HANDLE","type":"net.Socket","msg":"x"}`:                    handleMessage,
		`{"cmd":"NODE_HANDLE_ACK"}`:                                              handleAck,
		`{"cmd":"NODE_HANDLE_NACK"}`:                                             handleNack,
		`{"cmd":"NODE_DEBUG_ENABLED"}`:                                           appMessage,
		`{"cmd":"mine","x":"{\"cmd\":\"NODE_CLUSTER\""}`:                         appMessage,
		`{"cmd":"NODE_HANDLE","type":"net.Socket","msg":{"cmd":"NODE_CLUSTER"}}`: handleMessage,
	} {
		if got := kindOf([]byte(frame)); got != want {
			t.Errorf("kindOf(%s) = %d, want %d", frame, got, want)
		}
	}
}

// FuzzParseAck compares parseAck with a JSON parser.
func FuzzParseAck(f *testing.F) {
	f.Add([]byte(`{"cmd":"NODE_CLUSTER","ack":12,"accepted":true,"seq":34}`))
	f.Add([]byte(`{"cmd":"NODE_CLUSTER","ack":0,"accepted":false,"seq":3}`))
	f.Add([]byte(`{"cmd":"NODE_CLUSTER","ack":99999999999999999999,"accepted":true,"seq":34}`))
	f.Add([]byte(`{"cmd":"NODE_CLUSTER","ack":,"accepted":true,`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		seq, accepted, ok := parseAck(frame)
		value, err := rawjson.Parse(frame)
		if !ok || err != nil {
			return
		}
		if parsed, is, ok := (message{value}).ack(); !ok || parsed != seq || is != accepted {
			// A parser takes the last field of a name; Node writes one.
			if bytes.Count(frame, []byte(`ac`)) > 2 || bytes.Contains(frame, []byte(`\u`)) {
				return
			}
			t.Fatalf("%s: %d %v, but parsed %d %v", frame, seq, accepted, parsed, is)
		}
	})
}

func TestParseAck(t *testing.T) {
	t.Parallel()
	for frame, want := range map[string][2]any{
		`{"cmd":"NODE_CLUSTER","ack":12,"accepted":true,"seq":34}`: {int64(12), true},
		`{"cmd":"NODE_CLUSTER","ack":0,"accepted":false,"seq":34}`: {int64(0), false},
	} {
		if seq, accepted, ok := parseAck([]byte(frame)); !ok || seq != want[0] || accepted != want[1] {
			t.Errorf("answered(%s) = %d, %v, %v", frame, seq, accepted, ok)
		}
	}
	for _, frame := range []string{
		`{"cmd":"NODE_CLUSTER","ack":1}`, `{"cmd":"NODE_CLUSTER","ack":,"accepted":true,"seq":1}`,
		`{"cmd":"NODE_CLUSTER","ack":-1,"accepted":true,"seq":1}`, `{"cmd":"NODE_CLUSTER","act":"online","seq":0}`,
		`{"cmd":"NODE_CLUSTER","ack":1,"accepted":maybe,"seq":1}`, `{"cmd":"NODE_CLUSTER","ack":9999999999999999999,"accepted":true,"seq":1}`,
	} {
		if _, _, ok := parseAck([]byte(frame)); ok {
			t.Errorf("%s is taken for an ack", frame)
		}
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	parse := func(text string) (query, error) {
		return parsed(t, text).query()
	}
	for text, want := range map[string]query{
		`{"address":null,"port":3000,"addressType":4,"flags":0}`:                                          {family: tcp, port: 3000, fd: -1, backlog: 511},
		`{"address":"::1","port":0,"addressType":6,"flags":1,"index":3,"backlog":9}`:                      {family: tcp, address: "::1", fd: -1, flags: 1, index: 3, backlog: 9},
		`{"address":"/tmp/x","port":-1,"addressType":-1,"readableAll":true}`:                              {family: pipe, address: "/tmp/x", port: -1, fd: -1, backlog: 511, readableAll: true},
		`{"address":null,"port":null,"addressType":null,"fd":5}`:                                          {family: tcp, fd: 5, backlog: 511},
		`{"address":"127.0.0.1","port":53,"addressType":"udp4","flags":4}`:                                {family: udp4, address: "127.0.0.1", port: 53, fd: -1, flags: 4, backlog: 511},
		`{"address":[1],"port":"80","addressType":{},"fd":"x","flags":1e99,"backlog":false,"index":null}`: {family: tcp, fd: -1, backlog: 511},
	} {
		got, err := parse(text)
		got.data = nil
		if err != nil || got.id() != want.id() || got.family != want.family || got.backlog != want.backlog || got.readableAll != want.readableAll {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		`{"port":65536}`, `{"port":-1,"addressType":-1}`,
		`{"address":"` + strings.Repeat("x", maxAddress+1) + `"}`, `{"data":"` + strings.Repeat("x", maxData+1) + `"}`,
	} {
		if q, err := parse(text); err == nil {
			t.Errorf("%.40s gives %+v, want an error", text, q)
		}
	}
}
