package exec_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/reaper"
)

func TestChannelFD(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		join      exec.Join
		inherited []int
		want      int
	}{
		{exec.Direct, nil, 3},
		{exec.Direct, []int{3}, 4},
		{exec.Direct, []int{5, 3, 4}, 6},
		{exec.Direct, []int{4, 5}, 3},
		{exec.Late, nil, 173},
		{exec.Late, []int{3, 4}, 173},
		{exec.Late, []int{174, 173}, 175},
	} {
		if got := exec.ChannelFD(c.join, c.inherited); got != c.want {
			t.Errorf("ChannelFD(%v, %v) = %d, want %d", c.join, c.inherited, got, c.want)
		}
	}
}

func TestWorkerEnv(t *testing.T) {
	t.Parallel()
	before := []string{
		"A=1", "NODE_UNIQUE_ID=99", "NODE_CHANNEL_FD=98", "NODE_CHANNEL_SERIALIZATION_MODE=advanced", "NODEINIT_CHANNEL=1:2:3",
		"NODEINIT_MODULES=x=eA",
		"NODEINIT_WORKER=96", "NODEINIT_WORKERS=auto", "NODEINIT_WORKER_COUNT=95", "NODE_OPTIONS=--title x", "NODE_CHANNEL_FDS=kept",
	}
	own := []string{"A=1", "NODE_CHANNEL_FDS=kept", "NODEINIT_WORKERS=auto", "NODE_APP_INSTANCE=2", "NODEINIT_WORKER=2", "NODEINIT_WORKER_COUNT=4"}
	channel := []string{"NODE_CHANNEL_FD=3", "NODE_CHANNEL_SERIALIZATION_MODE=json"}
	// Variables for workers that the user has set stay in fork mode.
	single := []string{"A=1", "NODE_CHANNEL_FDS=kept", "NODEINIT_WORKER=96", "NODEINIT_WORKERS=auto", "NODEINIT_WORKER_COUNT=95"}
	for _, c := range []struct {
		worker  exec.Worker
		join    exec.Join
		want    []string
		modules string // that Node is to run before
	}{
		{exec.Worker{ID: 7, Slot: 2, Workers: 4}, exec.Direct, slices.Concat(own, channel, []string{"NODE_UNIQUE_ID=7"}), ""},
		{exec.Worker{ID: 7, Slot: 2, Workers: 4, Agent: true}, exec.Direct, slices.Concat(own, channel, []string{"NODE_UNIQUE_ID=7"}), "channel agent"},
		{exec.Worker{ID: 7, Slot: 2, Workers: 4}, exec.Late, append(own, "NODEINIT_CHANNEL=3:55:7"), "join"},
		{exec.Worker{ID: 7, Slot: 2, Workers: 4, Agent: true}, exec.Late, append(own, "NODEINIT_CHANNEL=3:55:7"), "join channel agent"},
		{exec.Worker{Agent: true}, exec.Direct, slices.Concat(single, channel), "channel agent"},
		{exec.Worker{Agent: true}, exec.Late, append(single, "NODEINIT_CHANNEL=3:55:0"), "join channel agent"},
	} {
		env := slices.Clone(before)
		got := exec.WorkerEnv([]string{"node", "a.js"}, env, c.worker, c.join, 3, 55)
		if !slices.Equal(env, before) {
			t.Errorf("WorkerEnv made %q of %q", env, before)
		}
		options := exec.Lookup(got, "NODE_OPTIONS")
		if c.modules != "" {
			options = withoutStart(t, options)
		}
		if modules := modulesIn(t, exec.Lookup(got, "NODEINIT_MODULES")); modules != c.modules || options != "--title x" {
			t.Errorf("%+v, %v: modules %q, and NODE_OPTIONS %q", c.worker, c.join, modules, options)
		}
		got = slices.DeleteFunc(got, func(kv string) bool {
			return strings.HasPrefix(kv, "NODE_OPTIONS=") || strings.HasPrefix(kv, "NODEINIT_MODULES=")
		})
		want := slices.Clone(c.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%v:\n got %q\nwant %q", c.join, got, want)
		}
	}
}

