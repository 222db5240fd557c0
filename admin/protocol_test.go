package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/supervisor"
)

func TestParseRequest(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]request{
		`{"version":1,"op":"status"}`:                                {Version: 1, Op: "status"},
		` {"op":"health","version":1,"unknown":[{}]} `:               {Version: 1, Op: "health"},
		`{"version":1,"op":"reload"}`:                                {Version: 1, Op: "reload"},
		`{"version":1,"op":"scale"}`:                                 {Version: 1, Op: "scale"},
		`{"version":1,"op":"scale","workers":3,"force":true}` + "\r": {Version: 1, Op: "scale", Workers: 3, Force: true},
		`{"version":1,"op":"profile","kind":"cpu","seconds":0.1}`:    {Version: 1, Op: "profile", Kind: "cpu", Seconds: 0.1},
		`{"version":1,"op":"profile","kind":"heap","worker":3}`:      {Version: 1, Op: "profile", Kind: "heap", Worker: 3},
	} {
		if got, err := parseRequest([]byte(line)); got != want || err != nil {
			t.Errorf("%s: %v, %v", line, got, err)
		}
	}
	for line, want := range map[string]string{
		"":                              "not a request of the control protocol",
		"GET / HTTP/1.1\r":              "not a request of the control protocol",
		"[]":                            "not a request of the control protocol",
		"null":                          "not a request of the control protocol",
		`{"op":"status"}`:               "not a request of the control protocol",
		`{"version":"1"}`:               "not a request of the control protocol",
		`{"version":1.5}`:               "not a request of the control protocol",
		`{"version":1,"op":"status"}{}`: "not a request of the control protocol",
		`{"version":1}`:                 `this nodeinit knows no request ""`,
		`{"version":1,"op":"trace"}`:    `this nodeinit knows no request "trace"`,
		`{"version":1,"op":"profile"}`:  "this nodeinit knows no such profile",
		`{"version":1,"op":"profile","kind":"cpu"}`:                     "a profile takes from 0.1 to 3600 seconds",
		`{"version":1,"op":"profile","kind":"alloc","seconds":3601}`:    "a profile takes from 0.1 to 3600 seconds",
		`{"version":1,"op":"profile","kind":"heap","worker":-1}`:        "a worker has a number from 0 on",
		`{"version":1,"op":"profile","kind":"cpu","seconds":"forever"}`: "not a request of version 1: the value of seconds is wrong",
		`{"version":1,"op":7}`:                                          "not a request of version 1: the value of op is wrong",
		`{"version":1,"op":"scale","workers":-1}`:                       "-1 is not a number of workers",
		`{"version":1,"op":"scale","workers":1e30}`:                     "not a request of version 1: the value of workers is wrong",
		`{"version":2,"op":7,"workers":"many"}`:                         "this nodeinit speaks version 1 of the control protocol, not 2 (use the client of the same nodeinit)",
	} {
		if q, err := parseRequest([]byte(line)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, %v; want %s", line, q, err, want)
		}
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	for want, got := range map[string][]byte{
		`{"version":1,"op":"status"}`:                                                     request{Version: 1, Op: opStatus, Workers: 3, Force: true}.appendJSON(nil),
		`{"version":1,"op":"scale","workers":3,"force":false}`:                            request{Version: 1, Op: opScale, Workers: 3}.appendJSON(nil),
		`{"version":1,"op":"profile","kind":"cpu","seconds":0.5,"worker":2,"force":true}`: request{Version: 1, Op: opProfile, Kind: "cpu", Seconds: 0.5, Worker: 2, Force: true}.appendJSON(nil),
		`{"event":{"slot":0,"pid":12,"step":"ready"}}`:                                    appendEvent(nil, supervisor.Event{PID: 12, Step: "ready"}),
		`{"event":{"slot":1,"step":"ended","text":"exit 1"}}`:                             appendEvent(nil, supervisor.Event{Slot: 1, Step: "ended", Text: "exit 1"}),
		`{"done":true,"text":"reloaded 2 workers"}`:                                       appendDone(nil, "reloaded 2 workers"),
		`{"version":1,"healthy":false,"text":"no worker is ready"}`:                       appendHealth(nil, false, "no worker is ready"),
		`{"error":"a \"b\"\nc \u001b d"}`:                                                 appendError(nil, errors.New("a \"b\"\nc \x1b d")),
		`{"error":"` + versionError(7).Error() + `","version":1}`:                         appendError(nil, versionError(7)),
	} {
		if string(got) != want+"\n" || !json.Valid(got) {
			t.Errorf("%s is %s", want, got)
		}
	}
}

func TestParseAnswer(t *testing.T) {
	t.Parallel()
	a, err := parseAnswer([]byte(`{"event":{"slot":1,"pid":3,"step":"ready","text":"x"},"new":{}}`))
	if err != nil || a.Event == nil || *a.Event != (Event{1, 3, "ready", "x"}) {
		t.Errorf("%v, %v", a, err)
	}
	const obeyed, escaped = `\u001b[2J\u009b\n`, `\x1b[2J\u009b\n`
	a, err = parseAnswer([]byte(`{"event":{"step":"` + obeyed + `","text":"` + obeyed + `"},"text":"` + obeyed + `"}`))
	if err != nil || *a.Event != (Event{Step: escaped, Text: escaped}) || a.Text != escaped {
		t.Errorf("%q, %+v, %v", a.Text, a.Event, err)
	}
	const notAnswer = "not an answer of the control protocol"
	for line, want := range map[string]string{
		`{"error":"no"}`: "no", `{"error":"` + obeyed + `"}`: escaped, "": notAnswer, "nope": notAnswer, "[]": notAnswer,
		`{"version":"2"}`:          notAnswer + ": the value of version is wrong",
		`{"event":{"slot":"one"}}`: notAnswer + ": the value of event.slot is wrong",
	} {
		if _, err := parseAnswer([]byte(line)); err == nil || err.Error() != want {
			t.Errorf("%s: %v", line, err)
		}
	}
}

