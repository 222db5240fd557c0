package cluster

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// primaryAlone is a role: a primary in a process of its own, which a test controls by messages
// on stdin, a socket. args are how it balances and how many descriptors it may have.
func primaryAlone(args []string) {
	if limit, err := strconv.ParseUint(args[1], 10, 32); err == nil {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
			fatal(err)
		}
	}
	p, err := New(Balance(args[0]))
	if err != nil {
		fatal(err)
	}
	type bound struct {
		fd  int
		err error
	}
	answers := make(chan bound)
	p.BindPrivileged = func(port PrivilegedPort) (int, error) {
		testproc.Say("bind %q %d %v %d", port.Host, port.Port, port.IPv6Only, port.Backlog)
		answer := <-answers
		return answer.fd, answer.err
	}
	go func() { fatal(p.Run(context.Background())) }()
	var filler []int
	slots := 0
	for {
		command, fd := receiveFD(0)
		number, _ := strconv.Atoi(strings.TrimLeft(command, "abcdefghijklmnopqrstuvwxyz "))
		switch strings.TrimRight(command, "0123456789 ") {
		case "open":
			_, end, err := p.Open(slots)
			if err != nil {
				fatal(err)
			}
			slots++
			sendFD(0, "channel", end)
			closeFD(end)
		case "bound":
			answers <- bound{fd, nil}
		case "failed":
			answers <- bound{-1, unix.Errno(number)}
		case "fill":
			for {
				fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
				if err != nil {
					testproc.Say("%v", err)
					break
				}
				filler = append(filler, fd)
			}
		case "free":
			for _, fd := range filler {
				closeFD(fd)
			}
			testproc.Say("freed")
		default: // the test has ended
			os.Exit(0)
		}
	}
}

// receiveFD reads a message, and the descriptor that comes with it, -1 for none.
func receiveFD(socket int) (text string, fd int) {
	buffer, oob := make([]byte, 256), make([]byte, unix.CmsgSpace(4))
	for {
		n, oobn, _, _, err := unix.Recvmsg(socket, buffer, oob, unix.MSG_CMSG_CLOEXEC)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return "", -1
		case oobn == 0:
			return string(buffer[:n]), -1
		}
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil || len(messages) != 1 {
			return "", -1
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil || len(fds) != 1 {
			return "", -1
		}
		return string(buffer[:n]), fds[0]
	}
}

func sendFD(socket int, text string, fd int) {
	var rights []byte
	if fd >= 0 {
		rights = unix.UnixRights(fd)
	}
	if err := unix.Sendmsg(socket, []byte(text), rights, nil, 0); err != nil {
		fatal(err)
	}
}

// A remotePrimary is a primary in a process of its own.
type remotePrimary struct {
	*testproc.Process
	t       *testing.T
	control int
}

// startPrimary starts one; argv makes the arguments of a role.
func startPrimary(t *testing.T, argv func(role string, args ...string) []string, balance Balance, descriptors string) *remotePrimary {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(ends[1]), "control")
	defer theirs.Close()
	t.Cleanup(func() { closeFD(ends[0]) })
	command := testproc.Command{Argv: argv("primary", string(balance), descriptors), Stdin: theirs}
	return &remotePrimary{command.Start(t), t, ends[0]}
}

// open returns a worker of the primary, whose methods are out of reach.
func (p *remotePrimary) open() *fakeWorker {
	p.t.Helper()
	sendFD(p.control, "open", -1)
	return newFakeWorkerOf(p.t, func() (*Worker, int, error) {
		text, end := receiveFD(p.control)
		if text != "channel" || end < 0 {
			return nil, -1, fmt.Errorf("got %q; stderr:\n%s", text, p.Errors())
		}
		return nil, end, nil
	})
}

// With no descriptor left, what is asked for is refused with EMFILE, and connections wait; they
// are handed over when there are some again.
func TestConnectionsWaitForDescriptors(t *testing.T) {
	t.Parallel()
	for _, balance := range []Balance{RR, Shared, ReusePort} {
		t.Run(string(balance), func(t *testing.T) {
			t.Parallel()
			p := startPrimary(t, testproc.Argv, balance, "128")
			m := p.open()
			first := m.gets(nil)
			sendFD(p.control, "fill", -1)
			p.Expect("too many open files")
			c := dial(t, map[string]any{"port": first.Sockname.Port})
			for index := range 3 { // and what is tried again in vain is not in the way
				if a := m.asks(object{"index": 1 + index}); a.err() != unix.EMFILE {
					t.Errorf("%+v, want EMFILE", a)
				}
			}
			sendFD(p.control, "free", -1)
			p.Expect("freed")
			if balance == RR {
				m.serve("at last")
				if got := read(t, c); got != "at last" {
					t.Errorf("got %q", got)
				}
			}
			m.gets(object{"index": 9})
		})
	}
}

// An eighth of the descriptors is not for servers: a worker that makes many is refused, and
// connections to those that it has are still handed over.
func TestServersLeaveDescriptorsForConnections(t *testing.T) {
	t.Parallel()
	const limit = 128
	p := startPrimary(t, testproc.Argv, RR, strconv.Itoa(limit))
	m := p.open()
	var last answer
	servers := 0
	for a := m.gets(nil); a.err() == 0; a = m.asks(object{"index": servers}) {
		last = a
		if servers++; servers > limit {
			t.Fatalf("%d servers with %d descriptors", servers, limit)
		}
	}
	if servers < limit/2 {
		t.Errorf("%d servers with %d descriptors", servers, limit)
	}
	for i := range limit / 16 {
		c := dial(t, map[string]any{"port": last.Sockname.Port})
		m.serve(strconv.Itoa(i))
		if got := read(t, c); got != strconv.Itoa(i) {
			t.Errorf("connection %d got %q", i, got)
		}
	}
}
