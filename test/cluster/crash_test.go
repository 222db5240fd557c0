package cluster

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/test/harness"
)

// nodeinits are the primaries whose crash rules are our own.
func nodeinits(balances ...string) []harness.Primary {
	return slices.DeleteFunc(primaries(balances...), func(p harness.Primary) bool { return p.IsNode })
}

// onEdges leaves the oldest and the newest line: what is nodeinit's own does not depend on
// the line of Node, as long as a worker says the same to it.
func onEdges(list []harness.Primary) []harness.Primary {
	return slices.DeleteFunc(list, func(p harness.Primary) bool { return !slices.Contains(harness.EdgeLines(), p.Node) })
}

// kill ends a worker by SIGKILL, and waits until it is gone.
func (w *worker) kill() {
	w.t.Helper()
	if err := unix.Kill(w.PID, unix.SIGKILL); err != nil {
		w.t.Fatal(err)
	}
	w.rest()
}

// A worker that crashes ends the container with its status; the others are
// stopped as by SIGTERM.
func TestEndsOnACrash(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		crash  func(w *worker)
		status int
	}{
		"status 3":  {func(w *worker) { w.do("exit", 3, nil) }, 3},
		"exception": {func(w *worker) { w.do("throw", nil, nil) }, 1},
		"SIGKILL":   {(*worker).kill, 137},
		"SIGABRT":   {func(w *worker) { w.do("abort", nil, nil) }, 134},
	} {
		t.Run(name, func(t *testing.T) {
			harness.UnderEach(t, onNewest(nodeinits("rr", "shared")), func(t *testing.T, p harness.Primary) {
				a := twoPuppets()
				a.workers = 3
				k := startCluster(t, p, a)
				workers, port := k.all(3), harness.ReservePort(t)
				for _, w := range workers {
					w.listens(listenTo(port))
				}
				c.crash(workers[1])
				k.WaitCode(c.status)
				for _, slot := range []int{0, 2} {
					if got := workers[slot].rest(); !slices.Equal(got, []string{"SIGTERM"}) {
						t.Errorf("worker %d reports %q, want SIGTERM", slot, got)
					}
				}
				report := lastLine(t, k.Output())
				if report.Level != "error" || report.Facts["status"] != float64(c.status) || report.Facts["requested"] == true {
					t.Errorf("exit report %v", report.Facts)
				}
				refuses(t, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
			})
		})
	}
}

func lastLine(t *testing.T, output string) harness.LogLine {
	t.Helper()
	lines := harness.OwnLines(t, output)
	if len(lines) == 0 || lines[len(lines)-1].Msg != "exit" {
		t.Fatalf("the log does not end with an exit report:\n%s", output)
	}
	return lines[len(lines)-1]
}

// A worker that crashes before it has come up is a crash as well.
func TestEndsOnACrashAtTheStart(t *testing.T) {
	harness.UnderEach(t, onEdges(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		c := app{workers: 2, file: "absent.js"}.command(t, p)
		c.Start(t).WaitCode(1)
	})
}

