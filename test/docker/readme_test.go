package docker

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// readmeDockerfile returns what README makes of a user's Dockerfile: the lines of its diff. It takes
// nodeinit from that image, and the Node that test/images.sh has a stand-in for.
func readmeDockerfile(t *testing.T, nodeinitImage string) string {
	t.Helper()
	var text strings.Builder
	for line := range strings.Lines(harness.Block(t, "README.md", "diff")) {
		if !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "+") {
			t.Fatalf("README's diff has the line %q", line)
		}
		text.WriteString(line[1:])
	}
	const node, from = "FROM node:24-bookworm-slim\n", "--from=nodeinit "
	if !strings.Contains(text.String(), node) || !strings.Contains(text.String(), from) {
		t.Fatalf("README's Dockerfile has no %q or no %q", node, from)
	}
	return strings.NewReplacer(node, "FROM "+nodeImage+"\n", from, "--from="+nodeinitImage+" ").Replace(text.String())
}

// TestReadme builds the image of nodeinit alone, and with it that of README's user, and talks
// to what runs.
func TestReadme(t *testing.T) {
	t.Parallel()
	image := harness.UniqueName(t)
	alone := image + "-alone"
	docker(t, "build", "--label", "nodeinit-test", "--tag", alone, "../..")
	t.Cleanup(func() { cleanUp(t, "docker", "image", "rm", "--force", alone) })
	file := filepath.Join(t.TempDir(), "Dockerfile")
	harness.WriteFile(t, file, readmeDockerfile(t, alone), 0o644)
	docker(t, "build", "--file", file, "--label", "nodeinit-test", "--tag", image, "../../examples")
	t.Cleanup(func() { cleanUp(t, "docker", "image", "rm", "--force", image) })
	app := runContainer(t, image, "--publish", "127.0.0.1::3000")
	harness.WaitUntil(t, "README's image to answer", func() bool {
		body, err := harness.Get(app.url("3000"))
		return err == nil && strings.HasPrefix(body, "hello from ")
	})
	// A worker that is asked to stop before it can say how ends by the signal.
	harness.WaitUntil(t, "both workers to listen", func() bool { return len(app.logged("worker listening")) == 2 })
	if status := app.stop(); status != 0 {
		t.Errorf("status %d after docker stop, want 0", status)
	}
}
