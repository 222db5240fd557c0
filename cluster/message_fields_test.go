package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/rawjson"
)

func parsed(t testing.TB, text string) message {
	t.Helper()
	value, err := rawjson.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return message{value}
}

// withPort80 is what is read of a query for port 80, but for a change.
func withPort80(change func(q *query)) query {
	q := query{family: tcp, port: 80, fd: -1, backlog: defaultBacklog}
	change(&q)
	return q
}

var usual = withPort80(func(*query) {})

// fieldsOfQueries are single fields, and the query that they are read as.
var fieldsOfQueries = map[string]query{
	`"port":80`:              usual,
	`"port":0`:               withPort80(func(q *query) { q.port = 0 }),
	`"port":65535`:           withPort80(func(q *query) { q.port = 65535 }),
	`"port":"443"`:           withPort80(func(q *query) { q.port = 0 }),
	`"port":8e1`:             withPort80(func(q *query) { q.port = 0 }),
	`"port":80.5`:            withPort80(func(q *query) { q.port = 0 }),
	`"port":[80]`:            withPort80(func(q *query) { q.port = 0 }),
	`"port":true`:            withPort80(func(q *query) { q.port = 0 }),
	`"port":null`:            withPort80(func(q *query) { q.port = 0 }),
	`"port":-0`:              withPort80(func(q *query) { q.port = 0 }),
	`"backlog":1`:            withPort80(func(q *query) { q.backlog = 1 }),
	`"backlog":0`:            usual,
	`"backlog":-1`:           usual,
	`"backlog":"9"`:          usual,
	`"backlog":4294967296`:   withPort80(func(q *query) { q.backlog = math.MaxInt32 }),
	`"backlog":9e99`:         usual,
	`"fd":0`:                 withPort80(func(q *query) { q.fd = 0 }),
	`"fd":-1`:                usual,
	`"fd":-7`:                withPort80(func(q *query) { q.fd = -7 }),
	`"fd":"3"`:               usual,
	`"fd":4294967299`:        withPort80(func(q *query) { q.fd = 4294967299 }),
	`"fd":{}`:                usual,
	`"flags":5`:              withPort80(func(q *query) { q.flags = 5 }),
	`"flags":-1`:             withPort80(func(q *query) { q.flags = -1 }),
	`"flags":"1"`:            usual,
	`"flags":1e300`:          usual,
	`"index":9`:              withPort80(func(q *query) { q.index = 9 }),
	`"index":-9`:             withPort80(func(q *query) { q.index = -9 }),
	`"index":"a"`:            usual,
	`"readableAll":true`:     withPort80(func(q *query) { q.readableAll = true }),
	`"readableAll":1`:        usual,
	`"readableAll":"true"`:   usual,
	`"writableAll":true`:     withPort80(func(q *query) { q.writableAll = true }),
	`"writableAll":[true]`:   usual,
	`"address":"::1"`:        withPort80(func(q *query) { q.address = "::1" }),
	`"address":null`:         usual,
	`"address":17`:           usual,
	`"address":["::1"]`:      usual,
	`"addressType":4`:        usual,
	`"addressType":6`:        usual,
	`"addressType":"udp4"`:   withPort80(func(q *query) { q.family = udp4 }),
	`"addressType":"udp6"`:   withPort80(func(q *query) { q.family = udp6 }),
	`"addressType":"udp5"`:   usual,
	`"addressType":["udp4"]`: usual,
	`"addressType":-1`:       usual, // a pipe is known by its port
}

// A field of the wrong type, or a number that is none, is as if it were not there; what
// is out of bounds is cut to them.
func TestQueryReadsEachFieldWithinItsBounds(t *testing.T) {
	t.Parallel()
	for field, want := range fieldsOfQueries {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			text := `{"port":80,` + field + `}`
			got, err := parsed(t, text).query()
			if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
		})
	}
}

