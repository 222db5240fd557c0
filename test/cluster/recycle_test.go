package cluster

import (
	"slices"
	"testing"

	"github.com/nodeinit/nodeinit/test/harness"
)

// expectRecycled waits for the replacement in slot, during whose start all others
// serve, and until the old worker has ended.
func (k *cluster) expectRecycled(workers []*worker, slot, port int) {
	k.t.Helper()
	replacement := k.nextIn(slot)
	expectServed(k.t, k.primary, workers, "tcp", harness.Local(port))
	replacement.listens(listenTo(port, "127.0.0.1"))
	workers[slot].rest()
	workers[slot] = replacement
}

// recycleReasons are the reasons for which workers were recycled.
func (k *cluster) recycleReasons() (list []any) {
	k.t.Helper()
	for _, l := range k.logged("recycling worker") {
		list = append(list, l.Facts["why"])
	}
	return list
}

// A worker that stays larger than it may is replaced, one after the other, and
// those that are small stay.
func TestRecyclesLargeWorkers(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr", "reuseport")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(3, "--max-memory 300M"))
		workers, port := k.all(3), harness.ReservePort(t)
		listenEach(workers, port)
		k.untilLogged(3, "worker ready")
		for _, slot := range []int{0, 2} {
			workers[slot].do("allocate", 400*harness.MiB, nil)
		}
		k.expectRecycled(workers, 0, port)
		k.expectRecycled(workers, 2, port)
		k.untilLogged(2, "worker ended")
		expectServed(t, p, workers, "tcp", harness.Local(port))
		k.expectStory("recycling worker", replaced(0, 'a', 'b'), replaced(2, 'a', 'b'))
		if got := k.recycleReasons(); !slices.Equal(got, []any{"max_memory", "max_memory"}) {
			t.Errorf("recycled because of %v", got)
		}
		k.expectNone()
		k.stopWith(harness.Terminated)
		if report := lastLine(t, k.Output()); report.Facts["crashes"] != 0.0 {
			t.Errorf("exit report %v, want no crash", report.Facts)
		}
	})
}

// A replacement that does not get ready leaves a large worker where it is.
func TestKeepsALargeWorkerIfThereIsNoBetter(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		disk, file := newScratch(t)
		k := startCluster(t, p, app{workers: 1, file: file, flags: "--max-memory 300M"})
		workers, port := k.all(1), harness.ReservePort(t)
		listenEach(workers, port)
		k.untilLogged(1, "worker ready")
		disk.becomes("process.exit(3);")
		workers[0].do("allocate", 400*harness.MiB, nil)
		if failed := k.untilLogged(1, "max_memory failed"); failed.Facts["reason"] != "exit" || failed.Facts["worker"] != 0.0 {
			t.Errorf("logged %v, want the reason exit of worker 0", failed.Facts)
		}
		expectServed(t, p, workers, "tcp", harness.Local(port))
		k.stopWith(harness.Terminated)
	})
}

// Old workers are replaced, again and again and one after the other, though
// they come of age at the same time; the last one too.
func TestRecyclesOldWorkers(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits(allBalances...)), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(2, "--max-age 1s"))
		workers, port := k.all(2), harness.ReservePort(t)
		listenEach(workers, port)
		var chapters [][]string
		for range 4 {
			replacement := k.next()
			slot := replacement.Slot
			expectServed(t, p, workers, "tcp", harness.Local(port))
			replacement.listens(listenTo(port, "127.0.0.1"))
			workers[slot].rest()
			workers[slot] = replacement
		}
		k.untilLogged(4, "worker ended")
		var gone [2]byte
		for _, l := range k.logged("recycling worker")[:4] {
			slot := int(l.Facts["worker"].(float64))
			chapters = append(chapters, replaced(slot, 'a'+gone[slot], 'b'+gone[slot]))
			gone[slot]++
			if l.Facts["why"] != "max_age" {
				t.Errorf("logged %v, want max_age", l.Facts)
			}
		}
		want := slices.Concat(chapters...)
		// On a slow machine the first of them is old before the other has come up.
		late := []string{"0a listening", "0a ready", "1a listening", "1a ready"}
		got := slices.DeleteFunc(k.story("recycling worker"), func(what string) bool { return slices.Contains(late, what) })
		if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
			t.Errorf("the log tells\n%q, want\n%q", got, want)
		}
		k.stopWith(harness.Terminated)
	})
}
