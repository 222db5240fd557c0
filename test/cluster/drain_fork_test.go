package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// An application that runs as one process has a parent to talk to, as under pm2,
// and the parent says nothing: neither while it serves nor when it stops.
func TestAgentGivesOneProcessAChannel(t *testing.T) {
	t.Parallel()
	onEach(t, starts(harness.NodeLines, "fork"), func(t *testing.T, s start) {
		h := s.opens(t, harness.LongGrace+"--ready message")
		var got any
		h.do("channel", nil, &got)
		if want := (object{"connected": true, "send": "function", "listeners": 0.0}); !reflect.DeepEqual(got, want) {
			t.Errorf("it sees %v, want %v", got, want)
		}
		h.do("listenForMessages", nil, nil)
		h.serves("http", nil)
		h.announces()
		h.drains()
		h.endsDrained()
	})
}

// Behind a package manager and a shell it is the program that drains, and they
// end with it.
func TestWrappersDrain(t *testing.T) {
	t.Parallel()
	bin := filepath.Join(harness.AppDir(t, "wrappers"), "node_modules/.bin")
	dir, home := t.TempDir(), t.TempDir()
	script := fmt.Sprintf(`{"scripts": {"start": "node -e 0 && node %s"}}`, inAgentData(t, "service.js"))
	harness.WriteFile(t, filepath.Join(dir, "package.json"), script, 0o644)
	onEach(t, starts(harness.EdgeLines(), "fork", "per-core"), func(t *testing.T, s start) {
		h := s.opens(t, harness.LongGrace, func(c *testproc.Command) {
			c.Argv = append(c.Argv[:slices.Index(c.Argv, "--")+1], "npm", "start")
			c.Dir = dir
			path := []string{filepath.Dir(harness.NodeBinary(t, s.line)), bin, os.Getenv("PATH")}
			*c = harness.WithEnv(*c, "HOME="+home, "TMPDIR="+harness.ShortDir(t), "npm_config_update_notifier=false", "PATH="+strings.Join(path, ":"))
		})
		h.serves("http", nil)
		slow, regular := h.connect(nil), h.connect(nil)
		regular.Request("/")
		regular.Expect("served\n", false)
		slow.Request("/slow", harness.CloseHeader)
		h.expect("asked")
		h.drains()
		h.untilRefused()
		regular.UntilClosed()
		h.do("answer", "/slow", nil)
		slow.Expect("answered\n", true)
		h.expect("answered")
		h.endsDrained()
	})
}