// NODE_APP_INSTANCE is set unless that changes what the user has set, or ends
// node-config, which in strict mode wants a file for each instance.
func TestWorkerInstance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		argv, env string
		want      string
		set       bool
	}{
		{"node a.js", "A=1", "3", true},
		{"node a.js", "NODE_APP_INSTANCE=blue", "blue", true},
		{"node a.js", "NODE_APP_INSTANCE=", "", true},
		{"node a.js", "NODE_CONFIG_STRICT_MODE=1", "", false},
		{"node a.js", "NODE_CONFIG_STRICT_MODE=", "3", true},
		{"node a.js --NODE_CONFIG_STRICT_MODE=1", "A=1", "", false},
	} {
		got := exec.WorkerEnv(strings.Fields(c.argv), []string{c.env}, exec.Worker{ID: 1, Slot: 3, Workers: 4}, exec.Direct, 3, 55)
		set := slices.ContainsFunc(got, func(kv string) bool { return strings.HasPrefix(kv, "NODE_APP_INSTANCE=") })
		if value := exec.Lookup(got, "NODE_APP_INSTANCE"); value != c.want || set != c.set {
			t.Errorf("%s, %s: NODE_APP_INSTANCE is %q, %v, want %q, %v", c.argv, c.env, value, set, c.want, c.set)
		}
	}
}

// withoutStart returns NODE_OPTIONS without the import of start.js.
func withoutStart(t *testing.T, options string) string {
	t.Helper()
	start, err := os.ReadFile("start.js")
	if err != nil {
		t.Fatal(err)
	}
	url, rest, _ := strings.Cut(options, " ")
	code, ok := strings.CutPrefix(url, "--import=data:text/javascript;by=nodeinit;base64,")
	got, err := base64.StdEncoding.DecodeString(code)
	comments := regexp.MustCompile(`(?m)^ *// .*\n`)
	indents := regexp.MustCompile(`(?m)^ +`)
	if want := indents.ReplaceAllString(comments.ReplaceAllString(string(start), ""), ""); !ok || err != nil || string(got) != want {
		t.Errorf("NODE_OPTIONS=%s does not begin with start.js", options)
	}
	return rest
}

// modulesIn returns the names of the modules in NODEINIT_MODULES, which has
// their whole text.
func modulesIn(t *testing.T, variable string) string {
	t.Helper()
	var names []string
	for module := range strings.FieldsSeq(variable) {
		url, encoded, _ := strings.Cut(module, "=")
		file := strings.TrimPrefix(url, "nodeinit:")
		var want []byte
		parts := []string{file}
		if file == "agent.js" {
			parts = []string{"handlers.js", "connections.js", file}
		}
		for _, part := range parts {
			text, err := os.ReadFile(part)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, text...)
		}
		if got, err := base64.RawURLEncoding.DecodeString(encoded); string(got) != string(want) || err != nil {
			t.Errorf("%s is %q, %v", url, got, err)
		}
		names = append(names, strings.TrimSuffix(file, ".js"))
	}
	return strings.Join(names, " ")
}

// Each worker has an inspector of its own, from the port that was asked for.
func TestWorkerInspector(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		slot          int
		argv, options string
		want          string // argv | NODE_OPTIONS
	}{
		{1, "node server.js", "", "node server.js | "},
		{1, "node server.js --inspect", "", "node server.js --inspect | "},
		{0, "node --inspect server.js", "", "node --inspect server.js | "},
		{1, "node --inspect server.js", "", "node --inspect --inspect-port=9230 server.js | "},
		{2, "node --inspect=9300 -r x server.js", "", "node --inspect=9300 -r x --inspect-port=9302 server.js | "},
		{1, "node --inspect=0.0.0.0:9300 server.js", "", "node --inspect=0.0.0.0:9300 --inspect-port=0.0.0.0:9301 server.js | "},
		{1, "node --inspect=[::1]:9300 server.js", "", "node --inspect=[::1]:9300 --inspect-port=[::1]:9301 server.js | "},
		{1, "node --inspect=localhost server.js", "", "node --inspect=localhost --inspect-port=localhost:9230 server.js | "},
		{1, "node --inspect-brk --inspect-port 9400 -- server.js", "", "node --inspect-brk --inspect-port 9400 --inspect-port=9401 -- server.js | "},
		{1, "node --inspect-wait=0 server.js", "", "node --inspect-wait=0 server.js | "},
		{1, "node --inspect=65535 server.js", "", "node --inspect=65535 --inspect-port=1024 server.js | "},
		{1, "node server.js", "--inspect --title=x", "node server.js | --inspect --title=x --inspect-port=9230"},
		{1, "node --inspect=9300 server.js", "--inspect=9500", "node --inspect=9300 --inspect-port=9301 server.js | --inspect=9500"},
		{3, "./server", "--inspect=9500", "./server | --inspect=9500 --inspect-port=9503"},
	} {
		p := exec.Program{Argv: strings.Fields(c.argv), Join: exec.Direct}
		if c.options != "" {
			p.Env = []string{"NODE_OPTIONS=" + c.options}
		}
		command, err := p.Worker("node", exec.Worker{Slot: c.slot}, socket(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(command.Argv, " ") + " | " + exec.Lookup(command.Env, "NODE_OPTIONS"); got != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", c, got, c.want)
		}
		if got := strings.Join(p.Argv, " "); got != c.argv {
			t.Errorf("Worker made %q of the program's argv", got)
		}
	}
}

