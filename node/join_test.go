package node_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/reaper"
)

// Children of an application have none of nodeinit's variables, not even before it
// joins; only installed packages may be wrappers.
func TestLateJoinLeavesChildrenAlone(t *testing.T) {
	t.Parallel()
	p := lateWorker(t, "sh", "-c", "node parent.js && node ready.js")
	if got := p.Line(); !strings.HasPrefix(got, "online ") {
		t.Fatalf("%q, want online", got) // of the second, with status 0 of the first
	}
	p.Expect("said ready", "status 0")
	p.WaitCode(0)
}

// The first Node process that listens becomes the worker, its children do not. It does
// not get what an earlier process has left unread in the channel.
func TestLateJoin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		argv []string
	}{
		{"by itself", []string{"node", "server.js"}},
		{"below a wrapper", []string{"node", "node_modules/wrapper.js", "server.js"}},
		{"below two", []string{"node", "node_modules/wrapper.js", "node_modules/wrapper.js", "server.js"}},
		{"after a migration", []string{"sh", "-c", "node migrate.js && node server.js"}},
		{"in the background", []string{"sh", "-c", "node migrate.js & node server.js & wait"}},
		{"in a pipeline", []string{"sh", "-c", "node migrate.js | node server.js | cat"}},
		{"with a channel of its own", []string{"node", "node_modules/relay.js", "server.js"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := lateWorker(t, c.argv...)
			var pid string
			// The application has the event before the primary has the message.
			for _, want := range []string{"online PID", "queryServer", "said PID true 7 --no-warnings undefined undefined false undefined --no-warnings", "listening"} {
				got := p.Line()
				if words := strings.Fields(got); pid == "" && len(words) == 2 {
					pid = words[1]
				}
				if got != strings.ReplaceAll(want, "PID", pid) {
					t.Fatalf("%q, want %q", got, want)
				}
			}
			p.CloseStdin()
			p.Expect("close", "disconnected", "status 0")
			p.WaitCode(0)
		})
	}
}

// When a process exits the next one joins on the same channel, and the channel keeps no
// process alive.
func TestLateJoinOneAfterTheOther(t *testing.T) {
	t.Parallel()
	p := lateWorker(t, "sh", "-c", "node once.js && node once.js && node ready.js")
	first := p.Line()
	p.Expect("queryServer", "close")
	second := p.Line()
	p.Expect("queryServer", "close")
	third := p.Line()
	p.Expect("said ready", "status 0")
	p.WaitCode(0)
	for _, line := range []string{first, second, third} {
		if !strings.HasPrefix(line, "online ") {
			t.Errorf("%q, want online", line)
		}
	}
	if first == second || second == third {
		t.Errorf("%s, %s, %s: not three processes", first, second, third)
	}
}

// A tool that listens on a Unix socket does not join, and has no process.send that
// would make it relay messages.
func TestLateJoinBelowATool(t *testing.T) {
	t.Parallel()
	p := lateWorker(t, "node", "node_modules/tool.js", filepath.Join(t.TempDir(), "socket"), "server.js")
	if got := p.Line(); !strings.HasPrefix(got, "online ") {
		t.Fatalf("%q, want online", got)
	}
	p.Expect("queryServer")
	p.Line()
	p.Expect("listening")
	p.CloseStdin()
	p.Expect("close", "disconnected", "status 0")
}

// require.extensions have their effect on the script in spite of --import.
func TestLateJoinKeepsCompilers(t *testing.T) {
	t.Parallel()
	for _, argv := range [][]string{
		{"node", "-r", "./compiler.js", "main.lang"},
		{"node", "command.js", "main.lang"},
	} {
		p := lateWorker(t, argv...)
		p.Line()
		p.Expect("queryServer", "said compiled", "listening")
		p.CloseStdin()
		p.Expect("close", "disconnected", "status 0")
	}
}

