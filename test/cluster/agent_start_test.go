package cluster

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

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

// Under nodeinit an empty script in fork mode loads no module of Node's more than
// with an --import of fs, but for those: not what Node's IPC channel needs.
func TestAgentLoadsNothingAtTheStart(t *testing.T) {
	t.Parallel()
	onEach(t, starts(harness.NodeLines, "fork"), func(t *testing.T, s start) {
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
			onEach(t, starts(harness.NodeLines, "fork"), func(t *testing.T, s start) {
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
