package node_test

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
	"github.com/nodeinit/nodeinit/node"
	"github.com/nodeinit/nodeinit/reaper"
)

func TestChannelFD(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		join      node.Join
		inherited []int
		want      int
	}{
		{node.JoinDirect, nil, 3},
		{node.JoinDirect, []int{3}, 4},
		{node.JoinDirect, []int{5, 3, 4}, 6},
		{node.JoinDirect, []int{4, 5}, 3},
		{node.JoinLate, nil, 173},
		{node.JoinLate, []int{3, 4}, 173},
		{node.JoinLate, []int{174, 173}, 175},
	} {
		if got := node.ChannelFD(c.join, c.inherited); got != c.want {
			t.Errorf("ChannelFD(%v, %v) = %d, want %d", c.join, c.inherited, got, c.want)
		}
	}
}

// Only the channel that it has, and not another file at its descriptor, tells a process
// that it is below nodeinit.
func TestBelowNodeinit(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	fd := int(r.Fd())
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		t.Fatal(err)
	}
	for channel, want := range map[string]bool{
		fmt.Sprintf("%d:%d:7", fd, stat.Ino): true, fmt.Sprintf("%d:%d:7", fd, stat.Ino+1): false,
		fmt.Sprintf("%d:%d", fd, stat.Ino): false, fmt.Sprintf("%d:%d::messages", fd, stat.Ino): false, "": false, "::": false, "x:1:1": false, "-1:1:1": false,
	} {
		if got := node.BelowNodeinit([]string{"A=1", "NODEINIT_CHANNEL=" + channel}); got != want {
			t.Errorf("%q: %v", channel, got)
		}
	}
	if node.BelowNodeinit(nil) {
		t.Error("it is below nodeinit without a channel")
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
		worker  node.Slot
		join    node.Join
		want    []string
		modules string // that Node is to run before
	}{
		{node.Slot{ID: 7, Slot: 2, Workers: 4, InstanceVar: "NODE_APP_INSTANCE"}, node.JoinDirect, slices.Concat(own, channel, []string{"NODE_UNIQUE_ID=7"}), ""},
		{node.Slot{ID: 7, Slot: 2, Workers: 4, InstanceVar: "NODE_APP_INSTANCE", Agent: true}, node.JoinDirect, slices.Concat(own, channel, []string{"NODE_UNIQUE_ID=7"}), "worker agent"},
		{node.Slot{ID: 7, Slot: 2, Workers: 4, InstanceVar: "NODE_APP_INSTANCE"}, node.JoinLate, append(own, "NODEINIT_CHANNEL=3:55:7"), "join"},
		{node.Slot{ID: 7, Slot: 2, Workers: 4, InstanceVar: "NODE_APP_INSTANCE", Agent: true}, node.JoinLate, append(own, "NODEINIT_CHANNEL=3:55:7"), "join worker agent"},
		{node.Slot{Agent: true}, node.JoinDirect, append(single, "NODEINIT_CHANNEL=3:55"), "agent"},
		{node.Slot{Agent: true, Messages: true}, node.JoinDirect, append(single, "NODEINIT_CHANNEL=3:55::messages"), "agent"},
		{node.Slot{Agent: true}, node.JoinLate, append(single, "NODEINIT_CHANNEL=3:55:0"), "agent"},
	} {
		env := slices.Clone(before)
		got := node.WorkerEnv([]string{"node", "a.js"}, env, c.worker, c.join, 3, 55)
		if !slices.Equal(env, before) {
			t.Errorf("WorkerEnv made %q of %q", env, before)
		}
		options := exec.Getenv(got, "NODE_OPTIONS")
		if c.modules != "" {
			parts := []string{"start.js"}
			if c.worker.ID == 0 {
				parts = []string{"fork.js", "start.js"}
			}
			options = withoutStart(t, options, parts)
		}
		if modules := modulesIn(t, exec.Getenv(got, "NODEINIT_MODULES")); modules != c.modules || options != "--title x" {
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

// The variable for the number is set unless the user has set it, or it is that of
// node-config, which in strict mode exits where it has no file for an instance.
func TestWorkerInstance(t *testing.T) {
	t.Parallel()
	const usual = "NODE_APP_INSTANCE"
	for _, c := range []struct {
		name, argv, env string
		want            string
		set             bool
	}{
		{usual, "node a.js", "A=1", "3", true},
		{usual, "node a.js", "NODE_APP_INSTANCE=blue", "blue", true},
		{usual, "node a.js", "NODE_APP_INSTANCE=", "", true},
		{usual, "node a.js", "NODE_CONFIG_STRICT_MODE=1", "", false},
		{usual, "node a.js", "NODE_CONFIG_STRICT_MODE=", "3", true},
		{usual, "node a.js --NODE_CONFIG_STRICT_MODE=1", "A=1", "", false},
		{"INSTANCE_ID", "node a.js", "A=1", "3", true},
		{"INSTANCE_ID", "node a.js", "INSTANCE_ID=blue", "blue", true},
		{"INSTANCE_ID", "node a.js", "INSTANCE_ID2=blue", "3", true},
		{"INSTANCE_ID", "node a.js", "NODE_CONFIG_STRICT_MODE=1", "3", true},
	} {
		slot := node.Slot{ID: 1, Slot: 3, Workers: 4, InstanceVar: c.name}
		got := node.WorkerEnv(strings.Fields(c.argv), []string{c.env}, slot, node.JoinDirect, 3, 55)
		set := slices.ContainsFunc(got, func(kv string) bool { return strings.HasPrefix(kv, c.name+"=") })
		if value := exec.Getenv(got, c.name); value != c.want || set != c.set {
			t.Errorf("%s, %s: %s is %q, %v, want %q, %v", c.argv, c.env, c.name, value, set, c.want, c.set)
		}
	}
	for _, slot := range []node.Slot{{ID: 1, Slot: 3, Workers: 4}, {Agent: true, InstanceVar: usual}} {
		got := node.WorkerEnv([]string{"node"}, []string{"A=1"}, slot, node.JoinDirect, 3, 55)
		if slices.ContainsFunc(got, func(kv string) bool { return strings.HasPrefix(kv, "=") || strings.HasPrefix(kv, usual+"=") }) {
			t.Errorf("%+v: %q", slot, got)
		}
	}
}

// withoutStart returns NODE_OPTIONS without the import of start.js.
func withoutStart(t *testing.T, options string, parts []string) string {
	t.Helper()
	var start []byte
	for _, part := range parts {
		text, err := os.ReadFile("preload/" + part)
		if err != nil {
			t.Fatal(err)
		}
		start = append(start, text...)
	}
	url, rest, _ := strings.Cut(options, " ")
	_, code, ok := strings.Cut(url, "#")
	got, err := base64.RawURLEncoding.DecodeString(code)
	if !ok || err != nil || string(got) != "'use strict';\n"+compacted(start) || !strings.HasPrefix(url, "--import=data:text/javascript;by=nodeinit;") {
		t.Errorf("NODE_OPTIONS=%.80s does not begin with %v", options, parts)
	}
	return rest
}

// compacted returns a script without comments, empty lines and indentation.
func compacted(script []byte) string {
	text := string(script)
	for _, pattern := range []string{`(?m)^ *// .*\n`, `(?m) // [^'"\x60/\n]*$`, `(?m)^ +`, `(?m)^\n`} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, "")
	}
	return text
}

