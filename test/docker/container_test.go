package docker

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// docker runs a docker command that has to succeed and returns its output.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := harness.Run("docker", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// buildImage makes an image of a base, /nodeinit and files (path to content; those that begin as a
// script or a binary does are executable) that lives as long as the test. More lines of its
// Dockerfile may follow.
func buildImage(t *testing.T, base string, files map[string]string, lines ...string) string {
	t.Helper()
	dir := t.TempDir()
	binary, err := os.ReadFile(harness.Nodeinit)
	if err != nil {
		t.Fatal(err)
	}
	harness.WriteFile(t, filepath.Join(dir, "root/nodeinit"), string(binary), 0o755)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		mode := os.FileMode(0o644)
		if strings.HasPrefix(files[path], "#!") || strings.HasPrefix(files[path], "\x7fELF") {
			mode = 0o755
		}
		harness.WriteFile(t, filepath.Join(dir, "root", path), files[path], mode)
	}
	dockerfile := append([]string{"FROM " + base, "COPY root/ /"}, lines...)
	harness.WriteFile(t, filepath.Join(dir, "Dockerfile"), strings.Join(dockerfile, "\n")+"\n", 0o644)

	name := harness.UniqueName(t)
	docker(t, "build", "--quiet", "--label", "nodeinit-test", "--tag", name, dir)
	t.Cleanup(func() { cleanUp(t, "docker", "image", "rm", "--force", name) })
	return name
}

// cleanUp runs a command after the test, which fails with it.
func cleanUp(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := harness.Run(name, args...); err != nil {
		t.Error(err)
	}
}

// A container runs in the background and is removed at the end of its test.
type container struct {
	t    *testing.T
	name string
}

// runContainer runs an image as "docker run FLAGS image COMMAND" does; the flags end at "--".
//
//	runContainer(t, image, "--cpus", "2", "--", "node", "server.js")
func runContainer(t *testing.T, image string, args ...string) *container {
	t.Helper()
	flags, command := args, []string(nil)
	if i := slices.Index(args, "--"); i >= 0 {
		flags, command = args[:i], args[i+1:]
	}
	c := &container{t, harness.UniqueName(t)}
	// Created first, so that one that does not start is removed as well.
	create := slices.Concat([]string{"create", "--label", "nodeinit-test", "--name", c.name}, flags, []string{image}, command)
	docker(t, create...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("container %s:\n%s", c.name, c.logs())
		}
		cleanUp(t, "docker", "rm", "--force", "--volumes", c.name)
	})
	docker(t, "start", c.name)
	return c
}

// wait returns the container's exit status once it has ended.
func (c *container) wait() int {
	c.t.Helper()
	out := docker(c.t, "wait", c.name)
	status, err := strconv.Atoi(out)
	if err != nil {
		c.t.Fatalf("docker wait: %q", out)
	}
	return status
}

// stop is "docker stop": SIGTERM, and SIGKILL after 10 seconds. It returns the exit status.
func (c *container) stop() int {
	c.t.Helper()
	docker(c.t, "stop", c.name)
	return c.wait()
}

// logs is what the container has written so far, stderr after stdout.
func (c *container) logs() string {
	ctx, cancel := context.WithTimeout(context.Background(), testproc.HangLimit)
	defer cancel()
	var stdout, stderr strings.Builder
	command := exec.CommandContext(ctx, "docker", "logs", c.name)
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		fmt.Fprintf(&stderr, "docker logs: %v\n", err)
	}
	return stdout.String() + stderr.String()
}

// inspect is one field of "docker inspect", say ".State.OOMKilled".
func (c *container) inspect(field string) string {
	c.t.Helper()
	return docker(c.t, "inspect", "--format", "{{"+field+"}}", c.name)
}

// exec runs a command inside the container.
func (c *container) exec(args ...string) string {
	c.t.Helper()
	return docker(c.t, append([]string{"exec", c.name}, args...)...)
}

// url is where a port that was published with "--publish 127.0.0.1::PORT" is reached.
func (c *container) url(port string) string {
	c.t.Helper()
	return "http://" + docker(c.t, "port", c.name, port) + "/"
}

// The Dockerfile that README shows builds, serves, comes back when its program is killed, and ends
// with the program's own status. The log explains each in JSON.
func TestDockerfileExample(t *testing.T) {
	image := harness.UniqueName(t)
	docker(t, "build", "--file", "../../Dockerfile.example", "--label", "nodeinit-test", "--tag", image, "../..")
	t.Cleanup(func() { cleanUp(t, "docker", "image", "rm", "--force", image) })
	app := runContainer(t, image, "--publish", "127.0.0.1::3000", "--cpus", "2", "--memory", "512m", "--restart", "unless-stopped",
		"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
	app.greets(2)
	app.killWorker(app.logged("worker started")[1].PID)
	app.greets(4)
	if status := app.stop(); status != 0 {
		t.Errorf("status %d after docker stop, want the program's own 0", status)
	}

	var story []string
	for _, l := range app.log() {
		words := []string{l.Level, l.Msg}
		if l.Status != nil {
			words = append(words, l.Cause, l.Signal, strconv.Itoa(*l.Status))
		}
		story = append(story, strings.Join(words, " "))
	}
	begin := []string{"info starting", "info worker started", "info starting the other workers", "info worker started", "info worker listening", "info worker ready", "info worker listening", "info worker ready"}
	want := slices.Concat(begin,
		[]string{"error worker ended signal SIGKILL 137", "info stopping", "info worker finishing", "info worker ended exit  0", "error exit signal SIGKILL 137"},
		begin,
		[]string{"info stopping", "info worker finishing", "info worker finishing", "info worker ended exit  0", "info worker ended exit  0", "info exit exit  0"})
	if !slices.Equal(story, want) {
		t.Errorf("logged\n%q, want\n%q", story, want)
	}
}

// greets waits until the example listens for the nth time and asks it for its greeting.
func (c *container) greets(n int) {
	c.t.Helper()
	harness.WaitUntil(c.t, "the example to listen", func() bool {
		stdout, _ := c.output()
		return strings.Count(stdout, "listening on port 3000\n") == n
	})
	body, err := harness.Get(c.url("3000"))
	if err != nil {
		c.t.Fatal(err)
	}
	if host := c.inspect(".Config.Hostname"); !strings.HasPrefix(body, "hello from "+host+" ") {
		c.t.Errorf("answer %q is not from %s", body, host)
	}
}

// The binary needs nothing of its image: no libc, no writable root, no user name, no network.
func TestRootWithoutLibc(t *testing.T) {
	image := buildImage(t, "nodeinit-test/busybox", nil, `ENTRYPOINT ["/nodeinit", "--"]`)
	app := runContainer(t, image, "--read-only", "--user", "4711:4711", "--cap-drop", "ALL", "--network", "none",
		"--", "sh", "-c", "echo pid $$; exit 7")
	if status := app.wait(); status != 7 {
		t.Errorf("status %d, want the shell's 7", status)
	}
	if logs := app.logs(); !strings.Contains(logs, "pid ") || strings.Contains(logs, "pid 1\n") {
		t.Errorf("the shell ran as PID 1 or not at all:\n%s", logs)
	}
}
