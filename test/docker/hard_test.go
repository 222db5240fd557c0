package docker

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// hardened are the flags of docker run that take away all that can be taken.
var hardened = []string{"--read-only", "--user", "65534", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"}

// An image with nothing in it but nodeinit and a static program.
func TestScratchImage(t *testing.T) {
	t.Parallel()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	image := buildImage(t, "scratch", map[string]string{"busybox": harness.ReadFile(t, busybox)}, `ENTRYPOINT ["/nodeinit", "--"]`)

	app := runContainer(t, image, append(hardened, "--", "/busybox", "sh", "-c", "echo pid $$ parent $PPID; exit 7")...)
	app.checkEnd("exit", 7)
	app.checkQuiet()
	if stdout, _ := app.output(); !strings.Contains(stdout, " parent 1\n") || strings.Contains(stdout, "pid 1 ") {
		t.Errorf("nodeinit is not PID 1 and the program its child:\n%s", stdout)
	}

	asleep := runContainer(t, image, append(hardened, "--", "/busybox", "sleep", "1000000")...)
	asleep.waitFor("program started")
	asleep.stop()
	asleep.checkEnd("signal", 143)

	missing := runContainer(t, image, "--", "node")
	if status := missing.wait(); status != 127 {
		t.Errorf("status %d for a program that is not there, want 127", status)
	}
}

// A Node server with nothing to hold on to runs, serves and stops, and nodeinit has nothing to
// complain of. Docker's default seccomp profile is on.
func TestHardenedNodeServer(t *testing.T) {
	t.Parallel()
	if options := docker(t, "info", "--format", "{{.SecurityOptions}}"); !strings.Contains(options, "seccomp,profile=default") {
		t.Fatalf("the engine has no default seccomp profile: %s", options)
	}
	tests := []struct {
		name  string
		flags []string
	}{
		{"nobody", hardened},
		{"user without an entry in passwd", []string{"--user", "1234567:0", "--read-only", "--cap-drop", "ALL"}},
		{"few processes", append([]string{"--pids-limit", "30", "--memory", "128m", "--cpus", "0.5"}, hardened...)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			app := runMounted(t, nodeImage, append(test.flags, "--publish", "127.0.0.1::3000", "--env", "EXIT_CODE=42", "--", "node", "server.js")...)
			app.waitFor("listening")
			if body, err := harness.Get(app.url("3000")); err != nil || body != "pid "+app.programPID()+"\n" {
				t.Errorf("answered %q (%v)", body, err)
			}
			if status := app.stop(); status != 42 {
				t.Errorf("status %d after docker stop, want the program's own 42", status)
			}
			if end := app.checkEnd("exit", 42); !*end.Requested || end.Level != "info" {
				t.Errorf("a requested stop was reported as requested %v at level %s", *end.Requested, end.Level)
			}
			app.checkQuiet()
		})
	}
}

// On a root without libc and loader a script that names no interpreter runs in its shell.
func TestAlpineLikeRoot(t *testing.T) {
	t.Parallel()
	image := buildImage(t, "nodeinit-test/busybox", map[string]string{
		"script": "#!\necho ran\nexit 5\n", // executable, but the kernel does not know what to do with it
	}, `ENTRYPOINT ["/nodeinit", "--"]`)
	app := runContainer(t, image, append(hardened, "--", "/script")...)
	app.checkEnd("exit", 5)
	if stdout, _ := app.output(); !strings.Contains(stdout, "ran\n") {
		t.Errorf("the script did not run:\n%s", stdout)
	}
}
