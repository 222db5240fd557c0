package cluster

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// FuzzSplitAtEveryByte cuts data in two at each byte, and into single bytes: the frames
// are always the same, and what is passed on is not changed by what comes later.
func FuzzSplitAtEveryByte(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "\n\n", "a", "a\n", "\na", "a\nb\n", "a\n\nb", "\x00\n\xff\n", "\r\n",
		`{"cmd":"NODE_CLUSTER","act":"online","seq":0}` + "\n" + `{"cmd":"NODE_HANDLE_ACK"}` + "\n",
		"\x02" + `{"cmd":"NODE_CLUSTER","ack":1,"accepted":true,"seq":2}` + "\n" + `"ready"` + "\n",
		`{"a":"` + strings.Repeat("é", 100) + `"}` + "\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2048 {
			return // every byte of that takes long
		}
		want, _ := framesOf([][]byte{data})
		for i := range data {
			if got, _ := framesOf([][]byte{data[:i], data[i:]}); !slices.Equal(got, want) {
				t.Fatalf("cut at %d: %q, want %q", i, got, want)
			}
		}
		if got, _ := framesOf(slices.Collect(slices.Chunk(data, 1))); !slices.Equal(got, want) {
			t.Fatalf("cut everywhere: %q, want %q", got, want)
		}
		if n := bytes.Count(data, []byte("\n")); len(want) != n {
			t.Fatalf("%d frames in %d lines", len(want), n)
		}
	})
}

// A frame is whole up to maxFrame bytes, wherever it is cut, and one byte more is not.
func TestFrameIsWholeUpToItsLimit(t *testing.T) {
	t.Parallel()
	for _, length := range []int{maxFrame - 1, maxFrame, maxFrame + 1, 2 * maxFrame} {
		for _, cut := range []int{0, 1, readSize, maxFrame - 1, maxFrame, maxFrame + 1, length} {
			data := append(bytes.Repeat([]byte{'x'}, length), '\n')
			cut := min(cut, len(data))
			got, whole := framesOf([][]byte{data[:cut], data[cut:]})
			if len(got) != 1 || len(got[0]) != min(length, maxFrame) || whole[0] != (length <= maxFrame) {
				t.Errorf("%d bytes cut at %d: %d frames, whole %v", length, cut, len(got), whole)
			}
		}
	}
}

// After a frame that was too long the next one is whole again, however they are cut.
func TestFrameAfterOneTooLongIsWhole(t *testing.T) {
	t.Parallel()
	data := slices.Concat(bytes.Repeat([]byte{'x'}, maxFrame+10), []byte("\nnext\n\nlast\n"))
	for cut := maxFrame - 2; cut < len(data); cut++ {
		got, whole := framesOf([][]byte{data[:cut], data[cut:]})
		if len(got) != 4 || got[1] != "next" || got[2] != "" || got[3] != "last" {
			t.Fatalf("cut at %d: %d frames", cut, len(got))
		}
		if !slices.Equal(whole, []bool{false, true, true, true}) {
			t.Fatalf("cut at %d: whole %v", cut, whole)
		}
	}
}

// What is only the beginning of a word, or has more before or behind it, is not the word.
func TestKindNeedsTheWholeWord(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]kind{
		`{"cmd":"NODE_CLUSTER"`:     clusterMessage,
		`{"cmd":"NODE_HANDLE"`:      handleMessage,
		`{"cmd":"NODE_HANDLE_ACK"`:  handleAck,
		`{"cmd":"NODE_HANDLE_NACK"`: handleNack,
		`{"cmd":"NODE_NODEINIT"`:    agentMessage,
		`{"cmd":"NODE_SOCKET_`:      socketListMessage,
	} {
		if got := kindOf([]byte(word + `,"seq":1}`)); got != want {
			t.Errorf("kindOf(%s) = %d, want %d", word, got, want)
		}
		for n := range len(word) {
			if got := kindOf([]byte(word[:n])); got != appMessage {
				t.Errorf("kindOf(%s) = %d, want that of the application", word[:n], got)
			}
		}
		for _, other := range []string{" " + word, "[" + word, `{"x":1,` + word[1:], strings.ToLower(word), strings.Replace(word, ":", ": ", 1)} {
			if got := kindOf([]byte(other)); got != appMessage {
				t.Errorf("kindOf(%s) = %d, want that of the application", other, got)
			}
		}
	}
}

// An answer to a hand-over is read the short way in exactly the form in which Node
// writes it; any other is left to the parser, which gives the same.
func TestAnswerIsReadTheShortWayAsNodeWritesIt(t *testing.T) {
	t.Parallel()
	const most = 999_999_999_999_999_999
	for _, seq := range []int64{0, 1, 7, 10, 1 << 31, 1 << 53, most} {
		for _, accepted := range []bool{true, false} {
			frame := fmt.Sprintf(`{"cmd":"NODE_CLUSTER","ack":%d,"accepted":%v,"seq":3}`, seq, accepted)
			got, is, ok := parseAck([]byte(frame))
			parsed, parsedIs, parsedOK := parsed(t, frame).ack()
			if !ok || got != seq || is != accepted || !parsedOK || parsed != seq || parsedIs != accepted {
				t.Errorf("%s: %d %v %v", frame, got, is, ok)
			}
		}
	}
	whole := `{"cmd":"NODE_CLUSTER","ack":12,"accepted":true,"seq":3}`
	for n := range len(whole) - len(`"seq":3}`) {
		if _, _, ok := parseAck([]byte(whole[:n])); ok {
			t.Errorf("%s is taken for an answer", whole[:n])
		}
	}
}