// socket returns one end of a socket pair.
func socket(t *testing.T) int {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(ends[0]); unix.Close(ends[1]) })
	return ends[1]
}

func TestWorkerNeedsAChannel(t *testing.T) {
	t.Parallel()
	_, err := exec.Program{Argv: []string{"node"}}.Worker("node", exec.Worker{Slot: 3}, -1, nil)
	if err == nil || err.Error() != "channel of worker 3: fstat: bad file descriptor" {
		t.Errorf("no channel: %v", err)
	}
}

// The channel has the number that was promised, and what was passed to this
// process keeps its own; nothing else is open.
func TestChannelIsWhereItWasPromised(t *testing.T) {
	t.Parallel()
	for _, join := range []exec.Join{exec.Direct, exec.Late} {
		p := testproc.Command{Argv: testproc.Argv("hirer", strconv.Itoa(int(join)))}.Start(t)
		promised := p.Line()
		p.Expect(promised, "in /", "0")
		p.WaitCode(0)
	}
}

// hirer starts a worker with three descriptors passed on, and tells what it will
// find.
func hirer(args []string) {
	runtime.LockOSThread()
	join, _ := strconv.Atoi(args[0])
	for range 2 {
		if _, err := unix.Dup(3); err != nil {
			fail(err)
		}
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		fail(err)
	}
	if _, err := unix.Write(ends[0], []byte("hello")); err != nil {
		fail(err)
	}
	inherited := exec.Inherited()
	slices.Sort(inherited)
	testproc.Say("open besides 0 to 2: %v and the channel as %d", inherited, exec.ChannelFD(exec.Join(join), inherited))
	argv := testproc.Argv("employee")
	program := exec.Program{Argv: argv, Env: os.Environ(), Dir: "/", Join: exec.Join(join)}
	command, err := program.Worker(argv[0], exec.Worker{ID: 1, Workers: 1}, ends[1], inherited)
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
	<-child.Exited()
	testproc.Say("%d", child.Status().ExitStatus())
}

// employee reports what it was started with.
func employee([]string) {
	var open []int
	channel := -1
	for fd := 3; fd < 1024; fd++ {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue
		}
		buf := make([]byte, 10)
		if n, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT); err == nil && string(buf[:n]) == "hello" {
			channel = fd
			continue
		}
		open = append(open, fd)
	}
	testproc.Say("open besides 0 to 2: %v and the channel as %d", open, channel)
	dir, err := os.Getwd()
	if err != nil {
		fail(err)
	}
	testproc.Say("in %s", dir)
}

// In the background nothing takes the terminal, and nothing can be stopped by
// reading from it.
func TestBackgroundLeavesTheTerminal(t *testing.T) {
	t.Parallel()
	terminal, theirs := pty(t)
	defer terminal.Close()
	p := testproc.Command{Argv: testproc.Argv("landlord"), Stdin: theirs, Attr: onTerminal}.Start(t)
	theirs.Close()
	p.Expect("starts in the foreground: true", "tenant reads 0 bytes, EOF", "0", "still in the foreground: true")
	p.WaitCode(0)
}

func landlord([]string) {
	runtime.LockOSThread()
	testproc.Say("starts in the foreground: %v", hasTerminal())
	argv := testproc.Argv("tenant")
	var r reaper.Reaper
	child, err := exec.Command{Path: argv[0], Argv: argv, Env: os.Environ(), Background: true}.Start(&r)
	if err != nil {
		fail(err)
	}
	go r.Run(context.Background())
	<-child.Exited()
	testproc.Say("%d", child.Status().ExitStatus())
	testproc.Say("still in the foreground: %v", hasTerminal())
}

func tenant([]string) {
	n, err := os.Stdin.Read(make([]byte, 10))
	testproc.Say("tenant reads %d bytes, %v", n, err)
}

func hasTerminal() bool {
	group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// onTerminal makes a process the leader of a session with its stdin as terminal.
var onTerminal = unix.SysProcAttr{Setsid: true, Setctty: true}

// pty opens a terminal: its two sides.
func pty(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}
