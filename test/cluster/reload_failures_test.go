package cluster

import (
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// A mishap is what may become of a reload.
type mishap struct {
	flags, reason string
	says          []string                  // by the log, before the reload has failed
	damage, mend  func(disk scratch)        // of what is to be started
	replacement   func(w *worker, port int) // what it does instead of getting ready
}

// The first workers have to come up in the time that a replacement is given.
func mishaps() map[string]mishap {
	nothing := func(scratch) {}
	silent := func(*worker, int) {}
	return map[string]mishap{
		"exits": {
			"", "exit", []string{"0b started", "0b ended"},
			func(disk scratch) { disk.becomes("process.exit(3);") }, func(disk scratch) { disk.becomes("") }, nil,
		},
		"is not there": {"", "not_started", nil, scratch.removeNode, scratch.linkNode, nil},
		"never listens": {
			"--ready listen --ready-timeout 20s", "not_ready", []string{"0b started", "0b ended"}, nothing, nothing, silent,
		},
		"listens no more": {"--ready-timeout 20s", "not_ready", []string{"0b started", "0b ended"}, nothing, nothing, silent},
		"never says so": {
			"--ready message --ready-timeout 20s", "not_ready", []string{"0b started", "0b listening", "0b ended"}, nothing, nothing,
			func(w *worker, port int) { w.listens(listenTo(port, "127.0.0.1")) },
		},
	}
}

// A replacement that does not get ready leaves all as it was. A later reload
// works, once the application is mended.
func TestKeepsTheOldWorkersIfAReloadFails(t *testing.T) {
	t.Parallel()
	for name, c := range mishaps() {
		t.Run(name, func(t *testing.T) {
			harness.UnderEach(t, onNewest(nodeinits("rr", "ip-hash")), func(t *testing.T, p harness.Primary) {
				disk, file := newScratch(t)
				disk.node = filepath.Join(t.TempDir(), "node")
				disk.linkNode()
				k := startCluster(t, p, app{workers: 2, file: file, flags: onHUP + " " + c.flags, change: func(c *testproc.Command) {
					c.Argv[slices.Index(c.Argv, "--")+1] = disk.node
				}})
				port := harness.ReservePort(t)
				up := func(w *worker) {
					w.listens(listenTo(port, "127.0.0.1"))
					w.do("say", "ready", nil)
				}
				workers := k.all(2)
				for _, w := range workers {
					up(w)
				}
				k.untilLogged(2, "worker ready")

				c.damage(disk)
				k.Signal(unix.SIGHUP)
				if c.replacement != nil {
					w := k.nextIn(0)
					c.replacement(w, port)
					w.rest()
				}
				failed := k.untilLogged(1, "reload failed")
				if failed.Facts["reason"] != c.reason || failed.Facts["worker"] != 0.0 || failed.Facts["workers"] != 0.0 {
					t.Errorf("logged %v, want the reason %s of worker 0 and 0 workers", failed.Facts, c.reason)
				}
				expectServed(t, p, workers, "tcp", harness.Local(port))
				k.expectStory("reloading", c.says)

				c.mend(disk)
				k.Signal(unix.SIGHUP)
				for slot, old := range workers {
					workers[slot] = k.nextIn(slot)
					up(workers[slot])
					old.rest()
				}
				k.untilLogged(1, "reload done")
				expectServed(t, p, workers, "tcp", harness.Local(port))
				k.stopWith(harness.Terminated)
			})
		})
	}
}

// halfReloaded begins a reload, up to its first replacement.
func halfReloaded(t *testing.T, p harness.Primary, a app) (k *cluster, workers []*worker, replacement *worker, port int) {
	t.Helper()
	k, port = startCluster(t, p, a), harness.ReservePort(t)
	workers = k.all(2)
	listenEach(workers, port)
	k.untilLogged(2, "worker ready")
	k.Signal(unix.SIGHUP)
	return k, workers, k.nextIn(0), port
}

// The crash of a worker that serves ends the container with its status, in the
// middle of a reload as well. That of a replacement does not.
func TestEndsOnACrashDuringAReload(t *testing.T) {
	t.Parallel()
	for name, slot := range map[string]int{"the old one": 0, "another one": 1} {
		t.Run(name, func(t *testing.T) {
			harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
				k, workers, replacement, _ := halfReloaded(t, p, servants(2, onHUP))
				workers[slot].do("exit", 3, nil)
				k.WaitCode(3)
				replacement.rest()
				if report := lastLine(t, k.Output()); report.Facts["worker"] != float64(slot) || report.Facts["crashes"] != 1.0 {
					t.Errorf("exit report %v, want one crash, of worker %d", report.Facts, slot)
				}
			})
		})
	}
}

func TestSurvivesTheCrashOfAReplacement(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		k, workers, replacement, port := halfReloaded(t, p, servants(2, onHUP))
		replacement.kill()
		if failed := k.untilLogged(1, "reload failed"); failed.Facts["reason"] != "signal" {
			t.Errorf("logged %v, want the reason signal", failed.Facts)
		}
		expectServed(t, p, workers, "tcp", harness.Local(port))
		k.Signal(unix.SIGHUP)
		k.replaceAll(workers, port)
		k.untilLogged(1, "reload done")
		k.stopWith(harness.Terminated)
	})
}

// With --max-crashes the replacement takes the place of an old one that crashes,
// and a worker that replaces a crashed one is not replaced again.
func TestReplacesWorkersThatCrashDuringAReload(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		slot  int
		story [][]string
	}{
		"the old one": {0, [][]string{{"0b started", "0a ended", "0b listening", "0b ready"}, replaced(1, 'a', 'b')}},
		"another one": {1, [][]string{{"0b started", "1a ended", "1b started", "1b listening", "1b ready"}, replaced(0, 'a', 'b')[1:]}},
	} {
		t.Run(name, func(t *testing.T) {
			harness.UnderEach(t, onNewest(nodeinits(allBalances...)), func(t *testing.T, p harness.Primary) {
				k, workers, replacement, port := halfReloaded(t, p, servants(2, onHUP+" --max-crashes 1"))
				workers[c.slot].do("exit", 3, nil)
				workers[c.slot].rest()
				k.untilLogged(1, "replacing worker")
				if c.slot == 1 {
					workers[1] = k.nextIn(1)
					workers[1].listens(listenTo(port, "127.0.0.1"))
					k.untilLogged(3, "worker ready")
					replacement.listens(listenTo(port, "127.0.0.1"))
					workers[0].rest()
				} else {
					replacement.listens(listenTo(port, "127.0.0.1"))
					old := workers[1]
					workers[1] = k.nextIn(1)
					workers[1].listens(listenTo(port, "127.0.0.1"))
					old.rest()
				}
				workers[0] = replacement
				k.untilLogged(1, "reload done")
				expectServed(t, p, workers, "tcp", harness.Local(port))
				k.expectStory("reloading", c.story...)
				k.expectNone()
				k.stopWith(harness.Terminated)
			})
		})
	}
}
