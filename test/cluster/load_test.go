package cluster

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/test/harness"
)

// startLoaded starts a server without shutdown code under both kinds of load.
func startLoaded(t *testing.T, p harness.Primary, flags string) (k *cluster, loads []*harness.Load) {
	t.Helper()
	port := harness.ReservePort(t)
	k = startCluster(t, p, app{workers: 2, flags: flags, file: "../../../testdata/heap/server.js", env: []string{fmt.Sprintf("PORT=%d", port)}})
	k.untilLogged(2, "worker ready")
	for _, close := range []bool{false, true} {
		loads = append(loads, harness.StartLoad(t, harness.Local(port), close))
	}
	return k, loads
}

// Reloads drop nothing, of an application that has never heard of them.
func TestReloadsUnderLoad(t *testing.T) {
	list := append(onEdges(nodeinits("rr")), onNewest(nodeinits("shared", "reuseport", "ip-hash"))...)
	harness.UnderEach(t, list, func(t *testing.T, p harness.Primary) {
		k, loads := startLoaded(t, p, onHUP)
		for n := range 2 {
			k.Signal(unix.SIGHUP)
			k.untilLogged(n+1, "reload done")
		}
		for _, l := range loads {
			l.Stop()
		}
		k.stopWith(harness.Terminated)
		if report := lastLine(t, k.Output()); report.Facts["starts"] != 6.0 || report.Facts["crashes"] != 0.0 {
			t.Errorf("exit report %v, want 6 starts and no crash", report.Facts)
		}
	})
}

// Neither do recycles.
func TestRecyclesUnderLoad(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits(allBalances...)), func(t *testing.T, p harness.Primary) {
		k, loads := startLoaded(t, p, "--max-age 2s")
		k.untilLogged(4, "worker ended")
		for _, l := range loads {
			l.Stop()
		}
		k.stopWith(harness.Terminated)
		if report := lastLine(t, k.Output()); report.Facts["crashes"] != 0.0 {
			t.Errorf("exit report %v, want no crash", report.Facts)
		}
		for _, l := range k.logged("recycling worker") {
			if l.Facts["why"] != "max_age" {
				t.Errorf("logged %v", l.Facts)
			}
		}
	})
}
