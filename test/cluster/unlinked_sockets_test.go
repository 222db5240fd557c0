package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/test/harness"
)

// relistens does what applications do: whatever is at path goes, then it listens.
func (w *worker) relistens(path string) {
	w.t.Helper()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	w.listens(listenTo(path))
}

// throughout asks ask again and again until it is stopped. An ask that finds no
// file, or one on which nothing listens yet, comes between its removal and
// listen(2), as without nodeinit.
func throughout(t *testing.T, ask client) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := ask(0); err != nil && !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("a client: %v", err)
					return
				}
			}
		})
	}
	return sync.OnceFunc(func() { close(done); running.Wait() })
}

// However many workers remove the file of a Unix socket before they listen, one
// after the other, all of them serve it, and no client is lost.
func TestFollowsRemovedSockets(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2, 4} {
		t.Run(map[int]string{1: "one", 2: "two", 4: "four"}[workers], func(t *testing.T) {
			harness.UnderEach(t, onNewest(nodeinits("rr", "shared")), func(t *testing.T, p harness.Primary) {
				a := twoPuppets()
				a.workers, a.flags = workers, "--max-crashes 9 --ready none"
				k := startCluster(t, p, a)
				all, path := k.all(workers), filepath.Join(harness.ShortDir(t), "socket")
				ask := plain("unix", path)
				all[0].relistens(path)
				stop := throughout(t, ask)
				defer stop()
				for n, w := range all[1:] {
					w.relistens(path)
					eachAnswers(t, all[:n+2], ask)
				}
				stop()

				// What waits in the socket when its file goes is served too.
				last := all[workers-1]
				last.kill()
				conns := dialAll(t, "unix", path)
				all[workers-1] = k.next()
				all[workers-1].relistens(path)
				for _, conn := range conns {
					if _, err := readSlot(conn); err != nil {
						t.Error(err)
					}
				}
				eachAnswers(t, all, ask)
				k.stop()
				if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the socket's file is left (%v)", err)
				}
			})
		})
	}
}

// After a reload of an application that removes the file, its path leads to the
// new workers, and no client was lost.
func TestReloadsRemovedSockets(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2} {
		t.Run(map[int]string{1: "one", 2: "two"}[workers], func(t *testing.T) {
			harness.UnderEach(t, onNewest(nodeinits("rr", "shared")), func(t *testing.T, p harness.Primary) {
				k := startCluster(t, p, servants(workers, onHUP))
				all, path := k.all(workers), filepath.Join(harness.ShortDir(t), "socket")
				for _, w := range all {
					w.relistens(path)
				}
				k.untilLogged(workers, "worker ready")
				stop := throughout(t, plain("unix", path))
				defer stop()
				k.Signal(unix.SIGHUP)
				for slot, old := range all {
					k.nextIn(slot).relistens(path)
					old.rest()
				}
				k.untilLogged(1, "reload done")
				stop()
				for i := range 2 * workers {
					if _, err := plain("unix", path)(i); err != nil {
						t.Error(err)
					}
				}
				k.stopWith(harness.Terminated)
				if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the socket's file is left (%v)", err)
				}
			})
		})
	}
}

// The rights of the file are those that the application's own umask leaves.
func TestUsesTheUmaskOfTheApplication(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits("rr", "shared")), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		workers, dir := k.all(2), harness.ShortDir(t)
		for mask, want := range map[int]os.FileMode{0: 0o777, 0o117: 0o660} {
			path := filepath.Join(dir, want.String())
			workers[0].do("umask", mask, nil)
			workers[0].listens(object{"name": path, "args": []any{path}})
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("the socket's file is %v (%v), want mode %v", info, err, want)
			}
		}
		k.stop()
	})
}
