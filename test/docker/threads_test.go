package docker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// What docs/operating.md says: the threads of nodeinit, and those that it has for a moment at its start
// where the limit may be near.
const (
	threads  = 7
	starting = threads + 2
)

// crowded becomes args but the first two as a user without rights, with a limit on their
// processes and threads.
func crowded(args []string) {
	uid, err := strconv.Atoi(args[0])
	limit, limitErr := strconv.ParseUint(args[1], 10, 64)
	if err := errors.Join(err, limitErr, unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: limit, Max: limit})); err != nil {
		harness.Fail(err)
	}
	if err := errors.Join(syscall.Setgid(uid), syscall.Setuid(uid)); err != nil {
		harness.Fail(err)
	}
	harness.Become(args[2:])
}

// With each process limit nodeinit works, or ends at once with a line that says why. It is asked
// to with one processor: with more, Go's runtime itself may need up to seven threads before main.
//
// With less than these seven it may also be Go's runtime that says so and ends, with 2: while
// nodeinit asks the kernel for room, its only thread that is not held is in a system call. If sysmon
// wakes just then, it hands the processor on (runtime/proc.go, retake), for which it creates a thread.
func TestEachProcessLimitWorksOrIsReported(t *testing.T) {
	t.Parallel()
	const before = 4 // main
	for limit := before; limit <= starting+4; limit++ {
		t.Run(strconv.Itoa(limit), func(t *testing.T) {
			t.Parallel()
			uid := 100_000 + os.Getpid()*20 + limit // of this test only
			c := harness.Under(harness.UnderInit("", "cat"), testproc.Argv("crowded", strconv.Itoa(uid), strconv.Itoa(limit))...)
			p := harness.WithEnv(c, "GOMAXPROCS=1").Start(t)
			if limit < starting {
				if status := p.Wait(); limit < threads && status.ExitStatus() == 2 {
					if errs := p.Errors(); !strings.HasPrefix(errs, "runtime: failed to create new OS thread") {
						t.Errorf("stderr:\n%s", errs)
					}
					return
				}
				p.WaitCode(125)
				errs := strings.Replace(p.Errors(), `start "cat": `, "", 1) // the program is what there is no room for, or a thread
				if errs != "nodeinit: the process limit is used up (raise docker run --pids-limit, or ulimit -u)\n" {
					t.Errorf("stderr:\n%s", errs)
				}
				return
			}
			harness.WaitUntil(t, "the program", func() bool {
				return strings.Contains(p.Output(), "program started") && len(harness.States(t, p)) == 2
			})
			if n := threadsOf(t, p.PID); n != threads {
				t.Errorf("%d threads", n)
			}
			p.Signal(unix.SIGTERM)
			p.WaitCode(143)
			if errs := p.Errors(); errs != "" {
				t.Errorf("stderr:\n%s", errs)
			}
		})
	}
}

// Where no limit is near, nodeinit makes its threads when the program has been started.
func TestThreadsAreMadeAfterTheStart(t *testing.T) {
	t.Parallel()
	p := harness.UnderInit("", "cat").Start(t)
	made := 0
	harness.WaitUntil(t, "the threads", func() bool {
		made = threadsOf(t, p.PID)
		return made >= threads
	})
	if made > starting { // more than threads where the machine is overloaded
		t.Errorf("%d threads", made)
	}
	p.Signal(unix.SIGTERM)
	p.WaitCode(143)
}

var threadsLine = regexp.MustCompile(`(?m)^Threads:\s+(\d+)$`)

// threadsOf returns how many threads the process pid has.
func threadsOf(t *testing.T, pid int) int {
	t.Helper()
	found := threadsLine.FindStringSubmatch(harness.ReadFile(t, fmt.Sprintf("/proc/%d/status", pid)))
	if found == nil {
		t.Fatalf("no threads of %d", pid)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// In a container that has used up its process limit nodeinit goes on, whatever happens, and makes
// no thread.
func TestFullContainer(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"fork", "per-core"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			settings := "--mode " + mode + " --workers 2 --max-crashes 1000 --crash-window 1s --reload-signal HUP -vv"
			c := runMounted(t, nodeImage, append([]string{"--pids-limit", "60", "--"}, append(strings.Fields(settings), "node", "crowd.js")...)...)
			pid, err := strconv.Atoi(c.inspect(".State.Pid"))
			if err != nil {
				t.Fatal(err)
			}
			c.waitFor("full")
			full := threadsOf(t, pid) // more than threads if the machine was overloaded until now
			if full > starting {
				t.Errorf("%d threads", full)
			}
			for round := range 40 {
				happens(t, pid, mode == "per-core" && round%10 == 4)
				if n := threadsOf(t, pid); n != full {
					t.Fatalf("%d threads after %d rounds, %d before", n, round, full)
				}
			}
			if mode == "per-core" {
				harness.WaitUntil(t, "what a worker left behind when it crashed to be reaped", func() bool { return len(c.logged("orphan reaped")) > 0 })
			}
			// A worker that was killed, and has not been replaced when the stop comes, counts with 137.
			if status := c.stop(); status != 143 && (mode == "fork" || status != 137) {
				t.Errorf("status %d after docker stop, want 143", status)
			}
		})
	}
}

// Where the limit has no room for other workers there are none: the first would not
// have what it needs later.
func TestSmallProcessLimitIsOneProcess(t *testing.T) {
	t.Parallel()
	c := runMounted(t, nodeImage, "--env", "NODEINIT_MODE=auto", "--pids-limit", "20", "--cpus", "2", "--", "node", "server.js")
	c.waitFor("staying one process")
	if status := c.stop(); status != 143 && status != 0 {
		t.Errorf("status %d after docker stop", status)
	}
	if n := len(c.logged("worker started")); n != 1 {
		t.Errorf("%d workers were started", n)
	}
}

// happens has much happen to the nodeinit pid, and a worker end if one is to crash.
func happens(t *testing.T, pid int, crash bool) {
	t.Helper()
	for _, sig := range []unix.Signal{unix.SIGUSR2, unix.SIGWINCH, unix.SIGCONT, unix.SIGHUP, unix.SIGCHLD, unix.SIGURG} {
		if err := unix.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	if !crash {
		return
	}
	// Each thread has a list of those that it has forked.
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	var children []string
	for _, list := range lists {
		children = append(children, strings.Fields(harness.ReadFile(t, list))...)
	}
	for _, child := range children {
		if id, err := strconv.Atoi(child); err == nil && strings.HasPrefix(harness.ReadFile(t, fmt.Sprintf("/proc/%d/comm", id)), "node") {
			_ = unix.Kill(id, unix.SIGKILL) // it may have ended
			return
		}
	}
}
