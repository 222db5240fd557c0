package cluster

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/test/harness"
)

// A stop ends a reload where it is, and all workers with it.
func TestStopsInTheMiddleOfAReload(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr", "shared")), func(t *testing.T, p harness.Primary) {
		a := twoPuppets()
		a.flags = onHUP
		k, workers, replacement, _ := halfReloaded(t, p, a)
		k.stop()
		replacement.rest() // having nothing that keeps it, it may end before it hears of the signal
		for _, w := range workers {
			if got := w.rest(); !slices.Equal(got, []string{"SIGTERM"}) {
				t.Errorf("worker %d reports %q, want SIGTERM", w.Slot, got)
			}
		}
		k.expectNone()
		if n := len(k.logged("reload done")) + len(k.logged("reload failed")); n > 0 {
			t.Errorf("the log tells of the end of the reload:\n%s", k.Output())
		}
	})
}

// A stop that comes while an old worker finishes what it has lets it do so.
func TestStopsWhileAnOldWorkerDrains(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr", "shared")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(1, onHUP))
		old, port := k.next(), harness.ReservePort(t)
		old.listens(listenTo(port, "127.0.0.1"))
		k.untilLogged(1, "worker ready")
		conn, _, err := greeted("tcp", harness.Local(port), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		k.Signal(unix.SIGHUP)
		replacement := k.next()
		replacement.listens(listenTo(port, "127.0.0.1"))
		k.untilLogged(1, "worker leaving")
		k.Signal(unix.SIGTERM)
		replacement.rest()
		if err := echoes(conn); err != nil {
			t.Error(err)
		}
		conn.Close()
		k.WaitCode(harness.Terminated)
		k.expectStory("stopping", []string{"0b draining", "0b ended", "0a ended"})
	})
}

// A worker that cannot finish what it has is ended with the grace, and the
// reload goes on.
func TestReloadsWorkersThatIgnoreTheDrain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handles []string
		status  float64
		cause   string
		events  []string
	}{
		"at the last call": {nil, float64(harness.Terminated), "signal", nil},
		"by SIGKILL":       {[]string{"SIGTERM"}, 137, "grace_exceeded", []string{"SIGTERM"}},
	} {
		t.Run(name, func(t *testing.T) {
			harness.UnderEach(t, onNewest(nodeinits(allBalances...)), func(t *testing.T, p harness.Primary) {
				k := startCluster(t, p, servants(2, onHUP+" --grace 8s --stop-order drain"))
				workers, port := k.all(2), harness.ReservePort(t)
				for _, w := range workers {
					w.do("handle", c.handles, nil)
					w.do("serve", object{"port": port, "host": "127.0.0.1"}, nil)
				}
				k.untilLogged(2, "worker ready")
				slot, held := hold(t, port)
				k.Signal(unix.SIGHUP)
				for i, old := range workers {
					workers[i] = k.nextIn(i)
					workers[i].do("serve", object{"port": port, "host": "127.0.0.1"}, nil)
					if got := old.rest(); i == slot && !slices.Equal(got, c.events) {
						t.Errorf("the worker that is held up reports %q, want %q", got, c.events)
					}
				}
				k.untilLogged(1, "reload done")
				end := k.logged("worker ended")[slot]
				if end.Facts["worker"] != float64(slot) || end.Facts["status"] != c.status || end.Facts["cause"] != c.cause {
					t.Errorf("logged %v, want status %v and cause %s", end.Facts, c.status, c.cause)
				}
				held.Close()
				k.Signal(unix.SIGTERM)
				k.Wait()
				if report := lastLine(t, k.Output()); report.Facts["crashes"] != 0.0 {
					t.Errorf("exit report %v, want no crash", report.Facts)
				}
			})
		})
	}
}
