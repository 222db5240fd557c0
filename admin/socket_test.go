package admin

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// become takes the user ID in text.
func become(text string) {
	id, err := strconv.Atoi(text)
	if err == nil && id != 0 {
		err = errors.Join(syscall.Setgroups(nil), syscall.Setgid(id), syscall.Setuid(id))
	}
	if err != nil {
		testproc.Say("%v", err)
		os.Exit(97)
	}
}

// serverRole serves as a user, in the PID namespace that it is in.
func serverRole(args []string) {
	become(args[0])
	s := newTestServer(Auto)
	go s.Run(context.Background())
	for {
		prefix, err := ownNames()
		if err != nil {
			testproc.Say("%v", err)
			return
		}
		if fd, err := connect(prefix + strconv.Itoa(os.Getpid())); err == nil {
			unix.Close(fd)
			testproc.Say("%s%d", prefix, os.Getpid())
			break
		}
		<-time.After(time.Millisecond)
	}
	testproc.UntilStdinCloses()
}

// clientRole tells, as a user, what the server at a name answers, and what the client
// makes of that server.
func clientRole(args []string) {
	become(args[0])
	testproc.Say("%s", answerAt(args[1]))
	_, number, _ := cutLast(args[1], "/")
	pid, _ := strconv.Atoi(number)
	if conn, err := dial(args[1], pid); err != nil {
		testproc.Say("%v", err)
	} else {
		conn.Close()
		testproc.Say("accepted")
	}
	testproc.UntilStdinCloses()
}

func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	return s[:max(i, 0)], s[i+1:], i >= 0
}

// answerAt returns what listens at a name answers to a client that checks nothing.
func answerAt(name string) string {
	conn, err := net.Dial("unix", name)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, askHealth)
	text, _ := io.ReadAll(conn)
	return strings.TrimSpace(string(text))
}

func refusal() string { return strings.TrimSpace(string(appendError(nil, errPeer))) }

// Of the processes that reach the name, as all of a network namespace do, only root and the
// user of nodeinit are let in, and only from its PID namespace itself; and the client
// accepts only what these have opened.
func TestClientsAndListenersThatAreLetIn(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("only root can be other users")
	}
	const here, beside = "the same PID namespace", "one beside it"
	servers := make(map[string]map[string]*testproc.Process)
	for _, where := range []string{here, beside} {
		servers[where] = make(map[string]*testproc.Process)
		for _, user := range []string{"0", "1000"} {
			servers[where][user] = testproc.Command{PID1: where == beside, Argv: testproc.Argv("server", user)}.Start(t)
		}
	}
	fine, elsewhere := strings.TrimSpace(fine), "a process of another PID namespace listens there"
	for _, c := range []struct {
		server, where, client string
		below                 bool // the client is in a namespace of its own, below that of the test
		answer, verdict       string
	}{
		{"0", here, "0", false, fine, "accepted"},
		{"1000", here, "1000", false, fine, "accepted"},
		{"1000", here, "0", false, fine, "accepted"},
		{"0", here, "1000", false, refusal(), "accepted"}, // root's server is good
		{"1000", here, "1001", false, refusal(), "it belongs to user 1000, and this is user 1001"},
		{"0", here, "0", true, refusal(), elsewhere},
		{"1000", here, "1000", true, refusal(), elsewhere},
		{"1000", here, "0", true, refusal(), elsewhere},
		{"0", beside, "0", true, refusal(), elsewhere},
		{"1000", beside, "1000", true, refusal(), elsewhere},
		{"1000", beside, "0", true, refusal(), elsewhere},
		// From the namespace above that of the server, which has a process ID there.
		{"0", beside, "0", false, refusal(), "in the place of process 1"},
		{"1000", beside, "1000", false, refusal(), "in the place of process 1"},
	} {
		t.Run(fmt.Sprintf("server %s, client %s below %t, in %s", c.server, c.client, c.below, c.where), func(t *testing.T) {
			server := servers[c.where][c.server]
			name := nameOf(server)
			client := testproc.Command{PID1: c.below, Argv: testproc.Argv("client", c.client, name)}.Start(t)
			if got := client.Line(); got != c.answer {
				t.Errorf("the answer is %s, want %s", got, c.answer)
			}
			if got := client.Line(); !strings.HasSuffix(got, c.verdict) {
				t.Errorf("the client says %q, want %q", got, c.verdict)
			}
		})
	}
}