// A wrapper that closes all descriptors closes the channel, and may open another file
// under its number.
func TestLateJoinWithoutItsChannel(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"closed", "another"} {
		p := lateWorker(t, testproc.Argv("closer", what, "node", "migrate.js")...)
		p.Expect("status 0")
		p.WaitCode(0)
		if got := p.Output(); got != "worker: false\n" {
			t.Errorf("%s: the program says %q", what, got)
		}
	}
}

// If cluster has been loaded before the late join, the process cannot become a worker,
// and warns.
func TestLateJoinTooLate(t *testing.T) {
	t.Parallel()
	p := testproc.Command{
		Argv: testproc.Argv("primary", "node", "migrate.js"), Dir: "testdata/join",
		Env: append(os.Environ(), "NODE_OPTIONS=--require=./migrate.js"),
	}.Start(t)
	p.Expect("status 0")
	p.WaitCode(0)
	if !strings.Contains(p.Errors(), "no worker of nodeinit: a module of --require has loaded cluster") {
		t.Errorf("stderr: %s", p.Errors())
	}
}

// closer becomes args[1:] without the channel, or with another file in its place.
func closer(args []string) {
	fd := node.ChannelFD(node.JoinLate, nil)
	if args[0] == "another" {
		ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err == nil {
			err = unix.Dup2(ends[0], fd)
		}
		if err != nil {
			fail(err)
		}
	} else {
		unix.CloseOnExec(fd)
	}
	file, err := exec.Find(args[1], os.Getenv("PATH"))
	if err != nil {
		fail(err)
	}
	fail(syscall.Exec(file, args[1:], os.Environ()))
}

// lateWorker starts a primary for a command that joins late.
func lateWorker(t *testing.T, argv ...string) *testproc.Process {
	t.Helper()
	p := testproc.Command{
		Argv: testproc.Argv("primary", argv...), Dir: "testdata/join",
		Env: append(os.Environ(), "NODE_OPTIONS=--no-warnings"),
	}.Start(t)
	return p
}

// primary starts args as a worker that joins late, and reports its messages. It sends
// disconnect when stdin closes.
func primary(args []string) {
	runtime.LockOSThread()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		fail(err)
	}
	channel := os.NewFile(uintptr(ends[0]), "channel")
	say := func(line string) { // fails if the worker has exited
		_, _ = channel.WriteString(line)
	}
	say(`{"cmd":"NODE_CLUSTER","act":"disconnect","seq":0}` + "\n" + `{"half":`)
	dir, err := os.Getwd()
	if err != nil {
		fail(err)
	}
	p := node.Identify(args, os.Environ(), dir)
	p.Join = node.JoinLate
	path, err := p.Find()
	if err != nil {
		fail(err)
	}
	command, err := p.Command(path, node.Slot{ID: 7, Workers: 1}, ends[1], exec.Inherited())
	if err != nil {
		fail(err)
	}
	var r reaper.Reaper
	child, err := command.Start(&r)
	if err != nil {
		fail(err)
	}
	unix.Close(ends[1])
	go r.Run(context.Background())
	go func() {
		testproc.UntilStdinCloses()
		say(`{"cmd":"NODE_CLUSTER","act":"disconnect","seq":1}` + "\n")
	}()
	lines := bufio.NewScanner(channel)
	for lines.Scan() {
		answerWorker(lines.Bytes(), say)
	}
	<-child.Exited()
	testproc.Say("status %d", child.Status().ExitStatus())
}

// answerWorker reports a message of a worker, and answers those that ask for a server.
func answerWorker(line []byte, say func(string)) {
	var said string
	if json.Unmarshal(line, &said) == nil {
		testproc.Say("said %s", said)
		return
	}
	var m struct {
		Act      string
		Seq, PID int
	}
	if err := json.Unmarshal(line, &m); err != nil {
		fail(err)
	}
	switch m.Act {
	case "online":
		testproc.Say("online %d", m.PID)
		return
	case "queryServer":
		say(`{"cmd":"NODE_CLUSTER","ack":` + strconv.Itoa(m.Seq) + `,"errno":null,"key":"a","data":null,"sockname":{"address":"::","family":"IPv6","port":9}}` + "\n")
	}
	testproc.Say("%s", m.Act)
}