// What no server can be made of is EINVAL before anything is opened.
func TestQueryRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	for what, text := range map[string]string{
		"a port above the last":      `{"port":65536}`,
		"a port far above":           `{"port":9223372036854775807}`,
		"a port above, for UDP":      `{"port":65536,"addressType":"udp4"}`,
		"a pipe without a path":      `{"port":-1,"address":null}`,
		"a pipe whose path is empty": `{"port":-1,"address":""}`,
		"a pipe whose path is none":  `{"port":-1,"address":{"path":"/x"}}`,
		"a long address":             `{"port":1,"address":"` + strings.Repeat("a", maxAddress-1) + `"}`,
		"a long path":                `{"port":-1,"address":"/` + strings.Repeat("a", maxAddress-2) + `"}`,
		"a long address of escapes":  `{"port":1,"address":"` + strings.Repeat(`\u0061`, maxAddress/6+1) + `"}`,
		"much data":                  `{"port":1,"data":"` + strings.Repeat("d", maxData-1) + `"}`,
	} {
		if q, err := parsed(t, text).query(); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%s: %+v, %v, want EINVAL", what, q, err)
		}
	}
	for what, text := range map[string]string{
		"the longest address": `{"port":1,"address":"` + strings.Repeat("a", maxAddress-2) + `"}`,
		"the longest data":    `{"port":1,"data":"` + strings.Repeat("d", maxData-2) + `"}`,
	} {
		if _, err := parsed(t, text).query(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Two queries are for one server if they have one identity: all that decides what is
// bound is in it, and nothing else; and no address can look like another field.
func TestIdentityIsThatOfWhatIsBound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, one, other string
		same             bool
	}{
		{"order of listening", `{"port":80,"index":0}`, `{"port":80,"index":5}`, true},
		{"order of listening on any port", `{"port":0,"index":0}`, `{"port":0,"index":5}`, false},
		{"any port of the same turn", `{"port":0,"index":2}`, `{"port":null,"index":2}`, true},
		{"order of listening on a descriptor", `{"fd":3,"index":0}`, `{"fd":3,"index":5}`, true},
		{"descriptors", `{"fd":3}`, `{"fd":4}`, false},
		{"a descriptor and a port", `{"fd":3,"port":0}`, `{"port":3}`, false},
		{"ports", `{"port":80}`, `{"port":81}`, false},
		{"addresses", `{"port":80,"address":"127.0.0.1"}`, `{"port":80,"address":"127.0.0.2"}`, false},
		{"any address", `{"port":80,"address":null}`, `{"port":80,"address":""}`, true},
		{"TCP and UDP", `{"port":80}`, `{"port":80,"addressType":"udp4"}`, false},
		{"UDP of both versions", `{"port":80,"addressType":"udp6"}`, `{"port":80,"addressType":"udp4"}`, false},
		{"TCP of both versions", `{"port":80,"addressType":6}`, `{"port":80,"addressType":4}`, true},
		{"backlog, flags and data", `{"port":80}`, `{"port":80,"backlog":3,"flags":1,"data":"x","readableAll":true}`, true},
		{"paths", `{"port":-1,"address":"/a"}`, `{"port":-1,"address":"/b"}`, false},
		{"a file and an abstract name", `{"port":-1,"address":"@a"}`, `{"port":-1,"address":"\u0000a"}`, false},
		{"a path like a number", `{"port":-1,"address":"0 /a"}`, `{"port":-1,"address":"/a"}`, false},
	} {
		var ids [2]string
		for i, text := range []string{c.one, c.other} {
			q, err := parsed(t, text).query()
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			ids[i] = q.id()
		}
		if (ids[0] == ids[1]) != c.same {
			t.Errorf("%s: %q and %q, want the same: %v", c.what, ids[0], ids[1], c.same)
		}
	}
	one := query{port: 80, fd: -1}
	other := one
	other.copy = 1
	if one.id() == other.id() {
		t.Error("two copies of one server have the same identity")
	}
}

