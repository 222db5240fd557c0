package cluster

import (
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// loadedByStart are the modules of Node that start.js and fork.js load in fork mode.
var loadedByStart = []string{
	"NativeModule module", "NativeModule internal/source_map/source_map",
	// They read and compile start.js: to decode it as the URL of an ES module takes longer.
	"NativeModule internal/modules/esm/initialize_import_meta", "NativeModule vm",
	// Before Node 22.15. On others any script has them.
	"NativeModule diagnostics_channel", "NativeModule internal/process/report", "Internal Binding report",
}

// announcesListen reports whether a line of Node announces that a server listens. On
// the others the agent is attached before the script, with Node's own channel.
func announcesListen(line string) bool { return line != "18.20.8" && line != "22.0.0" }

// lateLines are the lines on which the agent is attached when the program listens.
func lateLines() []string {
	return slices.DeleteFunc(slices.Clone(harness.NodeLines), func(line string) bool { return !announcesListen(line) })
}

// Under nodeinit an empty script in fork mode loads no module of Node's more than
// with an --import of fs, but for those: not what Node's IPC channel needs.
func TestAgentLoadsNothingAtTheStart(t *testing.T) {
	t.Parallel()
	onEach(t, starts(lateLines(), "fork"), func(t *testing.T, s start) {
		empty := exec.Command(harness.NodeBinary(t, s.line), inAgentData(t, "loaded.js"))
		empty.Env = append(withoutVariables("NODE_OPTIONS"), "NODE_OPTIONS=--import=data:text/javascript,import'fs'")
		want, err := empty.Output()
		if err != nil {
			t.Fatal(err)
		}
		c := s.node(t, "--log-level off", "loaded.js")
		c.Env = withoutVariables("NODE_OPTIONS")
		p := c.Start(t)
		p.WaitCode(0)
		known := append(strings.Split(string(want), "\n"), loadedByStart...)
		more := slices.DeleteFunc(strings.Split(p.Output(), "\n"), func(module string) bool { return slices.Contains(known, module) })
		if len(more) > 0 {
			t.Errorf("%q are loaded as well", more)
		}
	})
}

// What a program does with its channel before it listens has the effect that it has
// with Node's own.
func TestChannelBeforeTheAgent(t *testing.T) {
	t.Parallel()
	for way, want := range map[string]string{
		"send":             "sent null, exit 0",
		"send and exit":    "exit 0",
		"send a handle":    "sent null, exit 0",
		"disconnect":       "false, disconnect, exit 0",
		"disconnect twice": "disconnect, ERR_IPC_DISCONNECTED, exit 0",
		"send after":       "disconnect, sent ERR_IPC_CHANNEL_CLOSED, exit 0",
		"hold":             "held, exit 0",
		"replace":          "replaced, replaced, exit 0",
		"properties":       "function function function function object true, exit 0",
		"close":            "sent ERR_IPC_CHANNEL_CLOSED, false, exit 0",
		"reuse":            "sent ERR_IPC_CHANNEL_CLOSED, listens, 0 bytes, exit 0",
		"thread":           "undefined undefined undefined, exit 0",
		"fork":             "hello, exit 0",
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			lines := harness.SideLines
			if way == "close" || way == "reuse" { // of Node's own channel is another matter
				lines = lateLines()
			}
			onEach(t, starts(lines, "fork"), func(t *testing.T, s start) {
				c := s.node(t, "--log-level off", "channel.js")
				c.Argv = append(c.Argv, way)
				c.Dir = t.TempDir()
				p := c.Start(t)
				p.WaitCode(0)
				if got := strings.TrimSpace(strings.ReplaceAll(p.Output(), "\n", ", ")); strings.TrimSuffix(got, ",") != want {
					t.Errorf("%q, want %q", got, want)
				}
			})
		})
	}
}

// A program that says nothing and never listens has the agent as well.
func TestAgentOfAProgramThatDoesNotListen(t *testing.T) {
	t.Parallel()
	onEach(t, starts(harness.EdgeLines(), "fork"), func(t *testing.T, s start) {
		c := s.node(t, "--log-level off "+onHang, "channel.js")
		c.Argv = append(c.Argv, "hang")
		p := c.Start(t)
		p.WaitCode(128 + 6) // SIGABRT
	})
}

// A worker does not compile the agent before its program, but has it soon, also where it
// does not listen.
func TestAgentFollowsTheProgram(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"listens", "waits"} {
		onEach(t, starts(harness.NodeLines, "per-core"), func(t *testing.T, s start) {
			c := s.node(t, "--log-level off", "attached.js")
			c.Argv = append(c.Argv, way)
			p := c.Start(t)
			p.WaitCode(0)
			if got := strings.Fields(p.Output()); !slices.Equal(got, []string{"false", "true"}) {
				t.Errorf("attached: %q", got)
			}
		})
	}
}

