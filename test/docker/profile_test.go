package docker

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// In a hardened container the client writes a profile to docker's stdout, and refuses a
// snapshot for which there is not the memory.
func TestProfileInAContainer(t *testing.T) {
	t.Parallel()
	c := runMounted(t, nodeImage, "--user", "65534:65534", "--read-only", "--cap-drop", "ALL", "--memory", "200m", "--memory-swap", "200m", "--", "node", "hot.js")
	harness.WaitUntil(t, "the figures of the heap", func() bool {
		out, err := harness.Run("docker", "exec", c.name, "/nodeinit", "status", "--json")
		return err == nil && strings.Contains(out, `"heap_used_bytes"`)
	})
	out, err := harness.Run("docker", "exec", c.name, "/nodeinit", "profile", "cpu", "--seconds", "0.5")
	if err != nil || !json.Valid([]byte(out)) || !strings.Contains(out, `"functionName":"hotFunction"`) {
		t.Errorf("cpu: %v, %.1000q", err, out)
	}
	out, err = harness.Run("docker", "exec", c.name, "/nodeinit", "profile", "heap")
	refused := regexp.MustCompile(`nodeinit: profile: worker 0 \(pid \d+\): a snapshot of its heap of \d+ MB may take up to \d+ MB, and \d+ MB are free \(--force `)
	if err == nil || !strings.Contains(err.Error(), "exit status 1\n") || !refused.MatchString(err.Error()) || out != "" {
		t.Errorf("heap: %v, %.1000q", err, out)
	}
	if out, err := harness.Run("docker", "exec", "--user", "1000:1000", c.name, "/nodeinit", "profile", "heap", "--force"); err == nil || !strings.Contains(err.Error(), "exit status 1\n") {
		t.Errorf("as another user: %v, %.1000q", err, out)
	}
}
