package docker

import (
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// parentIn returns the parent of a process, as the container's /proc has it.
func (c *container) parentIn(pid string) string {
	c.t.Helper()
	stat := c.exec("cat", "/proc/"+pid+"/stat")
	fields := strings.Fields(stat[max(strings.LastIndexByte(stat, ')'), 0):]) // ) state parent
	if len(fields) < 3 {
		c.t.Fatalf("/proc/%s/stat: %q", pid, stat)
	}
	return fields[2]
}

// alive reports whether the container's /proc has the process, zombie or not.
func (c *container) alive(pid string) bool {
	c.t.Helper()
	return strings.HasPrefix(c.exec("sh", "-c", "test -d /proc/"+pid+" && echo yes || echo no"), "yes")
}

// A pod that shares its PID namespace: one container pauses as PID 1, and another runs its program
// under a nodeinit that is not PID 1. Each looks after its own.
func TestPauseInSharedPIDNamespace(t *testing.T) {
	t.Parallel()
	pod := runMounted(t, nodeImage, "--", "pause", "--verbose")
	pod.waitFor("pausing")
	app := runMounted(t, nodeImage, "--pid", "container:"+pod.name, "--", "-v", "node", "orphans.js", "10")
	up := strings.Fields(app.waitFor("came to")) // orphan PID came to PID
	orphan, parent := up[1], up[4]

	// The program's orphans come to its own nodeinit, which is not PID 1 and does not mind.
	if parent == "1" || parent != app.parentIn(app.programPID()) {
		t.Errorf("the program's orphan came to %s, the program's parent is %s", parent, app.parentIn(app.programPID()))
	}
	harness.WaitUntil(t, "the orphans that ended to be reaped", func() bool { return len(app.logged("orphan reaped")) == 10 })
	if reaped := pod.logged("orphan reaped"); len(reaped) != 0 {
		t.Errorf("%d of the program's orphans came to the other container", len(reaped))
	}

	// Not the program's: PID 1 has it, and it outlives the program.
	bystander := pod.exec("sh", "-c", "sleep 1000000 >/dev/null 2>&1 & echo $!")
	if got := pod.parentIn(bystander); got != "1" {
		t.Errorf("the orphan of docker exec came to %s, want 1", got)
	}
	if status := app.stop(); status != 0 {
		t.Errorf("status %d after docker stop, want the program's 0", status)
	}
	app.checkEnd("exit", 0)
	app.checkQuiet()
	if pod.alive(orphan) || pod.alive(parent) {
		t.Error("the program's end left some of it behind")
	}
	if !pod.alive(bystander) {
		t.Error("the program's end took a stranger along")
	}

	pod.exec("sh", "-c", "kill -KILL "+bystander)
	harness.WaitUntil(t, "PID 1 to reap", func() bool { return len(pod.logged("orphan reaped")) == 1 && !pod.alive(bystander) })
	if status := pod.stop(); status != 0 {
		t.Errorf("status %d after docker stop of the pause container, want 0", status)
	}
	if ends := pod.logged("exit"); len(ends) != 1 || ends[0].Cause != "exit" || ends[0].Requested == nil || !*ends[0].Requested {
		t.Error("no report of a requested exit")
	}
	pod.checkQuiet()
}
