package docker

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// runCaseInDocker runs a program of testdata/cases in a container, with flags of
// docker run and, after "--", what follows nodeinit.
func runCaseInDocker(t *testing.T, dir string, args ...string) *container {
	t.Helper()
	where, err := filepath.Abs(filepath.Join("testdata/cases", dir))
	if err != nil {
		t.Fatal(err)
	}
	return runContainer(t, nodeImage, slices.Concat([]string{
		"--volume", harness.Nodeinit + ":/nodeinit:ro", "--volume", where + ":/case:ro", "--workdir", "/case", "--entrypoint", "/nodeinit",
	}, args)...)
}

// What an application holds in a small container with Node alone it holds under
// nodeinit too.
func TestCase11SmallContainer(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"node alone":            {"--entrypoint", "node", "--", "app.js", "140"},
		"one process":           {"--", "--cpus", "1", "node", "app.js", "140"},
		"as many as it will be": {"--cpus", "2", "--", "node", "app.js", "80"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := runCaseInDocker(t, "small-container", append([]string{"--memory", "256m", "--memory-swap", "256m"}, args...)...)
			if status := app.wait(); status != 0 {
				t.Errorf("status %d, want 0", status)
			}
		})
	}
}

// A program that uses up the process limit of its container costs nodeinit
// nothing: it ends the container as ever. It would not happen every time.
func TestCase16PidsLimit(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2} {
		for try := range 4 {
			t.Run(fmt.Sprintf("%d workers, try %d", workers, try), func(t *testing.T) {
				t.Parallel()
				app := runCaseInDocker(t, "pids-limit", "--pids-limit", "60", "--memory", "512m",
					"--", "--workers", fmt.Sprint(workers), "--", "node", "app.js")
				app.waitFor("full EAGAIN")
				if status := app.stop(); status != harness.Terminated {
					t.Errorf("status %d after docker stop, want %d", status, harness.Terminated)
				}
			})
		}
	}
}