var names = make(map[*testproc.Process]string)

func nameOf(p *testproc.Process) string {
	if names[p] == "" {
		names[p] = p.Line()
	}
	return names[p]
}

// squatterRole listens at the name of another process until its input ends.
func squatterRole(args []string) {
	prefix, err := ownNames()
	if err == nil {
		_, err = net.Listen("unix", prefix+args[0])
	}
	testproc.Say("squatting %v", err)
	testproc.UntilStdinCloses()
}

// A process that has the name of this one keeps the server from it, which says so
// once, and the client from being misled.
func TestSquatter(t *testing.T) {
	t.Parallel()
	squatter := testproc.Command{Argv: testproc.Argv("squatter", strconv.Itoa(os.Getpid()))}.Start(t)
	squatter.Expect("squatting <nil>")
	s := newTestServer(Auto)
	s.Run(context.Background()) // returns: there is no socket
	prefix, err := ownNames()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("process %d of user %d has taken %s%d", squatter.PID, os.Getuid(), prefix, os.Getpid())
	if text := s.log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `"level":"warn"`) || !strings.Contains(text, want) {
		t.Errorf("logged %s, want %s", text, want)
	}
	want = fmt.Sprintf("process %d listens there in the place of process %d", squatter.PID, os.Getpid())
	if _, err := Dial(Target{PID: os.Getpid()}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// discoveryRole is PID 1 of a namespace of its own, and looks for nodeinits there.
func discoveryRole([]string) {
	look := func() {
		c, err := Dial(Target{})
		if err != nil {
			testproc.Say("%v", err)
			return
		}
		healthy, text, err := c.Health()
		testproc.Say("%d: %t %s %v", c.PID(), healthy, text, err)
	}
	look()
	_, err := Dial(Target{PID: 1})
	testproc.Say("%v", err)
	_, err = Dial(Target{PID: 1, Control: Off})
	testproc.Say("%v", err)
	s := newTestServer(Auto)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	for {
		if c, err := Dial(Target{PID: 1}); err == nil {
			c.Close()
			break
		}
		<-time.After(time.Millisecond)
	}
	look()
	prefix, _ := ownNames()
	for _, name := range []string{"3", "02", "x", "4\n0: 0 0 00010000 1 1 1 " + prefix + "5"} { // no nodeinits
		if _, err := net.Listen("unix", prefix+name); err != nil {
			testproc.Say("%v", err)
		}
	}
	look()
	silent, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		testproc.Say("%v", err)
	}
	other, err := os.StartProcess("/proc/self/exe", testproc.Argv("server", "0"), &os.ProcAttr{
		Files: []*os.File{os.Stdin, silent, os.Stderr, silent},
	})
	if err != nil {
		testproc.Say("%v", err)
		return
	}
	testproc.Say("%d", other.Pid)
	for {
		if c, err := Dial(Target{PID: other.Pid}); err == nil {
			c.Close()
			break
		}
		<-time.After(time.Millisecond)
	}
	look()
	stop()
	<-ended
	look()
	testproc.UntilStdinCloses()
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	p := testproc.Command{PID1: true, Argv: testproc.Argv("discovery")}.Start(t)
	p.Expect(ErrNone.Error(),
		"process 1 takes no commands (is it a nodeinit, and did it start its program?)",
		"that nodeinit takes no commands (it runs with --control off)",
		"1: true fine <nil>", "1: true fine <nil>")
	other := p.Line()
	p.Expect("several nodeinits run here (1, "+other+"): tell with --pid which one", other+": true fine <nil>")
}