// Whatever a program has changed of Node, it runs as it does without an agent.
func TestAgentWithAChangedNode(t *testing.T) {
	t.Parallel()
	for _, change := range []string{
		"numeric timers", "a mocked fs", "prepareStackTrace throws", "no stack traces", "a frozen process",
		"a sealed process", "a process that cannot be extended", "process.send cannot be replaced", "no process.channel",
		"process.channel is something else", "no address", "address throws", "listeners throw", "process.listeners throws",
		"_forkChild throws", "_getActiveHandles throws",
	} {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			onEach(t, starts(harness.SideLines, "fork"), func(t *testing.T, s start) {
				c := s.node(t, "--log-level off", "changes.js")
				c.Argv = append(c.Argv, change, strconv.Itoa(harness.ReservePort(t)))
				p := c.Start(t)
				p.WaitCode(0)
				if got := p.Output() + p.Errors(); got != "starts\nserved\n" {
					t.Errorf("%q", got)
				}
			})
		})
	}
}

// A program that has changed what the agent uses is drained like others.
func TestDrainsWithAChangedNode(t *testing.T) {
	t.Parallel()
	for _, change := range []string{"numeric timers", "a mocked fs", "prepareStackTrace throws", "no stack traces"} {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			onEach(t, starts([]string{"20.20.2", harness.NewestLine}, "fork", "per-core"), func(t *testing.T, s start) {
				h := s.opens(t, harness.LongGrace)
				h.do("change", change, nil)
				h.serves("http", nil)
				slow := h.connect(nil)
				slow.Request("/slow", harness.CloseHeader)
				h.expect("asked")
				h.drains()
				h.untilRefused()
				h.do("answer", "/slow", nil)
				slow.Expect("answered\n", true)
				h.expect("answered")
				h.endsDrained()
			})
		})
	}
}

// A server of a module of --require is known, though it listens before the agent's
// script is run.
func TestServersOfRequiredModules(t *testing.T) {
	t.Parallel()
	onEach(t, starts(harness.NodeLines, "fork"), func(t *testing.T, s start) {
		h := s.opens(t, harness.LongGrace, func(c *testproc.Command) {
			*c = harness.WithEnv(*c, "NODE_OPTIONS=--require "+inAgentData(t, "required.js"))
		})
		h.untilSaid("listening")
		h.drains()
		h.endsDrained()
	})
}

// From the moment in which the program listens it can be drained, and nodeinit knows
// which handlers are there to shut it down, though the program is busy.
func TestDrainIsPossibleAtTheListen(t *testing.T) {
	t.Parallel()
	for handler, says := range map[string]string{"process.exit()": "draining the program", "server.close()": "stopping"} {
		onEach(t, starts(lateLines(), "fork"), func(t *testing.T, s start) {
			c := s.node(t, harness.LongGrace, "busy.js")
			c.Argv = append(c.Argv, handler)
			p := c.Start(t)
			harness.WaitUntil(t, "it to listen", func() bool { return strings.Contains(p.Output(), "listens\n") })
			p.Signal(unix.SIGTERM)
			harness.UntilLogged(t, p, says)
			p.CloseStdin()
			p.WaitCode(0)
			if drained := strings.Contains(p.Output(), `"msg":"draining`); drained != (handler == "process.exit()") {
				t.Errorf("drained: %v\n%s", drained, p.Output())
			}
		})
	}
}

// A signal that comes while the agent is attached, when the kernel accepts connections
// already, does not end the program before its requests.
func TestDrainWaitsForTheAgent(t *testing.T) {
	t.Parallel()
	onEach(t, starts(lateLines(), "fork"), func(t *testing.T, s start) {
		p := s.node(t, harness.LongGrace, "slow.js").Start(t)
		harness.WaitUntil(t, "the agent", func() bool { return strings.Contains(p.Output(), "attaching\n") })
		p.Signal(unix.SIGTERM)
		harness.UntilLogged(t, p, "draining the program")
		p.CloseStdin()
		p.WaitCode(143)
	})
}

// A Unix socket that was passed in has no address that Node knows.
func TestListensOnAPassedUnixSocket(t *testing.T) {
	t.Parallel()
	onEach(t, everyLine(), func(t *testing.T, s start) {
		path := filepath.Join(harness.ShortDir(t), "s")
		listener, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		socket, err := listener.(*net.UnixListener).File()
		if err != nil {
			t.Fatal(err)
		}
		c := s.node(t, harness.LongGrace, "passed.js")
		c.Stdin = socket
		p := c.Start(t)
		harness.UntilLogged(t, p, map[string]string{"fork": "program listening", "per-core": "worker listening"}[s.mode])
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		v := harness.NewClient(t, conn)
		v.Request("/", harness.CloseHeader)
		v.Expect("served\n", true)
		p.Signal(unix.SIGTERM)
		p.WaitCode(143)
	})
}
