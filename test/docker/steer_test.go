package docker

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// An express application in a container from which all is taken away that can be: its user
// sees and steers it.
func TestSteersAHardenedApplication(t *testing.T) {
	t.Parallel()
	app := application{runContainer(t, nodeImage, slices.Concat(withNode(t, harness.NewestLine), hardened, []string{
		"--volume", harness.Nodeinit + ":/nodeinit:ro", "--volume", harness.AppDir(t, "express5") + ":/app:ro",
		"--cpus", "2", "--memory", "640m", "--publish", "127.0.0.1::3000", "--entrypoint", "/nodeinit",
		"--", "--", "node", "/app/server.js",
	})...)}
	ready := func(n int) func() bool {
		return func() bool {
			var status struct {
				State       string
				Ready, Want int
				Workers     []struct{ State string }
			}
			out, err := harness.Run("docker", "exec", app.name, "/nodeinit", "status", "--json")
			if err != nil || json.Unmarshal([]byte(out), &status) != nil {
				return false
			}
			return status.State == "running" && status.Ready == n && status.Want == n && len(status.Workers) == n
		}
	}
	harness.WaitUntil(t, "two workers", ready(2))
	before := app.workers(2)
	harness.UntilAllAnswer(t, before, func() (string, error) { return harness.Get(app.url("3000")) })

	if text := app.exec("/nodeinit", "status"); !strings.Contains(text, "2 of 2 ready") || !strings.Contains(text, "SLOT") {
		t.Errorf("status:\n%s", text)
	}
	if text := app.exec("/nodeinit", "health"); text != "healthy: 2 of 2 workers ready" {
		t.Errorf("health: %s", text)
	}
	if text := app.exec("/nodeinit", "reload"); !strings.Contains(text, "reloaded 2 workers") {
		t.Errorf("reload:\n%s", text)
	}
	app.exec("/nodeinit", "scale", "1")
	harness.WaitUntil(t, "one worker", ready(1))
	if text := app.exec("/nodeinit", "status"); !strings.Contains(text, "1 of 1 ready (by scale)") {
		t.Errorf("status of one worker:\n%s", text)
	}
	app.exec("/nodeinit", "scale", "auto")
	harness.WaitUntil(t, "two workers again", ready(2))
	if out, err := harness.Run("docker", "exec", app.name, "/nodeinit", "scale", "50"); err == nil || !strings.Contains(err.Error(), "--force") {
		t.Errorf("50 workers: %q, %v", out, err)
	}

	client, err := exec.LookPath("docker")
	if err != nil {
		t.Fatal(err)
	}
	x := harness.OnScreen(t, testproc.Command{
		Argv: []string{client, "exec", "--interactive", "--tty", "--env", "TERM=xterm-256color", app.name, "/nodeinit", "top"},
		Env:  []string{"PATH=/usr/bin:/bin", "TERM=xterm-256color"},
	}, 80, 24)
	x.Await("2 of 2 ready")
	x.Type("q")
	x.WaitCode(0)

	app.hangs()
}

// hangs stops all workers for a while: then the container is not healthy.
func (a application) hangs() {
	a.t.Helper()
	signalWorkers := func(name string) {
		a.exec("sh", "-c", `for p in /proc/[0-9]*; do [ "$(readlink $p/exe)" != /usr/local/bin/node ] || kill -`+name+` ${p#/proc/}; done`)
	}
	health := func() error {
		_, err := harness.Run("docker", "exec", a.name, "/nodeinit", "health")
		return err
	}
	signalWorkers("STOP")
	harness.WaitUntil(a.t, "a container whose workers hang to be unhealthy", func() bool {
		err := health()
		return err != nil && strings.Contains(err.Error(), "unhealthy: no worker's event loop turns")
	})
	signalWorkers("CONT")
	harness.WaitUntil(a.t, "it to be healthy again", func() bool { return health() == nil })
}
