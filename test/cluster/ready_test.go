package cluster

import (
	"testing"
	"time"

	"github.com/nodeinit/nodeinit/test/harness"
)

// When a worker counts as ready.
func TestIsReady(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flags string
		story []string // of a worker that listens and then says so
	}{
		"with its first listen": {"", []string{"0a started", "0a listening", "0a ready", "0a listening"}},
		"if it listens":         {"--ready listen", []string{"0a started", "0a listening", "0a ready", "0a listening"}},
		"if it says so":         {"--ready message", []string{"0a started", "0a listening", "0a listening", "0a ready"}},
		"at once":               {"--ready none", []string{"0a started", "0a ready", "0a listening", "0a listening"}},
	} {
		t.Run(name, func(t *testing.T) {
			harness.UnderEach(t, nodeinits("rr"), func(t *testing.T, p harness.Primary) {
				k := startCluster(t, p, servants(1, c.flags))
				w := k.next()
				for n, name := range []string{"one", "two"} {
					w.listens(object{"name": name, "args": []any{0, "127.0.0.1"}})
					k.untilLogged(n+1, "worker listening")
				}
				w.do("say", "ready", nil)
				k.untilLogged(1, "worker ready")
				k.expectStory("starting", c.story)
				k.stopWith(harness.Terminated)
			})
		})
	}
}

// A worker that is not ready in time is killed, and has crashed: in the first
// start that is the end. The test asks nothing of a worker, which may be too
// slow to answer.
func TestKillsWorkersThatAreNotReady(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ flags, does string }{
		"does not listen": {"--ready listen", ""},
		"does not say so": {"--ready message", `require("net").createServer().listen(0, "127.0.0.1");`},
	} {
		t.Run(name, func(t *testing.T) {
			harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
				disk, file := newScratch(t)
				disk.becomes(c.does)
				k := startCluster(t, p, app{workers: 2, file: file, flags: c.flags + " --ready-timeout 3s --max-crashes 5"})
				k.WaitCode(killed)
				report := lastLine(t, k.Output())
				if report.Facts["cause"] != "not_ready" || report.Facts["starts"] != 2.0 || report.Facts["requested"] != false {
					t.Errorf("exit report %v, want not_ready after 2 starts", report.Facts)
				}
			})
		})
	}
}

// A worker that takes no connections at all is as good as ready in the end.
func TestIsReadyWithoutAServer(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(2, onHUP+" --ready-timeout 1s"))
		k.all(2)
		for n := range 2 {
			if l := k.untilLogged(n+1, "worker ready"); l.Facts["ready_ms"].(float64) < float64(time.Second.Milliseconds()) {
				t.Errorf("logged %v, want it after a second", l.Facts)
			}
		}
		if lines := k.logged("killing worker"); len(lines) > 0 {
			t.Errorf("logged %v", lines)
		}
		k.stopWith(harness.Terminated)
	})
}

// A server that crashes before it has come up ends the container at once, with
// its status, however many crashes are allowed. Once all have come up, they are.
func TestEndsIfItDoesNotComeUp(t *testing.T) {
	harness.UnderEach(t, nodeinits("rr"), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(2, "--max-crashes 9"))
		workers := k.all(2)
		workers[0].listens(listenTo(0, "127.0.0.1"))
		k.untilLogged(1, "worker ready")
		workers[1].do("exit", 7, nil)
		k.WaitCode(7)
		if report := lastLine(t, k.Output()); report.Facts["worker"] != 1.0 || report.Facts["starts"] != 2.0 {
			t.Errorf("exit report %v, want the crash of worker 1 of 2", report.Facts)
		}
		k.expectNone()
	})
}

func TestReplacesCrashesOnceItHasComeUp(t *testing.T) {
	harness.UnderEach(t, nodeinits("rr"), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(2, "--max-crashes 2 --crash-window 1h"))
		workers := k.all(2)
		listenEach(workers, 0)
		k.untilLogged(2, "worker ready")
		workers[1].do("exit", 7, nil)
		k.nextIn(1).do("exit", 8, nil) // though this one was never ready
		k.nextIn(1).do("exit", 9, nil)
		k.WaitCode(9)
	})
}

// One process tells that it is ready too.
func TestOneProcessIsReady(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string]string{"listens": "", "says so": "--ready message"} {
		t.Run(name, func(t *testing.T) {
			harness.UnderEach(t, nodeinits("rr"), func(t *testing.T, p harness.Primary) {
				k, port := startCluster(t, p, inForkMode(servants(1, flags))), harness.ReservePort(t)
				program := k.next()
				program.listens(listenTo(port, "127.0.0.1"))
				if l := k.untilLogged(1, "program listening"); l.Facts["address"] != harness.Local(port) {
					t.Errorf("logged %v, want %s", l.Facts, harness.Local(port))
				}
				if flags != "" {
					if lines := k.logged("program ready"); len(lines) > 0 {
						t.Errorf("logged %v before it said so", lines)
					}
					program.do("say", "ready", nil)
				}
				k.untilLogged(1, "program ready")
				k.stopWith(harness.Terminated)
			})
		})
	}
}
