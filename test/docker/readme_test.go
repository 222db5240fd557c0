package docker

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// TestReadme builds README's Dockerfile and talks to what it runs.
func TestReadme(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "Dockerfile")
	harness.WriteFile(t, file, harness.ReadmeBlock(t, "dockerfile"), 0o644)
	image := harness.UniqueName(t)
	docker(t, "build", "--file", file, "--label", "nodeinit-test", "--tag", image, "../..")
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
