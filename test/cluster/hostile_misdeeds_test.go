package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A misdeed is what a hostile worker does with its channel.
type misdeed struct {
	listens bool // it takes part in serving before that
	act     func(c *channel) error
}

var misdeeds = map[string]misdeed{
	"says nothing":  {false, func(*channel) error { return nil }},
	"does not read": {true, func(*channel) error { return nil }},
	"asks and does not read": {true, func(c *channel) error {
		return c.flood(1<<20, func(i int) string { return queryFor(strconv.Itoa(1024+i%60000), i+9) })
	}},
	"rubbish":                  {true, rubbish},
	"half a frame":             {true, func(c *channel) error { return c.write([]byte(`{"cmd":"NODE_CLUSTER","act":"queryServer","add`)) }},
	"100 MB without an end":    {true, func(c *channel) error { return c.long("") }},
	"100 MB frame":             {true, func(c *channel) error { return c.long("\"}\n") }},
	"descriptors":              {true, descriptorsUnasked},
	"handles without one":      {true, handlesWithout},
	"many servers":             {true, manyServers},
	"wrong types":              {true, wrongTypes},
	"deep nesting":             {true, deepNesting},
	"answers to nothing":       {true, answersToNothing},
	"refuses each":             {true, refusesEach},
	"lies":                     {true, lies},
	"closes the channel":       {true, func(c *channel) error { return unix.Close(c.fd) }},
	"shuts its reading side":   {true, func(c *channel) error { return unix.Shutdown(c.fd, unix.SHUT_RD) }},
	"shuts its writing side":   {true, func(c *channel) error { return unix.Shutdown(c.fd, unix.SHUT_WR) }},
	"leaves and does not read": {true, func(c *channel) error { return c.write([]byte(cluster0(`"act":"exitedAfterDisconnect","seq":9`))) }},
}

// unreadable are misdeeds that are over, or ended by nodeinit, before the balance matters.
var unreadable = []string{"rubbish", "half a frame", "100 MB without an end", "100 MB frame", "wrong types", "deep nesting", "asks and does not read"}

