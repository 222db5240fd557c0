package cluster

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/test/harness"
)

// A reload replaces each worker once, in its slot. The old one serves until the
// new one listens, and no worker sees the signal.
func TestReloads(t *testing.T) {
	harness.UnderEach(t, nodeinits(allBalances...), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(2, onHUP))
		workers, port := k.all(2), harness.ReservePort(t)
		for _, w := range workers {
			w.do("handle", []string{"SIGHUP"}, nil)
			w.listens(listenTo(port, "127.0.0.1"))
		}
		k.untilLogged(2, "worker ready")
		k.Signal(unix.SIGHUP)
		for slot, old := range workers {
			replacement := k.nextIn(slot)
			if replacement.PID == old.PID {
				t.Errorf("process %d replaces itself", old.PID)
			}
			var seen map[string]any
			replacement.do("identity", nil, &seen)
			if want := fmt.Sprint(slot); seen["slot"] != want || seen["instance"] != want || seen["slots"] != "2" {
				t.Errorf("the new worker of slot %d sees %v", slot, seen)
			}
			expectServed(t, p, workers, "tcp", harness.Local(port))
			replacement.listens(listenTo(port, "127.0.0.1"))
			if got := slices.DeleteFunc(old.rest(), isBlock); len(got) > 0 {
				t.Errorf("worker %d reports %q", slot, got)
			}
			workers[slot] = replacement
		}
		k.untilLogged(1, "reload done")
		expectServed(t, p, workers, "tcp", harness.Local(port))
		k.expectStory("reloading", replaced(0, 'a', 'b'), replaced(1, 'a', 'b'))
		if done := k.logged("reload done")[0]; done.Facts["workers"] != 2.0 {
			t.Errorf("logged %v, want 2 workers", done.Facts)
		}
		k.stopWith(harness.Terminated)
		if report := lastLine(t, k.Output()); report.Facts["starts"] != 4.0 || report.Facts["crashes"] != 0.0 {
			t.Errorf("exit report %v, want 4 starts and no crash", report.Facts)
		}
	})
}

func isBlock(event string) bool { return event == "blocking" || event == "unblocked" }

// While a reload goes on, another one follows however often it is asked for.
func TestReloadsOnceMore(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(2, onHUP))
		workers, port := k.all(2), harness.ReservePort(t)
		listenEach(workers, port)
		workers[1].do("handle", []string{"SIGUSR2"}, nil)
		k.untilLogged(2, "worker ready")
		k.Signal(unix.SIGHUP)
		k.untilLogged(1, "reloading")
		k.Signal(unix.SIGHUP)
		k.untilLogged(1, "another reload will follow")
		replacement := k.nextIn(0)
		replacement.do("handle", []string{"SIGUSR2"}, nil)
		workers[0].do("handle", []string{"SIGUSR2"}, nil)
		k.Signal(unix.SIGHUP)
		k.Signal(unix.SIGUSR2) // comes after it
		for _, w := range []*worker{workers[0], workers[1], replacement} {
			w.expect("SIGUSR2")
		}
		replacement.listens(listenTo(port, "127.0.0.1"))
		workers[0].rest()
		old := workers[1]
		workers = []*worker{replacement, k.nextIn(1)}
		workers[1].listens(listenTo(port, "127.0.0.1"))
		old.rest()
		k.replaceAll(workers, port)
		k.untilLogged(2, "reload done")
		k.expectStory("reloading", replaced(0, 'a', 'b'), replaced(1, 'a', 'b'), replaced(0, 'b', 'c'), replaced(1, 'b', 'c'))
		k.stopWith(harness.Terminated)
		if n := len(k.logged("reloading")); n != 2 {
			t.Errorf("%d reloads, want 2", n)
		}
	})
}

// The only worker is replaced as well.
func TestReloadsTheOnlyWorker(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits(allBalances...)), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(1, onHUP))
		workers, port := k.all(1), harness.ReservePort(t)
		listenEach(workers, port)
		k.untilLogged(1, "worker ready")
		k.Signal(unix.SIGHUP)
		replacement := k.next()
		expectServed(t, p, workers, "tcp", harness.Local(port))
		replacement.listens(listenTo(port, "127.0.0.1"))
		workers[0].rest()
		expectServed(t, p, []*worker{replacement}, "tcp", harness.Local(port))
		k.untilLogged(1, "reload done")
		k.expectStory("reloading", replaced(0, 'a', 'b'))
		k.stopWith(harness.Terminated)
	})
}