const socketTable = `Num       RefCount Protocol Flags    Type St Inode Path
00000000a0b1c2d3: 00000002 00000000 00010000 0001 01 12345 @nodeinit/4026531836/7
00000000a0b1c2d4: 00000002 00000000 00010000 0001 01 12346 @nodeinit/4026531836/1
00000000a0b1c2d4: 00000003 00000000 00000000 0001 03 12347 @nodeinit/4026531836/12
00000000a0b1c2d4: 00000002 00000000 00010000 0001 01 12346 @nodeinit/4026531836/1
00000000a0b1c2d5: 00000002 00000000 00010000 0001 01 12348 @nodeinit/4026532000/2
00000000a0b1c2d5: 00000002 00000000 00010000 0001 01 12348 @nodeinit/4026531836/
00000000a0b1c2d5: 00000002 00000000 00010000 0001 01 12348 @nodeinit/4026531836/0
00000000a0b1c2d5: 00000002 00000000 00010000 0001 01 12348 @nodeinit/4026531836/-3
00000000a0b1c2d5: 00000002 00000000 00010000 0001 01 12348 @nodeinit/4026531836/03
00000000a0b1c2d5: 00000002 00000000 00010000 0001 01 12348 @nodeinit/4026531836/4294967299
00000000a0b1c2d5: 00000002 00000000 00010000 0001 01 12348 @nodeinit/4026531836/4 x
00000000a0b1c2d6: 00000002 00000000 00010000 0001 01 12349 /run/@nodeinit/4026531836/5
00000000a0b1c2d7: 00000003 00000000 00000000 0001 03 12350
`

func TestListeners(t *testing.T) {
	t.Parallel()
	const prefix = "@nodeinit/4026531836/"
	if got := listeners([]byte(socketTable), prefix); !slices.Equal(got, []int{1, 7}) {
		t.Errorf("%v", got)
	}
	many := strings.Builder{}
	for pid := range 1000 {
		many.WriteString(strings.Replace(strings.Split(socketTable, "\n")[1], "/7", fmt.Sprint("/", pid), 1) + "\n")
	}
	if got := listeners([]byte(many.String()), prefix); len(got) == 0 || len(got) > maxCandidates {
		t.Errorf("%d of many", len(got))
	}
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]int{
		"Name:\tnode\nPid:\t12\nNSpid:\t12\nNSpgid:\t12\n":       1,
		"Name:\tnode\nPid:\t12\nNSpid:\t12\t1\nNSpgid:\t12\t1\n": 2,
		"Name:\tNSpid:\t1 2\nPid:\t12\n":                         0,
		"Name:\ta\\nNSpid:\t1 2\nPid:\t12\nNSpid:\t3\n":          1,
		"Pid:\t12\nNSpid:\t3":                                    0, // cut off
		"":                                                       0,
	} {
		if cut, whole := aloneIn([]byte(status), true), aloneIn([]byte(status), false); cut != (want == 1) || whole != (want <= 1) {
			t.Errorf("%q: %t, %t", status, cut, whole)
		}
		if got := namespaces([]byte(status)); got != want {
			t.Errorf("%q: %d, want %d", status, got, want)
		}
	}
}

func FuzzRequest(f *testing.F) {
	for _, line := range []string{`{"version":1,"op":"scale","workers":3,"force":true}`, `{"version":2}`, "[[[[", ""} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		q, err := parseRequest(line)
		if err != nil {
			if answer := appendError(nil, err); !json.Valid(answer) || strings.Count(string(answer), "\n") != 1 {
				t.Errorf("the answer is %q", answer)
			}
			return
		}
		if q.Version != ProtocolVersion || q.Workers < 0 {
			t.Errorf("%+v", q)
		}
		if again, err := parseRequest(q.appendJSON(nil)); err != nil || again.Op != q.Op || q.Op == opScale && again != q {
			t.Errorf("%+v is %+v, %v", q, again, err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"event":{"slot":1,"pid":3,"step":"ready","text":"x"}}`))
	f.Add([]byte("{\"version\":1,\"healthy\":true}\n{\"error\":\"x\"}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := lineReader{from: &oneByOne{text}, max: 100}
		for {
			line, err := lines.next()
			if err != nil {
				return
			}
			if len(line) > 2*100+8<<10 || slices.Contains(line, '\n') {
				t.Fatalf("a line of %d bytes", len(line))
			}
			if a, err := parseAnswer(line); err == nil && a.Error != "" {
				t.Errorf("%+v", a)
			}
		}
	})
}

func FuzzSocketTable(f *testing.F) {
	f.Add([]byte(socketTable))
	f.Fuzz(func(t *testing.T, table []byte) {
		pids := listeners(table, "@nodeinit/4026531836/")
		if !slices.IsSorted(pids) || len(pids) > maxCandidates || len(pids) > 0 && pids[0] < 1 {
			t.Errorf("%v", pids)
		}
	})
}

// oneByOne returns a byte with each Read.
type oneByOne struct{ text []byte }

func (r *oneByOne) Read(p []byte) (int, error) {
	if len(r.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:1], r.text)
	r.text = r.text[n:]
	return n, nil
}
