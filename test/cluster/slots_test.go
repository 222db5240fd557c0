package cluster

import (
	"fmt"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/test/harness"
)

// longReadyTimeout is for workers that become ready at some time.
const longReadyTimeout = " --ready-timeout 10m"

// A replacement is ready when it listens on all that the one before it has open:
// with the first of two ports, as an application's metrics, it is not.
func TestReloadsASecondPort(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits(allBalances...)), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(2, onHUP+longReadyTimeout))
		workers, metrics, service := k.all(2), harness.ReservePort(t), harness.ReservePort(t)
		listenEach(workers, metrics)
		listenEach(workers, service)
		k.untilLogged(4, "worker listening")
		k.Signal(unix.SIGHUP)
		for slot, old := range workers {
			replacement := k.nextIn(slot)
			replacement.listens(object{"name": "metrics", "args": []any{metrics, "127.0.0.1"}})
			k.untilLogged(5+2*slot, "worker listening")
			expectServed(t, p, workers, "tcp", harness.Local(service))
			if n := len(k.logged("worker ready")); n != 2+slot {
				t.Errorf("%d workers are ready, want %d: the replacement lacks a port", n, 2+slot)
			}
			replacement.listens(listenTo(service, "127.0.0.1"))
			k.untilLogged(3+slot, "worker ready")
			old.rest()
			workers[slot] = replacement
			expectServed(t, p, workers, "tcp", harness.Local(service))
		}
		k.untilLogged(1, "reload done")
		k.stopWith(harness.Terminated)
	})
}

// One that does not ask for all, as another version of the application, is put up
// with when its time is up, and the log has what is missing.
func TestReloadsToFewerPorts(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(1, onHUP+" --ready-timeout 45s"))
		workers, metrics, service := k.all(1), harness.ReservePort(t), harness.ReservePort(t)
		listenEach(workers, service)
		workers[0].listens(object{"name": "metrics", "args": []any{metrics, "127.0.0.1"}})
		workers[0].listens(object{"name": "any", "args": []any{0, "127.0.0.1"}})
		k.untilLogged(3, "worker listening")
		k.Signal(unix.SIGHUP)
		k.replaceAll(workers, service)
		logged := k.untilLogged(1, "worker listens on less than the one before it")
		if got := fmt.Sprint(logged.Facts["missing"]); got != "["+harness.Local(metrics)+"]" || logged.Level != "warn" {
			t.Errorf("missing %s, want %s alone", got, harness.Local(metrics))
		}
		k.untilLogged(1, "reload done")
		expectServed(t, p, workers, "tcp", harness.Local(service))
		k.stopWith(harness.Terminated)
	})
}

// What a crashed worker had stays open until one is there that has it again,
// though another one crashes in between, with the first port only.
func TestKeepsASecondPortThroughCrashes(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits(allBalances...)), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(1, "--max-crashes 9"+longReadyTimeout))
		workers, metrics, service := k.all(1), harness.ReservePort(t), harness.ReservePort(t)
		listenEach(workers, metrics)
		listenEach(workers, service)
		k.untilLogged(2, "worker listening")
		workers[0].do("exit", 3, nil)
		half := k.next()
		half.listens(listenTo(metrics, "127.0.0.1"))
		k.untilLogged(3, "worker listening")
		half.do("exit", 3, nil)
		workers[0] = k.next()
		conn, err := net.Dial("tcp", harness.Local(service))
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		listenEach(workers, metrics)
		listenEach(workers, service)
		k.untilLogged(2, "worker ready")
		expectServed(t, p, workers, "tcp", harness.Local(service))
		k.stopWith(harness.Terminated)
	})
}

// A program that comes up no more ends the container, though the delays keep its
// crashes below what --max-crashes allows in the window.
func TestEndsACrashLoop(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		disk, file := newScratch(t)
		k := startCluster(t, p, app{workers: 2, file: file, flags: "--max-crashes 6 --crash-window 1s" + longReadyTimeout})
		workers := k.all(2)
		listenEach(workers, harness.ReservePort(t))
		k.untilLogged(2, "worker ready")
		disk.becomes("process.exit(4);")
		workers[0].do("exit", 3, nil)
		k.WaitCode(4)
		if lines := k.logged("crash loop"); len(lines) != 1 || lines[0].Facts["worker"] != 0.0 {
			t.Errorf("logged %v, want a crash loop of worker 0", lines)
		}
	})
}

// A worker that has served and exits with 0 is replaced like one that crashed.
func TestReplacesWorkersThatExitWithZero(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(2, "--max-crashes 1"+longReadyTimeout))
		workers, port := k.all(2), harness.ReservePort(t)
		listenEach(workers, port)
		k.untilLogged(2, "worker ready")
		workers[1].do("exit", 0, nil)
		workers[1] = k.nextIn(1)
		workers[1].listens(listenTo(port, "127.0.0.1"))
		k.untilLogged(3, "worker ready")
		expectServed(t, p, workers, "tcp", harness.Local(port))
		workers[0].do("exit", 0, nil)
		k.WaitCode(0)
		if report := lastLine(t, k.Output()); report.Facts["crashes"] != 2.0 || report.Facts["starts"] != 3.0 {
			t.Errorf("exit report %v, want 2 crashes and 3 starts", report.Facts)
		}
	})
}

// A crash that is not answered is logged.
func TestLogsMissingWorkers(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(2, longReadyTimeout))
		workers, port := k.all(2), harness.ReservePort(t)
		listenEach(workers, port)
		k.untilLogged(2, "worker ready")
		workers[1].do("exit", 0, nil)
		logged := k.untilLogged(1, "worker exited by itself and is not replaced (--max-crashes)")
		if logged.Level != "warn" || logged.Facts["worker"] != 1.0 || logged.Facts["left"] != 1.0 || logged.Facts["workers"] != 2.0 {
			t.Errorf("logged %v, want worker 1, and 1 left of 2", logged)
		}
		expectServed(t, p, workers[:1], "tcp", harness.Local(port))
		k.stopWith(harness.Terminated)
	})
}

// A limit below what a new worker has is logged, and does not recycle for ever.
func TestKeepsNewWorkersAboveMaxMemory(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(1, "--max-memory 20M"+longReadyTimeout))
		workers, port := k.all(1), harness.ReservePort(t)
		listenEach(workers, port)
		k.replaceAll(workers, port)
		logged := k.untilLogged(1, "a new worker has more than --max-memory allows")
		if logged.Facts["max_memory_bytes"] != 20.0*harness.MiB || logged.Facts["rss_bytes"].(float64) <= 20*harness.MiB {
			t.Errorf("logged %v, want both numbers", logged.Facts)
		}
		if n := len(k.logged("recycling worker")); n != 1 {
			t.Errorf("recycled %d times", n)
		}
		expectServed(t, p, workers, "tcp", harness.Local(port))
		k.stopWith(harness.Terminated)
	})
}

// A replacement that a stop finds before it is ready decides no status, though
// it is the last to end.
func TestReplacementsDecideNoStatus(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		disk, file := newScratch(t)
		k := startCluster(t, p, app{workers: 1, file: file, flags: onHUP})
		k.next().listens(listenTo(harness.ReservePort(t), "127.0.0.1"))
		k.untilLogged(1, "worker ready")
		disk.becomes(fmt.Sprintf(`process.on("SIGTERM", () => setInterval(() => {
			try { process.kill(%d, 0); } catch { process.exit(9); }
		}, 10));`, int(k.logged("worker started")[0].Facts["pid"].(float64))))
		k.Signal(unix.SIGHUP)
		k.next()
		k.stopWith(harness.Terminated)
	})
}