// Up to --max-crashes, a crashed worker is replaced in its slot, and its peers
// stay; then the container ends with the status of the crash.
func TestReplacesCrashedWorkers(t *testing.T) {
	harness.UnderEach(t, onEdges(nodeinits(allBalances...)), func(t *testing.T, p harness.Primary) {
		a := twoPuppets()
		a.flags = "--max-crashes 2 --crash-window 1h --ready none"
		k := startCluster(t, p, a)
		workers, port := k.all(2), harness.ReservePort(t)
		for _, w := range workers {
			w.listens(listenTo(port))
		}
		first := workers[1]
		for range 2 {
			old := workers[1]
			old.do("exit", 3, nil)
			workers[1] = k.next()
			if w := workers[1]; w.Slot != 1 || w.PID == old.PID {
				t.Fatalf("process %d in slot %d replaces process %d in slot 1", w.PID, w.Slot, old.PID)
			}
			var seen map[string]any
			workers[1].do("identity", nil, &seen)
			if seen["slot"] != "1" || seen["instance"] != "1" || seen["connected"] != true {
				t.Errorf("the replacement sees %v", seen)
			}
			workers[1].listens(listenTo(port))
			expectServed(t, p, workers, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		}
		workers[1].do("exit", 5, nil)
		k.WaitCode(5)
		if got := workers[0].rest(); !slices.Contains(got, "SIGTERM") || first.Slot != 1 {
			t.Errorf("worker 0 reports %q, want SIGTERM", got)
		}
		if n := strings.Count(strings.Join(harness.Messages(harness.OwnLines(t, k.Output())), " "), "worker ended"); n != 4 {
			t.Errorf("%d workers ended by the log, want 4:\n%s", n, k.Output())
		}
	})
}

// Crashes that are far enough apart never end the container: Node takes longer
// to come up than this window is.
func TestForgetsOldCrashes(t *testing.T) {
	harness.UnderEach(t, onEdges(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, app{workers: 1, file: "puppet.js", flags: "--max-crashes 1 --crash-window 1ms --ready none"})
		for range 4 {
			k.next().do("exit", 3, nil)
		}
		k.next()
		k.stop()
	})
}

// What a crashed worker listened on is closed once its replacement does not
// listen there.
func TestClosesWhatReplacementsDoNotAskFor(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits(allBalances...)), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, app{workers: 1, file: "puppet.js", flags: "--max-crashes 9 --ready none"})
		w, files, last := k.next(), 0, ""
		for round := range 3 {
			w.listens(object{"name": "always", "args": []any{0, "127.0.0.1"}})
			path := harness.ShortDir(t) + "/socket"
			w.listens(object{"name": "this time", "args": []any{path}})
			if round == 0 {
				files = k.openFiles()
			} else {
				harness.WaitUntil(t, "the old socket to be closed", func() bool { _, err := os.Stat(last); return os.IsNotExist(err) })
			}
			if last = path; round < 2 {
				w.do("exit", 3, nil)
				w = k.next()
			}
		}
		k.untilFiles(files)
		k.stop()
	})
}

// A worker that ends with status 0 and never listened is done: it is
// not replaced, nor is the last one.
func TestDoesNotReplaceWorkersThatAreDone(t *testing.T) {
	harness.UnderEach(t, onEdges(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		a := twoPuppets()
		a.flags = "--max-crashes 9 --ready none"
		k := startCluster(t, p, a)
		workers, port := k.all(2), harness.ReservePort(t)
		workers[0].listens(listenTo(port))
		workers[1].do("exit", 0, nil)
		workers[1].rest()
		k.untilLogged(1, "worker ended")
		expectServed(t, p, workers[:1], "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		workers[0].do("exit", 0, nil)
		k.WaitCode(0)
		if report := lastLine(t, k.Output()); report.Level == "error" || report.Facts["crashes"] != 0.0 {
			t.Errorf("exit report %v", report.Facts)
		}
		select {
		case w := <-k.hellos:
			t.Errorf("worker %d was started again", w.Slot)
		default:
		}
	})
}

// An application that only closes its server at SIGTERM ends by itself once its
// last connection has, with 0, as it does where it is no worker. Under Node's
// own primary its channel would hold it up.
func TestEndsAnApplicationThatOnlyCloses(t *testing.T) {
	harness.UnderEach(t, onEdges(nodeinits("rr", "shared")), func(t *testing.T, p harness.Primary) {
		a := twoPuppets()
		a.args = []string{"--only-close"}
		k := startCluster(t, p, a)
		workers, port := k.all(2), harness.ReservePort(t)
		workers[0].listens(listenTo(port)) // the other has nothing that keeps it
		conn, _, err := greeted("tcp", fmt.Sprintf("127.0.0.1:%d", port), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		k.Signal(unix.SIGTERM)
		workers[0].expect("SIGTERM")
		workers[1].rest()
		if err := echoes(conn); err != nil {
			t.Error(err)
		}
		conn.Close()
		k.WaitCode(0)
		if report := lastLine(t, k.Output()); report.Facts["cause"] != "exit" {
			t.Errorf("exit report %v", report.Facts)
		}
	})
}
