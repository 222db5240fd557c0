package docker

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// docker stop lets the program finish what is under way and end with a status of its own.
func TestStopFinishesRequestUnderWay(t *testing.T) {
	t.Parallel()
	// On the host's network: Docker takes a container's own away at its end with what is on its way.
	app := runMounted(t, nodeImage, "--network", "host", "--env", "PORT=0", "--env", "EXIT_CODE=5", "--", "node", "server.js")
	url := "http://127.0.0.1:" + strings.TrimPrefix(app.waitFor("port "), "port ") + "/slow"
	answer := make(chan string, 1)
	go func() { answer <- slowRequest(url) }()
	app.waitFor("slow request")

	if status := app.stop(); status != 5 {
		t.Errorf("status %d after docker stop, want the program's own 5", status)
	}
	if got := <-answer; got != "200 OK: finished\n" {
		t.Errorf("the request under way got %q", got)
	}
	end := app.checkEnd("exit", 5)
	if !*end.Requested {
		t.Error("a stop that was not requested")
	}
}

func slowRequest(url string) string {
	client := http.Client{Timeout: testproc.HangLimit}
	response, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return response.Status + ": " + string(body)
}

// Every signal that docker kill sends reaches the program, once, and ends nothing by itself.
func TestKillForwardsSignals(t *testing.T) {
	t.Parallel()
	app := runMounted(t, nodeImage, "--", "bash", "signals.bash")
	app.waitFor("up")
	sent := []string{"HUP", "USR1", "USR2", "TSTP", "CONT", "WINCH", "ALRM", "RTMIN+1", "RTMIN+6", "RTMAX"}
	for _, signal := range sent {
		docker(t, "kill", "--signal", signal, app.name)
		app.waitFor("got " + signal)
	}
	stdout, _ := app.output()
	for _, signal := range sent {
		if n := strings.Count(stdout, "got "+signal+"\n"); n != 1 {
			t.Errorf("%s arrived %d times", signal, n)
		}
	}
	docker(t, "kill", "--signal", "TERM", app.name)
	app.checkEnd("exit", 9)
}

// docker kill without a signal is SIGKILL for PID 1, which cannot report that.
func TestKill(t *testing.T) {
	t.Parallel()
	app := runMounted(t, nodeImage, "--", "node", "server.js")
	app.waitFor("listening")
	docker(t, "kill", app.name)
	if status := app.wait(); status != 137 {
		t.Errorf("status %d, want 137", status)
	}
}

// zombies lists the zombies that the container's /proc shows.
func (c *container) zombies() (list []string) {
	c.t.Helper()
	for line := range strings.Lines(c.exec("sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null || true")) {
		// PID (command) state ...; the command may hold anything.
		if _, rest, ok := strings.Cut(line[max(strings.LastIndexByte(line, ')'), 0):], ") "); ok && strings.HasPrefix(rest, "Z") {
			list = append(list, line)
		}
	}
	return list
}

// Orphans come to PID 1, which reaps them while they live and asks the rest to stop at the end.
func TestOrphansAreReaped(t *testing.T) {
	t.Parallel()
	app := runMounted(t, nodeImage, "--", "-v", "node", "orphans.js", "100")
	up := app.waitFor("came to")
	if !strings.HasSuffix(up, " came to 1") {
		t.Errorf("an orphan is not PID 1's child: %s", up)
	}
	harness.WaitUntil(t, "no zombies", func() bool { return len(app.zombies()) == 0 })
	harness.WaitUntil(t, "100 orphans to be reaped", func() bool { return len(app.logged("orphan reaped")) == 100 })

	if status := app.stop(); status != 0 {
		t.Errorf("status %d after docker stop, want the program's 0", status)
	}
	app.checkEnd("exit", 0)
	left := strings.Fields(up)[1]
	var ended bool
	for _, l := range app.logged("orphan reaped") {
		ended = ended || left == strconv.Itoa(l.PID) && l.Status != nil && *l.Status == 143
	}
	if !ended {
		t.Errorf("what was left, process %s, did not get SIGTERM", left)
	}
}
