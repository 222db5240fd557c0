package docker

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// Under another init, docker run --init's own, nodeinit is not PID 1. It says nothing about that,
// and does for its program what it does as PID 1.
func TestUnderAnotherInit(t *testing.T) {
	t.Parallel()
	app := runMounted(t, nodeImage, "--init", "--", "-v", "node", "orphans.js", "10")
	up := strings.Fields(app.waitFor("came to")) // orphan PID came to PID
	if parent := app.parentIn(app.programPID()); parent == "1" || up[4] != parent {
		t.Errorf("an orphan came to %s, the program's parent is %s", up[4], parent)
	}
	harness.WaitUntil(t, "the orphans that ended to be reaped", func() bool { return len(app.logged("orphan reaped")) == 10 })
	if status := app.stop(); status != 0 {
		t.Errorf("status %d after docker stop, want the program's 0", status)
	}
	app.checkEnd("exit", 0)
	app.checkQuiet()
}

// docker run --init starts what dockerd's --init-path names as /sbin/docker-init -- COMMAND.
func TestInitPath(t *testing.T) {
	t.Parallel()
	engine := startEngine(t, "--init-path", harness.Nodeinit)
	image := filepath.Join(t.TempDir(), "image.tar")
	docker(t, "save", "--output", image, "nodeinit-test/busybox")
	engine(t, "load", "--quiet", "--input", image)

	create := func(command ...string) string {
		args := []string{"run", "--detach", "--init", "--network", "none", "nodeinit-test/busybox"}
		return engine(t, append(args, command...)...)
	}
	ends := create("sh", "-c", "cat /proc/1/cmdline; echo; echo parent $PPID; exit 7")
	if status := engine(t, "wait", ends); status != "7" {
		t.Errorf("status %s, want the program's 7", status)
	}
	logs := engine(t, "logs", ends)
	if !strings.Contains(logs, "parent 1\n") || !strings.Contains(logs, "docker-init\x00--\x00sh") {
		t.Errorf("PID 1 is not docker-init:\n%s", logs)
	}
	if end := harness.LastReport(t, logs); end.Cause != "exit" || *end.Status != 7 {
		t.Errorf("reported cause %q and status %d", end.Cause, *end.Status)
	}

	stops := create("sh", "-c", `trap 'echo TERM; exit 8' TERM; echo trap set; while :; do sleep 0.1; done`)
	harness.WaitUntil(t, "the program to wait", func() bool { return strings.Contains(engine(t, "logs", stops), "trap set") })
	engine(t, "stop", stops)
	if status := engine(t, "wait", stops); status != "8" {
		t.Errorf("status %s after docker stop, want the program's 8", status)
	}
}

// startEngine starts a second dockerd with those flags, beside the one that runs and apart from it,
// for as long as the test. It returns a function that runs a docker command on it.
func startEngine(t *testing.T, flags ...string) func(t *testing.T, args ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "engine") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	host := "unix://" + filepath.Join(dir, "socket")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{
		"--host", host, "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "--containerd-namespace", "nodeinit-test",
		"--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs", "--log-level=warn",
	}
	dockerd := exec.Command("dockerd", append(args, flags...)...)
	dockerd.Stdout, dockerd.Stderr = log, log
	// In a network of its own: with --bridge=none it removes the first one's docker0.
	dockerd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := dockerd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = dockerd.Wait() // killed, or its log tells
	}()
	t.Cleanup(func() {
		stopEngine(t, host, dockerd, ended)
		if t.Failed() {
			t.Logf("dockerd:\n%s", harness.ReadFile(t, log.Name()))
		}
		log.Close()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	harness.WaitUntil(t, "the second engine", func() bool {
		select {
		case <-ended:
			t.Fatalf("dockerd ended:\n%s", harness.ReadFile(t, log.Name()))
		default:
		}
		_, err := harness.Run("docker", "--host", host, "version")
		return err == nil
	})
	return func(t *testing.T, args ...string) string {
		t.Helper()
		return docker(t, append([]string{"--host", host}, args...)...)
	}
}

// stopEngine removes the containers of an engine and stops it.
func stopEngine(t *testing.T, host string, dockerd *exec.Cmd, ended <-chan struct{}) {
	t.Helper()
	if out, err := harness.Run("docker", "--host", host, "ps", "--all", "--quiet"); err == nil {
		for _, id := range strings.Fields(out) {
			cleanUp(t, "docker", "--host", host, "rm", "--force", id)
		}
	}
	if err := dockerd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	<-ended
}
