package cluster

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/test/harness"
)

// A channel is a worker's end, as a worker has it that is not Node.
type channel struct {
	fd  int
	got []byte // read and not yet a line
	fds []int  // came along
}

// rawWorker is a worker that is not Node, in slot 1: once the test says so it
// does what the misdeed args[0] is. args[1] is a file that says that it was done
// already, args[2] a port that its peers serve. The worker of slot 0, and the one that
// replaces a hostile one, is the program that follows.
func rawWorker(args []string) {
	misdeed, port := misdeeds[args[0]], args[2]
	fd := takeChannel()
	if os.Getenv("NODEINIT_WORKER") == "0" {
		harness.Become(args[3:])
	}
	done, err := os.OpenFile(args[1], os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		harness.Become(args[3:])
	}
	done.Close()
	// The same words as of control.js.
	test, err := net.Dial("unix", os.Getenv("TEST_CONTROL"))
	if err != nil {
		harness.Fail(err)
	}
	fmt.Fprintln(test, `{"event":"hello","slot":1}`)
	if _, err := bufio.NewReader(test).ReadString('\n'); err != nil {
		os.Exit(0)
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		harness.Fail(err)
	}
	c := &channel{fd: fd}
	if misdeed.listens {
		c.send(cluster0(`"act":"online","seq":0`))
		c.listen(port, 1)
	}
	err = misdeed.act(c)
	// Most of this ends with nothing reading its channel any more.
	if err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, io.EOF) {
		harness.Fail(err)
	}
	fmt.Fprintln(test, `{"event":"done"}`)
	_, _ = io.Copy(io.Discard, test)
}

// takeChannel returns the channel that nodeinit has passed to something which is
// not Node, and leaves the environment as Node wants it.
func takeChannel() int {
	passed := strings.Split(os.Getenv("NODEINIT_CHANNEL"), ":")
	fd, err := strconv.Atoi(passed[0])
	if err != nil || len(passed) != 3 {
		harness.Fail(fmt.Errorf("NODEINIT_CHANNEL is %q (%w)", passed, err))
	}
	for _, name := range []string{"NODEINIT_CHANNEL", "NODE_OPTIONS"} {
		if err := os.Unsetenv(name); err != nil {
			harness.Fail(err)
		}
	}
	for name, value := range map[string]string{
		"NODE_CHANNEL_FD": passed[0], "NODE_UNIQUE_ID": passed[2], "NODE_CHANNEL_SERIALIZATION_MODE": "json",
	} {
		if err := os.Setenv(name, value); err != nil {
			harness.Fail(err)
		}
	}
	return fd
}

func cluster0(fields string) string { return `{"cmd":"NODE_CLUSTER",` + fields + "}\n" }

// queryFor asks for a server on a port of 127.0.0.1, as Node does.
func queryFor(port string, seq int) string {
	return cluster0(fmt.Sprintf(`"act":"queryServer","index":0,"data":null,"address":"127.0.0.1","port":%s,`+
		`"addressType":4,"fd":-1,"flags":0,"backlog":511,"seq":%d`, port, seq))
}

// listen takes part in serving a port.
func (c *channel) listen(port string, seq int) {
	c.send(queryFor(port, seq))
	for {
		line, err := c.line()
		if err != nil {
			harness.Fail(err)
		}
		if bytes.Contains(line, []byte(fmt.Sprintf(`"ack":%d`, seq))) {
			break
		}
	}
	c.send(cluster0(fmt.Sprintf(`"act":"listening","address":"127.0.0.1","port":%s,"addressType":4,"seq":%d`, port, seq+1)))
}

// send is write of what has to arrive.
func (c *channel) send(text string) {
	if err := c.write([]byte(text)); err != nil {
		harness.Fail(err)
	}
}

// write writes all of data, and fds with its first byte.
func (c *channel) write(data []byte, fds ...int) error {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	for len(data) > 0 {
		n, err := unix.SendmsgN(c.fd, data, rights, nil, unix.MSG_NOSIGNAL)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		data, rights = data[n:], nil
	}
	return nil
}

// line reads a line. What came along is in fds.
func (c *channel) line() ([]byte, error) {
	for {
		if line, rest, found := bytes.Cut(c.got, []byte("\n")); found {
			c.got = rest
			return line, nil
		}
		buffer, oob := make([]byte, 64<<10), make([]byte, unix.CmsgSpace(4*253))
		n, oobn, _, _, err := unix.Recvmsg(c.fd, buffer, oob, unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, io.EOF
		}
		c.got = append(c.got, buffer[:n]...)
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			return nil, err
		}
		for i := range messages {
			if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
				c.fds = append(c.fds, fds...)
			}
		}
	}
}
