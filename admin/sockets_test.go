package admin

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/supervisor"
)

// listenerRole has a socket that listens, and says at which port.
func listenerRole([]string) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		os.Exit(1)
	}
	testproc.Say("%d", l.Addr().(*net.TCPAddr).Port)
	testproc.UntilStdinCloses()
}

// bound returns a socket that listens at an address with a backlog.
func bound(t *testing.T, domain, backlog int, address unix.Sockaddr) (fd int) {
	t.Helper()
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		t.Cleanup(func() { unix.Close(fd) })
		if domain == unix.AF_INET6 {
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
		}
		err = unix.Bind(fd, address)
	}
	if err == nil && backlog > 0 {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func portOf(t *testing.T, fd int) int {
	t.Helper()
	address, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	switch a := address.(type) {
	case *unix.SockaddrInet4:
		return a.Port
	case *unix.SockaddrInet6:
		return a.Port
	}
	t.Fatalf("%+v", address)
	return 0
}

// ownSockets makes sockets of all kinds in a directory, and returns them as they are to
// be shown: address, queue and backlog. The one at control is not to be.
func ownSockets(t *testing.T, dir, control string) (want []string) {
	t.Helper()
	local4, local6 := [4]byte{127, 0, 0, 1}, [16]byte{15: 1}
	four := bound(t, unix.AF_INET, 7, &unix.SockaddrInet4{Addr: local4})
	six := bound(t, unix.AF_INET6, 8, &unix.SockaddrInet6{Addr: local6})
	both := bound(t, unix.AF_INET6, 9, &unix.SockaddrInet6{})
	only6, err := net.Listen("tcp6", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { only6.Close() })
	bound(t, unix.AF_INET, 0, &unix.SockaddrInet4{Addr: local4}) // does not listen

	path, abstract := filepath.Join(dir, "a b\n\xff"), fmt.Sprintf("@test/%d/\x00x", os.Getpid())
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(wd, filepath.Join(dir, "relative"))
	if err != nil {
		t.Fatal(err)
	}
	bound(t, unix.AF_UNIX, 10, &unix.SockaddrUnix{Name: path})
	bound(t, unix.AF_UNIX, 11, &unix.SockaddrUnix{Name: relative})
	bound(t, unix.AF_UNIX, 12, &unix.SockaddrUnix{Name: abstract})
	bound(t, unix.AF_UNIX, 13, &unix.SockaddrUnix{Name: fmt.Sprintf("@nodeinit/test/%d", os.Getpid())})
	bound(t, unix.AF_UNIX, 14, &unix.SockaddrUnix{Name: control})
	at4 := fmt.Sprintf("127.0.0.1:%d", portOf(t, four))
	for range 3 {
		for network, address := range map[string]string{"tcp4": at4, "unix": path} {
			c, err := net.Dial(network, address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
		}
	}
	return []string{
		at4 + " 3 7", fmt.Sprintf("[::1]:%d 0 8", portOf(t, six)), fmt.Sprintf("*:%d 0 9", portOf(t, both)),
		fmt.Sprintf("[::]:%d 0 ", only6.Addr().(*net.TCPAddr).Port), path + " 3 10", filepath.Join(dir, "relative") + " 0 11",
		strings.ReplaceAll(abstract, "\x00", "@") + " 0 12",
	}
}

// The accept queues are as the kernel has them: of all kinds of sockets of this process
// and of its workers, and of no others.
func TestListening(t *testing.T) {
	dir := t.TempDir()
	control := filepath.Join(dir, "control")
	want := ownSockets(t, dir, control)
	worker := testproc.Command{Argv: testproc.Argv("listener")}.Start(t)
	started := time.Now()
	want = append(want, "127.0.0.1:"+worker.Line()+" 0 ")
	other := testproc.Command{Argv: testproc.Argv("listener")}.Start(t)
	other.Line()
	g := &Gatherer{Facts: Facts{Control: control}}
	got := g.listening([]supervisor.WorkerStatus{
		{PID: worker.PID, Started: started}, {},
		{PID: other.PID, Started: started.Add(-time.Hour)}, // another process has its ID by now
	})
	if !slices.IsSortedFunc(got, func(a, b Listen) int { return strings.Compare(a.Address, b.Address) }) {
		t.Error("not sorted")
	}
	var lines []string
	for _, l := range got {
		lines = append(lines, fmt.Sprint(l.Address, " ", *l.Queue, " ", *l.Backlog))
	}
	for _, w := range want { // Go chooses some backlogs
		if !slices.ContainsFunc(lines, func(l string) bool { return l == w || strings.HasSuffix(w, " ") && strings.HasPrefix(l, w) }) {
			t.Errorf("no %q in %q", w, lines)
		}
	}
	if len(lines) != len(want) {
		t.Errorf("%d sockets, want %d: %q", len(lines), len(want), lines)
	}
}

// message is one of netlink's.
func message(kind uint16, payload ...byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(payload)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, make([]byte, unix.SizeofNlMsghdr-len(b))...)
	b = append(b, payload...)
	return append(b, make([]byte, aligned(len(b))-len(b))...)
}

func TestParseDiag(t *testing.T) {
	t.Parallel()
	four := make([]byte, sizeofInetMessage)
	four[0], four[5], four[8], four[56], four[60], four[68] = unix.AF_INET, 80, 10, 1, 2, 3
	name := append([]byte{unix.AF_UNIX, 1, 10, 0, 9, 0, 0, 0}, make([]byte, 8)...)
	name = append(name, 7, 0, 0, 0, '/', 's', 0, 0)
	nameless := name[:16]
	all := bytes.Join([][]byte{
		message(unix.SOCK_DIAG_BY_FAMILY, four...), message(unix.SOCK_DIAG_BY_FAMILY, four[:40]...), message(77, four...),
		message(unix.SOCK_DIAG_BY_FAMILY, nameless...), message(unix.SOCK_DIAG_BY_FAMILY, name...), message(unix.SOCK_DIAG_BY_FAMILY),
	}, nil)
	want := []diagSocket{{inode: 3, address: "10.0.0.0:80", queue: 1, backlog: 2}, {inode: 9, address: "/s", path: true}}
	if list, end, _ := parseDiag(nil, all); end || !slices.Equal(list, want) {
		t.Errorf("got %+v (end %v), want %+v", list, end, want)
	}
	done := append(slices.Clone(all), message(unix.NLMSG_DONE, 0, 0, 0, 0)...)
	if list, end, ok := parseDiag(nil, done); !end || !ok || len(list) != 2 {
		t.Errorf("got %+v, end %v, ok %v", list, end, ok)
	}
	if _, end, ok := parseDiag(nil, message(unix.NLMSG_ERROR, 1, 2, 3, 4)); !end || ok {
		t.Errorf("an error: end %v, ok %v", end, ok)
	}
	if _, end, ok := parseDiag(nil, done[:20]); !end || ok {
		t.Errorf("one that is cut off: end %v, ok %v", end, ok)
	}
}

// Whatever comes over the socket, it is parsed to its end, and there are no more sockets
// than messages.
func FuzzParseDiag(f *testing.F) {
	inet := make([]byte, sizeofInetMessage, 100)
	inet[0] = unix.AF_INET6
	f.Add(message(unix.SOCK_DIAG_BY_FAMILY, append(inet, 5, 0, inetOnlyV6, 0, 1, 0, 0, 0)...))
	name := append([]byte{unix.AF_UNIX}, make([]byte, 15)...)
	f.Add(message(unix.SOCK_DIAG_BY_FAMILY, append(name, 9, 0, unixName, 0, 0, 'a', 0, 0xff, 0)...))
	f.Add(message(unix.NLMSG_DONE))
	f.Fuzz(func(t *testing.T, messages []byte) {
		list, _, _ := parseDiag(nil, messages)
		if len(list) > len(messages)/unix.SizeofNlMsghdr {
			t.Errorf("%d sockets of %d bytes", len(list), len(messages))
		}
		for _, s := range list {
			if s.address == "" || s.queue < 0 || s.backlog < 0 {
				t.Errorf("%+v", s)
			}
		}
	})
}

func TestSocketInode(t *testing.T) {
	t.Parallel()
	if n, ok := socketInode([]byte("socket:[4294967295]")); !ok || n != 1<<32-1 {
		t.Error(n, ok)
	}
	for _, bad := range []string{"", "socket:[", "socket:[]", "socket:[4294967296]", "pipe:[12]", "socket:[1", "1]", "socket:[-1]", "/socket:[1]", "[1]"} {
		if n, ok := socketInode([]byte(bad)); ok {
			t.Errorf("%q has inode %d", bad, n)
		}
	}
}
