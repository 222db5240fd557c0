package docker

import (
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

const composeFile = "../../deploy/compose/compose.yaml"

// compose runs a command of Docker Compose: the plugin, or the program of old that Debian has.
func compose(t *testing.T, project string, args ...string) string {
	t.Helper()
	name, all := composeCommand(project, args...)
	out, err := harness.Run(name, all...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func composeCommand(project string, args ...string) (name string, all []string) {
	args = append([]string{"--project-name", project, "--file", composeFile}, args...)
	if exec.Command("docker", "compose", "version").Run() == nil {
		return "docker", append([]string{"compose"}, args...)
	}
	return "docker-compose", args
}

// Two replicas behind nginx answer, a third joins them, and one is taken down under load without a
// failed request.
func TestCompose(t *testing.T) {
	t.Setenv("HTTP_PORT", "") // any free one
	project := harness.UniqueName(t)
	t.Cleanup(func() {
		name, down := composeCommand(project, "down", "--volumes", "--remove-orphans")
		cleanUp(t, name, down...)
	})
	compose(t, project, "up", "--build", "--detach")
	url := "http://" + compose(t, project, "port", "proxy", "80") + "/"
	waitForReplicas(t, url, 2)

	compose(t, project, "up", "--detach", "--scale", "app=3")
	hosts := waitForReplicas(t, url, 3)

	stopped := hosts[0] // a container's hostname is the beginning of its ID
	var status string
	underLoad(t, url, func() {
		docker(t, "stop", stopped)
		status = docker(t, "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", stopped)
	})
	if want := "exited 0"; status != want {
		t.Errorf("the stopped replica is %q, want %q", status, want)
	}

	compose(t, project, "down")
	if left := docker(t, "ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project="+project); left != "" {
		t.Errorf("left after down: %s", left)
	}
}

// waitForReplicas polls until n replicas have answered and returns their hostnames.
func waitForReplicas(t *testing.T, url string, n int) (hosts []string) {
	t.Helper()
	seen := map[string]bool{}
	harness.WaitUntil(t, "answers of all replicas", func() bool {
		body, err := harness.Get(url)
		if err != nil {
			return false
		}
		words := strings.Fields(body) // hello from HOST pid PID
		if len(words) != 5 {
			t.Fatalf("unexpected answer %q", body)
		}
		if host := words[2]; !seen[host] {
			seen[host] = true
			hosts = append(hosts, host)
		}
		return len(hosts) == n
	})
	return hosts
}

// underLoad calls f between requests that go on, one after the other, and fails for each that fails.
func underLoad(t *testing.T, url string, f func()) {
	t.Helper()
	const maxRequests = 100000
	var load sync.WaitGroup
	answered, done := make(chan struct{}), make(chan struct{})
	load.Go(func() {
		for i := range maxRequests {
			if _, err := harness.Get(url); err != nil {
				t.Error(err)
			}
			if i == 0 {
				close(answered)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	defer load.Wait()
	defer close(done)
	<-answered
	f()
}