// modulesIn returns the names of the modules in NODEINIT_MODULES, and checks their
// text.
func modulesIn(t *testing.T, variable string) string {
	t.Helper()
	var names []string
	for module := range strings.FieldsSeq(variable) {
		url, encoded, _ := strings.Cut(module, "=")
		file := strings.TrimPrefix(url, "nodeinit:")
		var want []byte
		parts := []string{file}
		switch file {
		case "worker.js":
			parts = []string{"channel.js", file}
		case "agent.js":
			parts = []string{"handlers.js", "connections.js", file}
		}
		for _, part := range parts {
			text, err := os.ReadFile("preload/" + part)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, text...)
		}
		if got, err := base64.RawURLEncoding.DecodeString(encoded); string(got) != compacted(want) || err != nil {
			t.Errorf("%s is %q, %v", url, got, err)
		}
		names = append(names, strings.TrimSuffix(file, ".js"))
	}
	return strings.Join(names, " ")
}

// Each worker has an inspector port of its own, from the configured one on.
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
		p := node.Program{Argv: strings.Fields(c.argv), Join: node.JoinDirect}
		if c.options != "" {
			p.Env = []string{"NODE_OPTIONS=" + c.options}
		}
		command, err := p.Command("node", node.Slot{Slot: c.slot}, socket(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(command.Argv, " ") + " | " + exec.Getenv(command.Env, "NODE_OPTIONS"); got != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", c, got, c.want)
		}
		if got := strings.Join(p.Argv, " "); got != c.argv {
			t.Errorf("Command made %q of the program's argv", got)
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
	_, err := node.Program{Argv: []string{"node"}}.Command("node", node.Slot{Slot: 3}, -1, nil)
	if err == nil || err.Error() != "channel of worker 3: fstat: bad file descriptor" {
		t.Errorf("no channel: %v", err)
	}
}

// The child has the channel as ChannelFD says, inherited descriptors under their own
// numbers, and nothing else.
func TestChildHasTheChannel(t *testing.T) {
	t.Parallel()
	for _, join := range []node.Join{node.JoinDirect, node.JoinLate} {
		p := testproc.Command{Argv: testproc.Argv("starter", strconv.Itoa(int(join)))}.Start(t)
		want := p.Line()
		p.Expect(want, "in /", "0")
		p.WaitCode(0)
	}
}

// starter starts a worker with three inherited descriptors, and reports what it must
// have.
func starter(args []string) {
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
	testproc.Say("open besides 0 to 2: %v and the channel as %d", inherited, node.ChannelFD(node.Join(join), inherited))
	argv := testproc.Argv("started")
	program := node.Program{Argv: argv, Env: os.Environ(), Dir: "/", Join: node.Join(join)}
	command, err := program.Command(argv[0], node.Slot{ID: 1, Workers: 1}, ends[1], inherited)
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

// started reports the descriptors that it was started with.
func started([]string) {
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