func TestPath(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "socket")
	l, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := listen(path); err == nil || err.Error() != "another process listens at "+path {
		t.Errorf("a second one: %v", err)
	}
	_ = l.file.Close() // as after SIGKILL: the file stays
	if l, err = listen(path); err != nil {
		t.Fatalf("one left behind: %v", err)
	}
	l.close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after close: %v", err)
	}
	l, err = listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	l.close()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("close removed what others have put there: %v", err)
	}
	if err := os.Symlink(path+"2", path+"3"); err != nil {
		t.Fatal(err)
	}
	for control, want := range map[string]string{
		path: "is there already, and no socket", path + "3": "is there already, and no socket", filepath.Dir(path): "no socket",
		"/nowhere/socket": "no such file or directory", "/proc/socket": "bind /proc/socket: ",
	} {
		if l, err := listen(control); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %s", control, l, err, want)
		}
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the file of others: %v, %v", info, err)
	}
}

// A socket in the file system is for its user only from the moment when it is there:
// its mode is never changed, whatever the umask.
func TestModeOfPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	watch, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(watch)
	if _, err := unix.InotifyAddWatch(watch, dir, unix.IN_CREATE|unix.IN_ATTRIB|unix.IN_MOVED_TO); err != nil {
		t.Fatal(err)
	}
	l, err := listen(dir + "/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	events := make([]byte, 4096)
	n, err := unix.Read(watch, events)
	if err != nil || n != unix.SizeofInotifyEvent+16 { // one event, with a name of up to 15 bytes
		t.Errorf("%d bytes of events, %v", n, err)
	}
	if mask := binary.NativeEndian.Uint32(events[4:]); mask != unix.IN_CREATE {
		t.Errorf("event %x", mask)
	}
}

// fewFilesRole serves with so few descriptors that it cannot accept all clients, and
// tells how much CPU time it takes meanwhile.
func fewFilesRole(args []string) {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(fd) + 8, Max: uint64(fd) + 8})
	}
	if err != nil {
		testproc.Say("%v", err)
		return
	}
	unix.Close(fd)
	s := newTestServer(args[0])
	go s.Run(context.Background())
	testproc.Say("%d", fd+8)
	_, _ = os.Stdin.Read(make([]byte, 1))
	var taken []int
	for fd, err := unix.Open("/dev/null", unix.O_RDONLY, 0); err == nil; fd, err = unix.Open("/dev/null", unix.O_RDONLY, 0) {
		taken = append(taken, fd)
	}
	testproc.Say("full")
	_, _ = os.Stdin.Read(make([]byte, 1))
	var before, after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
	<-time.After(15 * acceptPause)
	_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
	cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	// 15 waits take less than 2 ms; a loop would take all that a busy machine leaves it.
	testproc.Say("busy %t", time.Duration(cpu) > 15*time.Millisecond)
	for _, fd := range taken {
		unix.Close(fd)
	}
	testproc.UntilStdinCloses()
}

// Without a descriptor for the next client the server waits, and goes on once others
// have gone.
func TestOutOfDescriptors(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "socket")
	input, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	defer write.Close()
	p := testproc.Command{Argv: testproc.Argv("fewfiles", path), Stdin: input}.Start(t)
	p.Line()
	s := &testServer{Server: &Server{Control: path}}
	waitUntil(t, "the socket", func() bool { return answerAt(path) == strings.TrimSpace(fine) })
	fill := func() {
		if _, err := write.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	fill()
	p.Expect("full")
	var waiting []*net.UnixConn
	for range 3 {
		waiting = append(waiting, s.open(t, ""))
	}
	fill()
	p.Expect("busy false")
	for _, conn := range waiting {
		conn.Close()
	}
	waitUntil(t, "an answer", func() bool { return s.ask(t, askHealth) == fine })
}
