package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A message is one of the cluster protocol from a worker. Fields that have different
// types in Node are raw.
type message struct {
	Act string `json:"act"`
	Seq int64  `json:"seq"`

	// The ack of a connection.
	Ack      *int64 `json:"ack"`
	Accepted bool   `json:"accepted"`

	// close
	Key string `json:"key"`

	// online, from a worker that joined late (node/preload/join.js): its process ID, and
	// how it was started
	PID     int      `json:"pid"`
	Command *Command `json:"command"`

	// queryServer and listening
	Index       json.RawMessage `json:"index"`
	Address     json.RawMessage `json:"address"`
	Port        json.RawMessage `json:"port"`
	AddressType json.RawMessage `json:"addressType"`
	FD          json.RawMessage `json:"fd"`
	Flags       json.RawMessage `json:"flags"`
	Backlog     json.RawMessage `json:"backlog"`
	ReadableAll json.RawMessage `json:"readableAll"`
	WritableAll json.RawMessage `json:"writableAll"`
	Data        json.RawMessage `json:"data"`
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
	data                     json.RawMessage
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
func (m *message) query() (query, error) {
	q := query{
		index:       number(m.Index, 0),
		port:        number(m.Port, 0),
		fd:          number(m.FD, -1),
		flags:       number(m.Flags, 0),
		backlog:     int(min(max(number(m.Backlog, 0), 0), math.MaxInt32)),
		readableAll: string(m.ReadableAll) == "true",
		writableAll: string(m.WritableAll) == "true",
		data:        m.Data,
	}
	if q.backlog == 0 {
		q.backlog = defaultBacklog
	}
	if len(m.Address) > maxAddress || len(m.Data) > maxData {
		return q, unix.EINVAL
	}
	_ = json.Unmarshal(m.Address, &q.address) // null, or not a string: any
	switch kind := string(m.AddressType); {
	case kind == `"udp4"`:
		q.family = udp4
	case kind == `"udp6"`:
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

// number parses a whole number. It returns otherwise for anything else.
func number(raw json.RawMessage, otherwise int64) int64 {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return otherwise
	}
	return n
}

// where returns the address of a server that listens, for logs.
func (m *message) where() string {
	var address string
	_ = json.Unmarshal(m.Address, &address)
	kind := string(m.AddressType)
	return where(address, number(m.Port, 0), kind == `"udp4"` || kind == `"udp6"`)
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
	Cmd      string          `json:"cmd"`
	Ack      int64           `json:"ack"`
	Errno    *int            `json:"errno"` // negative; null if all is well
	Key      string          `json:"key"`
	Data     json.RawMessage `json:"data"`
	Sockname *sockname       `json:"sockname,omitempty"`
	Seq      int64           `json:"seq"`
}

type sockname struct {
	Address string `json:"address"`
	Family  string `json:"family"`
	Port    int    `json:"port"`
}

// encode returns v as a frame; passed says that a descriptor of the family goes with it.
func encode(v any, with family, passed bool) []byte {
	inner, err := json.Marshal(v)
	if err != nil { // does not happen: a RawMessage from a parser is valid
		return nil
	}
	if !passed {
		return append(inner, '\n')
	}
	kind := "net.Native"
	if with == udp4 || with == udp6 {
		kind = "dgram.Native"
	}
	return fmt.Appendf(nil, `{"cmd":"NODE_HANDLE","type":%q,"msg":%s}`+"\n", kind, inner)
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