// The name of a server in a log is the same before it listens and when it does.
func TestWhereIsTheSameBeforeAndAfter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"port":3000}`: "*:3000",
		`{"port":3000,"address":null,"addressType":4}`:           "*:3000",
		`{"port":3000,"address":"0.0.0.0"}`:                      "0.0.0.0:3000",
		`{"port":3000,"address":"::"}`:                           "[::]:3000",
		`{"port":3000,"address":"fe80::1%eth0"}`:                 "[fe80::1%eth0]:3000",
		`{"port":53,"addressType":"udp4"}`:                       "udp:*:53",
		`{"port":53,"address":"::1","addressType":"udp6"}`:       "udp:[::1]:53",
		`{"port":-1,"address":"/run/app.sock"}`:                  "/run/app.sock",
		`{"port":-1,"address":"/run//x/../app.sock/"}`:           "/run/app.sock",
		`{"port":-1,"address":"\u0000app"}`:                      "@app",
		`{"port":"x","address":["/tmp"],"addressType":"udp444"}`: "*:0",
	} {
		m := parsed(t, text)
		q, err := m.query()
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if before, after := q.where(), m.where(); before != want || after != want {
			t.Errorf("%s: %q and %q, want %q", text, before, after, want)
		}
	}
	if q, _ := parsed(t, `{"port":3000,"address":"x","fd":4}`).query(); q.where() != "fd:4" {
		t.Errorf("a descriptor is called %q", q.where())
	}
	long := `{"port":%d,"address":"` + strings.Repeat("a", 2*maxAddress) + `"}`
	for _, port := range []int{-1, 80} {
		if got := parsed(t, fmt.Sprintf(long, port)).where(); got != "?" {
			t.Errorf("an address of %d bytes is told in %d", 2*maxAddress, len(got))
		}
	}
}

// A reply is one line whose errno is null where all is well: Node takes undefined for
// an error (lib/internal/cluster/child.js). With a descriptor it is what
// child_process wraps (NODE_HANDLE), of the type that its receiver knows.
func TestRepliesAreAsNodeReadsThem(t *testing.T) {
	t.Parallel()
	code := -98
	for _, c := range []struct {
		reply  reply
		with   family
		passed bool
		want   string
	}{
		{reply{Ack: 3, Key: "7", Seq: 4}, tcp, false,
			`{"cmd":"NODE_CLUSTER","ack":3,"errno":null,"key":"7","data":null,"seq":4}`},
		{reply{Ack: 3, Errno: &code}, tcp, false,
			`{"cmd":"NODE_CLUSTER","ack":3,"errno":-98,"key":"","data":null,"seq":0}`},
		{reply{Sockname: &sockname{"::1", "IPv6", 80}}, tcp, true,
			`{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","ack":0,"errno":null,"key":"","data":null,"sockname":{"address":"::1","family":"IPv6","port":80},"seq":0}}`},
		{reply{}, pipe, true,
			`{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","ack":0,"errno":null,"key":"","data":null,"seq":0}}`},
		{reply{}, udp4, true,
			`{"cmd":"NODE_HANDLE","type":"dgram.Native","msg":{"cmd":"NODE_CLUSTER","ack":0,"errno":null,"key":"","data":null,"seq":0}}`},
		{reply{}, udp6, true,
			`{"cmd":"NODE_HANDLE","type":"dgram.Native","msg":{"cmd":"NODE_CLUSTER","ack":0,"errno":null,"key":"","data":null,"seq":0}}`},
	} {
		if got := string(c.reply.encode(c.with, c.passed)); got != c.want+"\n" {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// The data of a server, such as TLS ticket keys, comes back as it was, in one line.
func TestRepliesReturnTheDataOfTheFirst(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`"plain"`, `"<&>\u2028"`, `{"a":[1,2.5,null,true],"b":{}}`, `"two\nlines"`, `[]`, `12345678901234567890`, `"é\ud83d\ude00"`,
	} {
		frame := (&reply{Data: rawjson.Value(data)}).encode(tcp, true)
		if n := strings.Count(string(frame), "\n"); n != 1 || frame[len(frame)-1] != '\n' {
			t.Errorf("%s: %d ends of lines in %q", data, n, frame)
		}
		var outer struct{ Msg struct{ Data any } }
		var want any
		if err := errors.Join(json.Unmarshal(frame, &outer), json.Unmarshal([]byte(data), &want)); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(outer.Msg.Data) != fmt.Sprint(want) {
			t.Errorf("%s came back as %v", data, outer.Msg.Data)
		}
	}
}

func TestErrnoIsNegativeAndNeverZero(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want int
	}{
		{unix.EADDRINUSE, -98}, {unix.EACCES, -13}, {unix.EMFILE, -24},
		{errors.New("no number"), -5}, {nil, -5},
	} {
		if got := errno(c.err); got != c.want {
			t.Errorf("errno(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}
