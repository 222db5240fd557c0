package cluster

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/rawjson"
)

// A message is one of a worker. Its fields are those of Node's cluster protocol, and of
// the agent.
type message struct{ rawjson.Value }

// act says what the message is about.
func (m message) act() string { return m.Get("act").Text() }

// int returns a field that is a whole number, otherwise if it is none.
func (m message) int(field string, otherwise int64) int64 {
	if n, ok := m.Get(field).Int(); ok {
		return n
	}
	return otherwise
}

func (m message) seq() int64 { return m.int("seq", 0) }

// ack returns what parseAck does, of any spelling; ok is false for other messages.
func (m message) ack() (seq int64, accepted, ok bool) {
	seq, ok = m.Get("ack").Int()
	return seq, m.Get("accepted").Bool(), ok
}

// Node's flags for sockets (deps/uv/include/uv.h: UV_TCP_IPV6ONLY and
// UV_UDP_IPV6ONLY are both 1; UV_UDP_REUSEADDR).
const (
	flagIPv6Only     = 1
	flagUDPReuseAddr = 4
)

const (
	defaultBacklog = 511  // lib/net.js
	maxAddress     = 1024 // bytes of a host or path
	maxData        = 4096 // bytes of a server's data; TLS ticket keys are 98
)

// A query is what a worker asks for with queryServer: what to bind and how.
type query struct {
	index                    int64
	family                   family
	address                  string // "" for any
	port                     int64
	fd                       int64 // inherited by the primary, -1 for none
	flags                    int64
	backlog                  int
	readableAll, writableAll bool
	data                     rawjson.Value
	copy                     int       // see request.find
	as                       *identity // whose rights decide; nil: nodeinit's own
}

// A family is what kind of socket a server has.
type family int

const (
	tcp family = iota
	udp4
	udp6
	pipe // a Unix socket
)

// query returns what m asks for, or an errno.
func (m message) query() (query, error) {
	q := query{
		index:       m.int("index", 0),
		port:        m.int("port", 0),
		fd:          m.int("fd", -1),
		flags:       m.int("flags", 0),
		backlog:     int(min(max(m.int("backlog", 0), 0), math.MaxInt32)),
		readableAll: m.Get("readableAll").Bool(),
		writableAll: m.Get("writableAll").Bool(),
		data:        m.Get("data"),
	}
	if q.backlog == 0 {
		q.backlog = defaultBacklog
	}
	address := m.Get("address")
	if len(address) > maxAddress || len(q.data) > maxData {
		return q, unix.EINVAL
	}
	q.address = address.Text() // null, or not a string: any
	switch kind := m.Get("addressType").Text(); {
	case kind == "udp4":
		q.family = udp4
	case kind == "udp6":
		q.family = udp6
	case q.fd < 0 && q.port < 0:
		q.family = pipe
	}
	if q.port > math.MaxUint16 || q.family == pipe && q.address == "" {
		return q, unix.EINVAL
	}
	return q, nil
}

// id is the same for all queries of one server. Servers on port 0 differ by the order in
// which a worker asks for them. For other ports the order does not count, as in Node since
// 22.22 and 24.15.
func (q query) id() string {
	index := int64(-1)
	if q.port == 0 && q.fd < 0 {
		index = q.index
	}
	return fmt.Sprintf("%d %d %d %d %d %s", q.family, q.port, q.fd, index, q.copy, q.address)
}

// where returns the address of a server that listens, for logs.
func (m message) where() string {
	kind := m.Get("addressType").Text()
	return where(m.Get("address").Text(), m.int("port", 0), kind == "udp4" || kind == "udp6")
}

// where returns the same address before the server listens.
func (q query) where() string {
	if q.fd >= 0 {
		return "fd:" + strconv.FormatInt(q.fd, 10)
	}
	return where(q.address, q.port, q.family == udp4 || q.family == udp6)
}

func where(address string, port int64, datagrams bool) string {
	switch {
	case len(address) > maxAddress:
		return "?"
	case port < 0:
		return filepath.Clean(strings.ReplaceAll(address, "\x00", "@"))
	case address == "":
		address = "*"
	}
	if strings.Contains(address, ":") {
		address = "[" + address + "]"
	}
	if datagrams {
		address = "udp:" + address
	}
	return address + ":" + strconv.FormatInt(port, 10)
}

// parseAck parses the ack of a connection, exactly as Node writes it: a JSON parser would
// cost too much for one per connection. ok is false for other messages.
func parseAck(frame []byte) (seq int64, accepted, ok bool) {
	rest, ok := bytes.CutPrefix(frame, []byte(`{"cmd":"NODE_CLUSTER","ack":`))
	if !ok {
		return 0, false, false
	}
	digits := 0
	for digits < len(rest) && digits < 18 && '0' <= rest[digits] && rest[digits] <= '9' {
		seq = seq*10 + int64(rest[digits]-'0')
		digits++
	}
	rest, ok = bytes.CutPrefix(rest[digits:], []byte(`,"accepted":`))
	if !ok || digits == 0 {
		return 0, false, false
	}
	if bytes.HasPrefix(rest, []byte("true,")) {
		return seq, true, true
	}
	return seq, false, bytes.HasPrefix(rest, []byte("false,"))
}

// A reply answers a message of a worker.
type reply struct {
	Ack      int64
	Errno    *int // negative; null, or 0 with a descriptor, if all is well
	Key      string
	Data     rawjson.Value // nil: null
	Sockname *sockname     // nil: none
	Seq      int64
}

// A sockname is the address of a socket. Its words need no escapes.
type sockname struct {
	Address string
	Family  string
	Port    int
}

// encode returns r as a frame; passed says that a descriptor of the family goes with it.
func (r *reply) encode(with family, passed bool) []byte {
	var b []byte
	if passed {
		kind := "net.Native"
		if with == udp4 || with == udp6 {
			kind = "dgram.Native"
		}
		b = append(b, `{"cmd":"NODE_HANDLE","type":"`+kind+`","msg":`...)
	}
	b = strconv.AppendInt(append(b, `{"cmd":"NODE_CLUSTER","ack":`...), r.Ack, 10)
	b = append(b, `,"errno":`...)
	if r.Errno == nil {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, int64(*r.Errno), 10)
	}
	b = append(b, `,"key":"`+r.Key+`","data":`...)
	if r.Data == nil {
		b = append(b, "null"...)
	}
	b = append(b, r.Data...)
	if s := r.Sockname; s != nil {
		b = append(b, `,"sockname":{"address":"`+s.Address+`","family":"`+s.Family+`","port":`...)
		b = append(strconv.AppendInt(b, int64(s.Port), 10), '}')
	}
	b = append(strconv.AppendInt(append(b, `,"seq":`...), r.Seq, 10), '}')
	if passed {
		b = append(b, '}')
	}
	return append(b, '\n')
}

// errno returns err as a number of Node, which is negative: -EIO if it is no errno.
func errno(err error) int {
	if e, ok := err.(unix.Errno); ok {
		return -int(e)
	}
	return -int(unix.EIO)
}

// appendString appends text, which is UTF-8, as a frame.
func appendString(frame []byte, text string) []byte {
	const hex = "0123456789abcdef"
	frame = append(frame, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			frame = append(frame, '\\', c)
		case c < ' ':
			frame = append(frame, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			frame = append(frame, c)
		}
	}
	return append(frame, '"', '\n')
}