// flood sends n lines, or as many as are taken. It does not wait for room for
// ever: with a full channel, its end is done.
func (c *channel) flood(n int, line func(i int) string) error {
	if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return err
	}
	for i := range n {
		if err := c.write([]byte(line(i))); errors.Is(err, unix.EAGAIN) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// long sends a frame of 100 MB.
func (c *channel) long(end string) error {
	if err := c.write([]byte(`{"cmd":"NODE_CLUSTER","act":"`)); err != nil {
		return err
	}
	part := bytes.Repeat([]byte("x"), 1<<20)
	for range 100 {
		if err := c.write(part); err != nil {
			return err
		}
	}
	return c.write([]byte(end))
}

func rubbish(c *channel) error {
	lines := []string{"", "x", "null", "[]", "{}", "7", `"`, "\x00\x00\x00\x05hello", "\xff\xfe", `{"cmd":"NODE_CLUSTER"}`,
		`{"cmd":"NODE_CLUSTER","act":`, `{"cmd":"NODE_CLUSTER","act":"queryServer"`, `{"cmd":"NODE_CLUSTER"]`,
		`{"cmd":"NODE_HANDLE`, `{"cmd":"NODE_CLUSTER","act":"queryServer"} {"cmd":"NODE_CLUSTER"}`, "\x02", "\x02\x02{}", "\r",
		`{"cmd":"NODE_CLUSTER","act":"online"}`, `{"cmd":"NODE_CLUSTER","act":"online"}`, `{"cmd":"NODE_CLUSTER","act":"` + strings.Repeat("a", 70000) + `"}`}
	for range 500 {
		for _, line := range lines {
			if err := c.write([]byte(line + "\n")); err != nil {
				return err
			}
		}
	}
	return nil
}

// descriptorsUnasked passes as many as there can be in a message, with frames
// that have no use for any, within a frame and between two.
func descriptorsUnasked(c *channel) error {
	var fds []int
	for range 253 {
		fd, err := unix.Dup(c.fd)
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	texts := []string{"x\n", "\n", `{"cmd":"NODE_HANDLE","type":"net.Socket","msg":{}}` + "\n", `{"half":`, "1}\n"}
	for i := range 2000 {
		if err := c.write([]byte(texts[i%len(texts)]), fds[:1+i%len(fds)]...); err != nil {
			return err
		}
	}
	return nil
}

func handlesWithout(c *channel) error {
	for range 100 {
		if err := c.write([]byte(`{"cmd":"NODE_HANDLE","type":"net.Native","msg":{}}` + "\n")); err != nil {
			return err
		}
		for { // Node would not go on without
			line, err := c.line()
			if err != nil {
				return err
			}
			if bytes.HasPrefix(line, []byte(`{"cmd":"NODE_HANDLE_`)) {
				break
			}
		}
	}
	return nil
}

// manyServers asks for more servers than an application has, and reads the answers.
func manyServers(c *channel) error {
	dir, err := os.MkdirTemp("", "many")
	if err != nil {
		return err
	}
	for i := range 2000 {
		text := queryFor("0", i+9)
		switch i % 3 {
		case 0:
			text = strings.Replace(text, `"index":0`, fmt.Sprintf(`"index":%d`, i), 1)
		case 1:
			text = strings.NewReplacer(`"127.0.0.1"`, strconv.Quote(fmt.Sprintf("%s/%d", dir, i)), `"port":0`, `"port":-1`,
				`"addressType":4`, `"addressType":-1`).Replace(text)
		default:
			text = strings.NewReplacer(`"addressType":4`, `"addressType":"udp4"`, `"index":0`, fmt.Sprintf(`"index":%d`, i)).Replace(text)
		}
		if err := c.write([]byte(text)); err != nil {
			return err
		}
		if _, err := c.line(); err != nil {
			return err
		}
		for _, fd := range c.fds {
			_ = unix.Close(fd)
		}
		c.fds = nil
	}
	return nil
}

// wrongTypes asks with each field as it never is.
func wrongTypes(c *channel) error {
	values := []string{"null", "true", "-1", "-0", "1.5", "1e308", "9007199254740993", "-9223372036854775808", "123456789012345678901234567890",
		"65536", `""`, `"x"`, `"999.1.1.1"`, `"fe80::1%none"`, `"\u0000"`, `"/"`, `"` + strings.Repeat("a", 5000) + `"`, "[]", "[[1]]", "{}", `{"a":{}}`}
	fields := []string{"act", "index", "data", "address", "port", "addressType", "fd", "flags", "backlog", "seq", "ack", "accepted", "key", "readableAll"}
	for _, act := range []string{"queryServer", "listening", "close", "online"} {
		for _, field := range fields {
			for i, value := range values {
				query := map[string]json.RawMessage{
					"act": json.RawMessage(strconv.Quote(act)), "index": []byte("0"), "address": []byte(`"127.0.0.1"`), "port": []byte("0"),
					"addressType": []byte("4"), "fd": []byte("-1"), "seq": []byte(strconv.Itoa(1000 + i)), field: []byte(value),
				}
				text, err := json.Marshal(query)
				if err != nil {
					return err
				}
				if err := c.write([]byte(cluster0(string(text[1 : len(text)-1])))); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func deepNesting(c *channel) error {
	for _, depth := range []int{1000, 9000, 1 << 20} {
		deep := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		for _, field := range []string{"data", "address", "act", "foreign"} {
			text := strings.Replace(queryFor("0", 9), `"data":null`, strconv.Quote(field)+":"+deep, 1)
			if err := errors.Join(c.write([]byte(text)), c.write([]byte(deep+"\n"))); err != nil {
				return err
			}
		}
	}
	return nil
}

func answersToNothing(c *channel) error {
	for i := range 20000 {
		for _, ack := range []int{i, -i, 1 << 62, 0} {
			text := cluster0(fmt.Sprintf(`"ack":%d,"accepted":%v,"seq":%d`, ack, i%2 == 0, i))
			if err := c.write([]byte(text + `{"cmd":"NODE_HANDLE_ACK"}` + "\n" + `{"cmd":"NODE_HANDLE_NACK"}` + "\n")); err != nil {
				return err
			}
		}
	}
	return nil
}

// refusesEach refuses every connection that it gets, as long as it lives.
func refusesEach(c *channel) error {
	go func() {
		for {
			line, err := c.line()
			if err != nil {
				return
			}
			var handle struct{ Msg struct{ Seq int } }
			if json.Unmarshal(line, &handle) == nil && len(c.fds) > 0 {
				_ = unix.Close(c.fds[0])
				c.fds = c.fds[1:]
				_ = c.write([]byte(`{"cmd":"NODE_HANDLE_ACK"}` + "\n" + cluster0(fmt.Sprintf(`"ack":%d,"accepted":false,"seq":1`, handle.Msg.Seq))))
			}
		}
	}()
	return nil
}

// lies tells of servers that there are not.
func lies(c *channel) error {
	for i := range 5000 {
		text := cluster0(fmt.Sprintf(`"act":"listening","address":"192.0.2.%d","port":%d,"addressType":4,"seq":%d`, i%256, i, i)) +
			cluster0(fmt.Sprintf(`"act":"close","key":"%d","seq":%d`, i, i)) + cluster0(`"act":"suicide"`)
		if err := c.write([]byte(text)); err != nil {
			return err
		}
	}
	return nil
}
