package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// An asked is an application whose workers are asked whether they are healthy.
type asked struct {
	*cluster
	port int
	sick string // the directory that says which are not
}

func startAsked(t *testing.T, p harness.Primary, a app) *asked {
	t.Helper()
	k := &asked{port: harness.ReservePort(t), sick: t.TempDir()}
	a.file, a.flags = "health.js", a.flags+" --health-path /healthz"
	a.env = []string{fmt.Sprintf("PORT=%d", k.port), "SICK=" + k.sick}
	k.cluster = startCluster(t, p, a)
	return k
}

// becomes has the worker with a process ID, or "all", answer with another status, or stop.
func (k *asked) becomes(who any, status string) {
	k.t.Helper()
	harness.WriteFile(k.t, filepath.Join(k.sick, fmt.Sprint(who)), status, 0o644)
}

// recovers undoes becomes.
func (k *asked) recovers(who any) {
	k.t.Helper()
	if err := os.Remove(filepath.Join(k.sick, fmt.Sprint(who))); err != nil {
		k.t.Fatal(err)
	}
}

// expectPassedOver checks that a worker gets none of many connections.
func (k *asked) expectPassedOver(pid int) {
	k.t.Helper()
	for range 20 {
		answer, err := harness.Get("http://" + harness.Local(k.port))
		if err != nil {
			k.t.Fatal(err)
		}
		if harness.PIDIn(k.t, answer) == pid {
			k.t.Fatalf("%d, which is unhealthy, got a connection", pid)
		}
	}
}

// expectReplaced waits until a worker is replaced because of what the nth line says.
func (k *asked) expectReplaced(n, pid int, why string) {
	k.t.Helper()
	l := k.untilLogged(n, "recycling worker")
	if l.Facts["why"] != "health" || l.PID != pid || l.Facts["error"] != why {
		k.t.Errorf("logged %v, want the replacement of %d for %q", l.Facts, pid, why)
	}
	harness.WaitUntil(k.t, "the end of the unhealthy worker", func() bool {
		for _, l := range k.logged("worker ended") {
			if l.PID == pid {
				return true
			}
		}
		return false
	})
}

// A worker that is unhealthy gets no connections and is replaced, without the loss of a
// request; one that hangs too. (Node's keep-alive timers run out while it is stopped, so
// there are no such connections then.) If all are unhealthy none is, and health says so.
func TestReplacesUnhealthyWorkers(t *testing.T) {
	schema := statusSchema(t)
	harness.UnderEach(t, onNewest(nodeinits("rr", "reuseport")), func(t *testing.T, p harness.Primary) {
		k := startAsked(t, p, app{workers: 2})
		k.untilLogged(2, "worker ready")
		k.untilHealth(0, "healthy: 2 of 2 workers ready")
		kept, closed := harness.StartLoad(t, harness.Local(k.port), false), harness.StartLoad(t, harness.Local(k.port), true)
		pids := loggedPIDs(k.cluster, 2)
		k.becomes(pids[0], "500")
		if l := k.untilLogged(1, "worker unhealthy"); l.PID != pids[0] || l.Facts["error"] != "status 500" {
			t.Errorf("logged %v, want that %d is unhealthy", l.Facts, pids[0])
		}
		untilStatus(k.cluster, schema, "the failure", func(d statusDocument) bool {
			return d.Workers[0].PID == pids[0] && d.Workers[0].HealthError == "status 500" && d.Workers[0].HealthFailures > 0
		})
		k.expectPassedOver(pids[0])
		k.expectReplaced(1, pids[0], "status 500")
		kept.Stop()
		if p.Balance == "rr" { // else what is in its own queue waits for it
			k.becomes(pids[1], "stopped")
			k.expectReplaced(2, pids[1], "no answer within 5s")
		}
		closed.Stop()
		replaced := len(k.logged("recycling worker"))
		k.becomes("all", "503")
		k.untilLogged(1, "no worker is healthy")
		k.untilHealth(1, "unhealthy: 2 of 2 workers fail GET /healthz: status 503")
		if text := statusText(k.cluster); !strings.Contains(text, "\nunhealthy slot 0, ") || !strings.Contains(text, ": status 503\n") {
			t.Errorf("status says\n%s", text)
		}
		k.recovers("all")
		k.untilHealth(0, "healthy: 2 of 2 workers ready")
		if n := len(k.logged("recycling worker")); n != replaced {
			t.Errorf("%d workers were replaced while all were unhealthy", n-replaced)
		}
		k.stopWith(harness.Terminated)
		if report := lastLine(t, k.Output()); report.Facts["crashes"] != 0.0 {
			t.Errorf("exit report %v, want no crash", report.Facts)
		}
	})
}

// In fork mode nothing is replaced: health says what the program answers, also where it has
// no agent.
func TestHealthOfOneProcess(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		k := startAsked(t, p, inForkMode(app{workers: 1, flags: "--no-agent --health-interval 1s"}))
		k.untilHealth(0, "healthy: the program is ready")
		k.becomes("all", "404")
		k.untilHealth(1, "unhealthy: the program fails GET /healthz: status 404")
		k.recovers("all")
		k.untilHealth(0, "healthy: the program is ready")
		k.stopWith(harness.Terminated)
	})
}
