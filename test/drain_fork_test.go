package test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// An application that runs as one process has a parent to talk to, as under pm2,
// and nobody talks to it: neither while it serves nor when it stops.
func TestClusterAgentGivesOneProcessAChannel(t *testing.T) {
	t.Parallel()
	onEach(t, starts(nodeLines, "fork"), func(t *testing.T, s start) {
		h := s.opens(t, forEver+"--ready message")
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
	bin := filepath.Join(sample{name: "wrappers"}.directory(t), "node_modules/.bin")
	dir, home := t.TempDir(), t.TempDir()
	script := fmt.Sprintf(`{"scripts": {"start": "node -e 0 && node %s"}}`, inAgentData(t, "service.js"))
	writeFile(t, filepath.Join(dir, "package.json"), script, 0o644)
	onEach(t, starts(edges(), "fork", "per-core"), func(t *testing.T, s start) {
		h := s.opens(t, forEver, func(c *testproc.Command) {
			c.Argv = append(c.Argv[:slices.Index(c.Argv, "--")+1], "npm", "start")
			c.Dir = dir
			path := []string{filepath.Dir(nodeBinary(t, s.line)), bin, os.Getenv("PATH")}
			*c = withEnv(*c, "HOME="+home, "TMPDIR="+shortDir(t), "npm_config_update_notifier=false", "PATH="+strings.Join(path, ":"))
		})
		h.serves("http", nil)
		slow, regular := h.visit(nil), h.visit(nil)
		regular.asks("/")
		regular.hears("served\n", false)
		slow.asks("/slow", lastRequest)
		h.expect("asked")
		h.drains()
		h.untilRefused()
		regular.isToldToGo()
		h.do("answer", "/slow", nil)
		slow.hears("answered\n", true)
		h.expect("answered")
		h.endsDrained()
	})
}
