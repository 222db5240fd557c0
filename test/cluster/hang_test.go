package cluster

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/test/harness"
)

// onHang are the flags of those whose event loop must turn: the limit is longer
// than any wait for a CPU.
const onHang = "--hang-timeout 6s"

const (
	aborted = 128 + int(unix.SIGABRT)
	killed  = 128 + int(unix.SIGKILL)
)

// hangs has a worker hang, and returns what the log says of it then. The first
// figures of its event loop have come before: only a worker that reports can
// fall silent.
func (k *cluster) hangs(w *worker, msg string) harness.LogLine {
	k.t.Helper()
	w.do("beaten", nil, nil)
	if err := w.try("spin", nil, nil); err != nil {
		k.t.Fatal(err)
	}
	w.expect("spinning")
	return k.untilLogged(1, msg)
}

// checkFigures checks that a line has the last figures of an event loop.
func checkFigures(t *testing.T, l harness.LogLine) {
	t.Helper()
	number := func(key string) float64 {
		n, ok := l.Facts[key].(float64)
		if !ok {
			t.Errorf("%s is %v in %v", key, l.Facts[key], l.Facts)
		}
		return n
	}
	if silent := number("silent_ms"); silent < 6000 {
		t.Errorf("silent for %v ms only", silent)
	}
	if heap, busy := number("heap_bytes"), number("utilisation"); heap < harness.MiB || busy < 0 || busy > 1 {
		t.Errorf("a heap of %v bytes and an utilisation of %v", heap, busy)
	}
	number("delay_p50_ms")
	number("delay_p99_ms")
}

// A worker that hangs is named, aborted, and has crashed. One that is idle or
// that has a lot to do is not meant.
func TestAbortsAWorkerThatHangs(t *testing.T) {
	harness.UnderEach(t, nodeinits("rr"), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(3, onHang+" --ready none"))
		workers := k.all(3)
		workers[1].do("toil", nil, nil)
		l := k.hangs(workers[2], "worker hangs")
		if l.Facts["worker"] != 2.0 || l.Level != "warn" {
			t.Errorf("logged %v, want a warning about worker 2", l.Facts)
		}
		checkFigures(t, l)
		k.WaitCode(aborted)
		report := lastLine(t, k.Output())
		if report.Facts["cause"] != "hang" || report.Facts["worker"] != 2.0 || report.Facts["crashes"] != 1.0 {
			t.Errorf("exit report %v, want the hang of worker 2", report.Facts)
		}
		if n := len(k.logged("worker hangs")); n != 1 {
			t.Errorf("%d workers hang by the log, want 1", n)
		}
	})
}

// With --max-crashes it is replaced. The others serve what arrives meanwhile.
// One at a time listens: to stop one for the other to serve, as expectServed does
// with two, is to have it hang too where the machine is slow.
func TestReplacesAWorkerThatHangs(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr", "shared")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(2, onHang+" --max-crashes 1"))
		workers, port := k.all(2), harness.ReservePort(t)
		listenEach(workers, port)
		k.untilLogged(2, "worker ready")
		k.hangs(workers[0], "worker hangs")
		workers[0].rest()
		workers[0] = k.nextIn(0)
		expectServed(t, p, workers[1:], "tcp", harness.Local(port))
		workers[0].listens(listenTo(port, "127.0.0.1"))
		k.untilLogged(3, "worker ready")
		workers[1].do("close", nil, nil)
		expectServed(t, p, workers[:1], "tcp", harness.Local(port))
		k.expectStory("worker hangs", []string{"0a hangs", "0a ended", "0b started", "0b listening", "0b ready"})
		k.stopWith(harness.Terminated)
		if report := lastLine(t, k.Output()); report.Facts["crashes"] != 1.0 {
			t.Errorf("exit report %v, want 1 crash", report.Facts)
		}
	})
}

// A stopped worker does not hang. The one that does, later, shows that the time for
// the other was over.
func TestLeavesAStoppedWorkerAlone(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(2, onHang+" --ready none --max-crashes 1"))
		workers := k.all(2)
		workers[0].do("beaten", nil, nil)
		if err := unix.Kill(workers[0].PID, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if l := k.hangs(workers[1], "worker hangs"); l.Facts["worker"] != 1.0 {
			t.Errorf("logged %v, want the hang of worker 1", l.Facts)
		}
		workers[1].rest()
		workers[1] = k.nextIn(1)
		if err := unix.Kill(workers[0].PID, unix.SIGCONT); err != nil {
			t.Fatal(err)
		}
		workers[0].do("beaten", nil, nil)
		k.stopWith(harness.Terminated)
		if n := len(k.logged("worker hangs")); n != 1 {
			t.Errorf("%d workers hang by the log, want 1", n)
		}
	})
}

// A worker that does not die of SIGABRT is killed. Node takes that for a
// request, which it answers when its loop turns.
func TestKillsAWorkerThatHangs(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		a := servants(2, onHang+" --ready none")
		a.node = []string{"--report-on-signal", "--report-signal=SIGABRT", "--report-directory=" + t.TempDir()}
		k := startCluster(t, p, a)
		workers := k.all(2)
		workers[0].do("beaten", nil, nil)
		workers[0].block()
		k.untilLogged(1, "worker hangs")
		k.WaitCode(killed)
		k.expectStory("worker hangs", []string{"0a hangs", "0a ended", "1a draining", "1a ended"})
		if report := lastLine(t, k.Output()); report.Facts["cause"] != "hang" || report.Facts["worker"] != 0.0 {
			t.Errorf("exit report %v, want the hang of worker 0", report.Facts)
		}
	})
}

// Node may answer SIGABRT with a report, which it writes once its loop turns
// again, and has some time for that.
func TestLetsAHangingWorkerReport(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		dir := t.TempDir()
		a := servants(1, onHang+" --ready none")
		a.node = []string{"--report-on-signal", "--report-signal=SIGABRT", "--report-directory=" + dir}
		k := startCluster(t, p, a)
		w := k.next()
		w.do("beaten", nil, nil)
		release := w.block()
		k.untilLogged(1, "worker hangs")
		release()
		harness.WaitUntil(t, "Node's report", func() bool {
			reports, err := filepath.Glob(filepath.Join(dir, "report.*.json"))
			return err == nil && len(reports) == 1
		})
		k.WaitCode(killed)
	})
}

// One process that hangs ends its container as well.
func TestAbortsOneProcessThatHangs(t *testing.T) {
	harness.UnderEach(t, nodeinits("rr"), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, inForkMode(servants(1, onHang)))
		checkFigures(t, k.hangs(k.next(), "the program hangs"))
		k.WaitCode(aborted)
		if report := lastLine(t, k.Output()); report.Facts["cause"] != "hang" || report.Facts["requested"] != false {
			t.Errorf("exit report %v, want an unasked hang", report.Facts)
		}
	})
}