// One process cannot be reloaded. The signal is refused, and not forwarded.
func TestRefusesToReloadOneProcess(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, inForkMode(servants(1, onHUP)))
		program := k.next()
		program.do("handle", []string{"SIGHUP", "SIGUSR2"}, nil)
		k.Signal(unix.SIGHUP)
		refused := k.untilLogged(1, "reload refused")
		if why, _ := refused.Facts["why"].(string); !strings.Contains(why, "one process") || refused.Level != "warn" {
			t.Errorf("logged %v", refused.Facts)
		}
		k.Signal(unix.SIGUSR2)
		program.expect("SIGUSR2")
		k.stopWith(harness.Terminated)
		if n := len(k.logged("reload refused")); n != 1 {
			t.Errorf("refused in %d lines, want 1", n)
		}
		k.expectNone()
	})
}

// An application with a handler of its own is drained first as well, and then ends
// as it wants.
func TestReloadsByTheOwnHandler(t *testing.T) {
	harness.UnderEach(t, nodeinits("rr"), func(t *testing.T, p harness.Primary) {
		a := twoPuppets()
		a.flags = onHUP
		k := startCluster(t, p, a)
		workers, port := k.all(2), harness.ReservePort(t)
		listenEach(workers, port)
		k.untilLogged(2, "worker ready")
		k.Signal(unix.SIGHUP)
		for slot, old := range workers {
			workers[slot] = k.nextIn(slot)
			workers[slot].listens(listenTo(port, "127.0.0.1"))
			if got := old.rest(); !slices.Equal(got, []string{"SIGTERM"}) {
				t.Errorf("worker %d reports %q, want SIGTERM", slot, got)
			}
		}
		k.untilLogged(1, "reload done")
		k.expectStory("reloading", replaced(0, 'a', 'b'), replaced(1, 'a', 'b'))
		for _, l := range k.logged("worker leaving") {
			if l.Facts["order"] != "drain" {
				t.Errorf("logged %v, want the drain first", l.Facts)
			}
		}
		k.stop()
	})
}

// New workers run what is on disk by now, in the environment of the old ones.
func TestReloadsWhatIsOnDisk(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
		disk, file := newScratch(t)
		k := startCluster(t, p, app{workers: 1, file: file, flags: onHUP})
		old, port := k.next(), harness.ReservePort(t)
		old.listens(listenTo(port, "127.0.0.1"))
		k.untilLogged(1, "worker ready")
		before := environment(t, old)
		disk.tells("changed")
		k.Signal(unix.SIGHUP)
		replacement := k.next()
		replacement.expect("changed")
		replacement.listens(listenTo(port, "127.0.0.1"))
		old.rest()
		if after := environment(t, replacement); !slices.Equal(before, after) {
			t.Errorf("the environment of the new worker is\n%q, want\n%q", after, before)
		}
		k.stopWith(harness.Terminated)
	})
}

// environment is what a worker was started with, but for its number.
func environment(t *testing.T, w *worker) []string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", w.PID))
	if err != nil {
		t.Fatal(err)
	}
	vars := strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
	return slices.DeleteFunc(vars, func(v string) bool { return strings.HasPrefix(v, "NODE_UNIQUE_ID=") })
}

// Whatever an application listens on, it is there after a reload as before: the
// same ports, the same file.
func TestReloadsAllServers(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits(allBalances...)), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, servants(2, onHUP+" --ready message"))
		port, webPort, path := harness.ReservePort(t), harness.ReservePort(t), filepath.Join(harness.ShortDir(t), "socket")
		var chosen, chosenUDP int
		up := func(w *worker) {
			w.listens(listenTo(port, "127.0.0.1"))
			w.listens(object{"name": "path", "args": []any{path}})
			w.do("serve", object{"port": webPort, "host": "127.0.0.1"}, nil)
			is := w.listens(object{"name": "any", "args": []any{0, "127.0.0.1"}}).Port
			udp := w.binds(object{"name": "udp", "type": "udp4", "options": object{"port": 0, "address": "127.0.0.1"}}).Port
			if chosen == 0 {
				chosen, chosenUDP = is, udp
			}
			if is != chosen || udp != chosenUDP {
				t.Errorf("worker %d has the ports %d and %d, want %d and %d", w.Slot, is, udp, chosen, chosenUDP)
			}
			w.do("say", "ready", nil)
		}
		workers := k.all(2)
		for _, w := range workers {
			up(w)
		}
		k.untilLogged(2, "worker ready")
		k.Signal(unix.SIGHUP)
		for slot, old := range workers {
			workers[slot] = k.nextIn(slot)
			up(workers[slot])
			old.rest()
		}
		k.untilLogged(1, "reload done")
		for _, at := range [][2]string{{"tcp", harness.Local(port)}, {"tcp", harness.Local(chosen)}, {"unix", path}, {"udp", harness.Local(chosenUDP)}} {
			for i := range 2 * len(workers) {
				if _, err := plain(at[0], at[1])(i); err != nil {
					t.Errorf("%v: %v", at, err)
				}
			}
		}
		if _, err := web("http://"+harness.Local(webPort), &http.Transport{})(0); err != nil {
			t.Error(err)
		}
		k.stopWith(harness.Terminated)
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("the socket's file is left (%v)", err)
		}
	})
}
