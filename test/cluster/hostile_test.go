package cluster

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

func onNewest(list []harness.Primary) []harness.Primary {
	return slices.DeleteFunc(list, func(p harness.Primary) bool { return p.Node != harness.NewestLine })
}

// openFiles is how many descriptors nodeinit has.
func (k *cluster) openFiles() int {
	k.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", k.PID))
	if err != nil {
		k.t.Fatal(err)
	}
	return len(entries)
}

// memory is nodeinit's resident memory in bytes.
func (k *cluster) memory() int {
	k.t.Helper()
	for line := range strings.Lines(harness.ReadFile(k.t, fmt.Sprintf("/proc/%d/status", k.PID))) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kib, err := strconv.Atoi(fields[1])
			if err != nil {
				k.t.Fatal(err)
			}
			return kib << 10
		}
	}
	k.t.Fatal("no VmRSS")
	return 0
}

const memoryMargin = 20 << 20

// Whatever a worker does with its channel costs that worker at most: another
// serves, connections go to it, nothing stays open, and a stop is obeyed.
func TestSurvivesHostileWorkers(t *testing.T) {
	t.Parallel()
	for name := range misdeeds {
		t.Run(name, func(t *testing.T) {
			list := nodeinits("rr", "shared", "reuseport")
			if slices.Contains(unreadable, name) {
				list = nodeinits("rr")
			}
			harness.UnderEach(t, onNewest(list), func(t *testing.T, p harness.Primary) {
				k, good, bad, port := startHostile(t, p, name)
				address := fmt.Sprintf("127.0.0.1:%d", port)
				files, memory := k.openFiles(), k.memory()
				bad.begin("go", nil)
				bad.untilDone()

				// What goes to the hostile worker may have to wait for its end; the good
				// one gets its share before.
				ask, answers := plain("tcp", address), make(chan error, asks)
				for i := range asks {
					go func() {
						slot, err := ask(i)
						if err == nil && slot != 0 && slot != 1 {
							err = fmt.Errorf("worker %d answered", slot)
						}
						answers <- err
					}()
				}
				for range asks / 8 {
					if err := <-answers; err != nil {
						t.Fatalf("while the hostile worker lives: %v", err)
					}
				}
				if grown := k.memory() - memory; grown > memoryMargin {
					t.Errorf("nodeinit has grown by %d MiB", grown>>20)
				}
				_ = unix.Kill(bad.PID, unix.SIGKILL) // unless nodeinit has
				replacement := k.next()
				replacement.listens(listenTo(port, "127.0.0.1"))
				for range asks - asks/8 {
					err := <-answers
					if p.Balance == "reuseport" && errors.Is(err, syscall.ECONNRESET) {
						continue // what it had said is true: it has closed its own queue
					}
					if err != nil {
						t.Fatalf("after the hostile worker: %v", err)
					}
				}
				expectServed(t, p, []*worker{good, replacement}, "tcp", address)
				if grown := k.memory() - memory; grown > memoryMargin {
					t.Errorf("nodeinit has grown by %d MiB", grown>>20)
				}
				if p.Balance == "reuseport" {
					files++ // the socket of slot 1 was not there before
				}
				k.untilFiles(files)
				k.stop()
			})
		})
	}
}

// untilDone waits until a hostile worker has done what it does, or nodeinit has
// ended it for that.
func (w *worker) untilDone() {
	w.t.Helper()
	select {
	case <-w.events:
	case <-time.After(testproc.HangLimit):
		w.t.Fatalf("worker %d is not done", w.Slot)
	}
}

// startHostile starts a good worker, which listens on a port, and one that will
// do a misdeed.
func startHostile(t *testing.T, p harness.Primary, misdeed string) (k *cluster, good, bad *worker, port int) {
	t.Helper()
	port = harness.ReservePort(t)
	a := app{workers: 2, file: "puppet.js", flags: "--max-crashes 9 --ready none"}
	a.change = func(c *testproc.Command) {
		program := slices.Index(c.Argv, "--") + 1
		role := testproc.Argv("rawworker", misdeed, filepath.Join(harness.ShortDir(t), "done"), strconv.Itoa(port))
		c.Argv = slices.Concat(c.Argv[:program], role, c.Argv[program:])
	}
	k = startCluster(t, p, a)
	workers := k.all(2)
	workers[0].listens(listenTo(port, "127.0.0.1"))
	return k, workers[0], workers[1], port
}

// untilFiles waits until nodeinit has no more than n descriptors.
func (k *cluster) untilFiles(n int) {
	k.t.Helper()
	now := 0
	defer func() {
		if k.t.Failed() {
			k.t.Logf("nodeinit has %d descriptors, want %d", now, n)
		}
	}()
	harness.WaitUntil(k.t, fmt.Sprintf("nodeinit to have %d descriptors", n), func() bool {
		now = k.openFiles()
		return now <= n
	})
}

// A hostile worker does not keep nodeinit from stopping.
func TestStopsBesideHostileWorkers(t *testing.T) {
	t.Parallel()
	for name := range misdeeds {
		t.Run(name, func(t *testing.T) {
			harness.UnderEach(t, onNewest(nodeinits("rr")), func(t *testing.T, p harness.Primary) {
				k, good, bad, _ := startHostile(t, p, name)
				bad.begin("go", nil)
				bad.untilDone()
				k.Signal(unix.SIGTERM)
				k.Wait()
				if got := good.rest(); !slices.Contains(got, "SIGTERM") {
					t.Errorf("the good worker reports %q, want SIGTERM", got)
				}
			})
		})
	}
}

var connections = flag.Int("connections", 10000, "how many connections the test for leaks makes, for each balance")

// Connections leave nothing behind in nodeinit, however many they are.
func TestLeaksNothing(t *testing.T) {
	harness.UnderEach(t, onNewest(nodeinits(allBalances...)), func(t *testing.T, p harness.Primary) {
		k := startCluster(t, p, twoPuppets())
		workers, port := k.all(2), harness.ReservePort(t)
		for _, w := range workers {
			w.listens(listenTo(port, "127.0.0.1"))
		}
		ask := plain("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		connect := func(n int) {
			results := make(chan error)
			const clients = 16
			for c := range clients {
				go func() {
					for i := range n / clients {
						if _, err := ask(c*250 + i%250); err != nil {
							results <- err
							return
						}
					}
					results <- nil
				}()
			}
			for range clients {
				if err := <-results; err != nil {
					t.Fatal(err)
				}
			}
		}
		connect(1000)
		files, memory := k.openFiles(), k.memory()
		connect(*connections)
		k.untilFiles(files)
		if grown := k.memory() - memory; grown > memoryMargin/10 {
			t.Errorf("nodeinit has grown by %d KiB", grown>>10)
		}
		k.stop()
	})
}
