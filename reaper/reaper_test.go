package reaper_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/reaper"
)

func TestMain(m *testing.M) {
	testproc.Main(map[string]func([]string){
		"statuses": statuses,
		"exit":     exit,
		"orphans":  orphans,
		"parent":   parent,
		"rest":     rest,
		"stubborn": stubborn,
		"pause":    pause,
		"signal":   signalReaped,
	})
	os.Exit(m.Run())
}

// fork starts a role of this binary, as a Reaper's fork function.
func fork(role string, args ...string) func() (int, error) {
	argv := testproc.Argv(role, args...)
	return func() (int, error) {
		return syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2, 3}})
	}
}

func exit(args []string) {
	code, _ := strconv.Atoi(args[0])
	os.Exit(code)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(97)
}

// Each status reaches its own child while hundreds start and end at once, with
// orphans coming in between.
func TestStatusesReachTheirChildren(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("statuses"), PID1: true}.Start(t)
	p.Expect("all right")
	p.WaitCode(0)
}

func statuses([]string) {
	var r reaper.Reaper
	go r.Run(context.Background())
	var all sync.WaitGroup
	for starter := range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := range 25 {
				code := (starter*25 + i) % 256
				role := []string{strconv.Itoa(code)}
				name := "exit"
				if i%5 == 0 { // leaves an orphan behind
					name, role = "parent", append(role, "1")
				}
				c, err := r.Start(fork(name, role...))
				if err != nil {
					fail(err)
				}
				<-c.Exited()
				if got := c.Status(); !got.Exited() || got.ExitStatus() != code {
					fail(fmt.Errorf("child %d ended with %#x, want exit %d", c.PID, got, code))
				}
			}
		}()
	}
	all.Wait()
	<-r.Empty()
	testproc.Say("all right")
}

// parent starts so many children, which become orphans, and exits with a code.
func parent(args []string) {
	n, _ := strconv.Atoi(args[1])
	for range n {
		if _, err := fork("exit", "0")(); err != nil {
			fail(err)
		}
	}
	exit(args)
}

// Orphans from any depth are reaped and reported, all of them.
func TestOrphansAreReaped(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("orphans"), PID1: true}.Start(t)
	p.Expect("child 9", "orphans 50")
	p.WaitCode(0)
}

func orphans([]string) {
	var mu sync.Mutex
	seen := 0
	r := reaper.Reaper{OnOrphan: func(int, unix.WaitStatus) {
		mu.Lock()
		seen++
		mu.Unlock()
	}}
	go r.Run(context.Background())
	c, err := r.Start(fork("parent", "9", "50"))
	if err != nil {
		fail(err)
	}
	<-c.Exited()
	testproc.Say("child %d", c.Status().ExitStatus())
	<-r.Empty()
	mu.Lock()
	defer mu.Unlock()
	testproc.Say("orphans %d", seen)
}

// A child that has been reaped gets no signal: its ID may be another's.
func TestReapedChildGetsNoSignal(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("signal"), PID1: true}.Start(t)
	p.Expect("alive: <nil>", "reaped: true")
	p.WaitCode(0)
}

func signalReaped([]string) {
	var r reaper.Reaper
	go r.Run(context.Background())
	c, err := r.Start(fork("stubborn", "quiet"))
	if err != nil {
		fail(err)
	}
	testproc.Say("alive: %v", c.Signal(unix.SIGKILL, false))
	<-c.Exited()
	testproc.Say("reaped: %v", errors.Is(c.Signal(unix.SIGKILL, false), os.ErrProcessDone))
}

// SignalRest reaches descendants of any depth and nobody else, as PID 1 and
// otherwise.
func TestSignalRest(t *testing.T) {
	t.Parallel()
	for _, pid1 := range []bool{true, false} {
		t.Run(fmt.Sprintf("pid1=%v", pid1), func(t *testing.T) {
			t.Parallel()
			bystander := testproc.Command{Argv: testproc.Argv("stubborn", "loud")}.Start(t)
			bystander.Expect("up")
			p := testproc.Command{Argv: testproc.Argv("rest"), PID1: pid1}.Start(t)
			p.Expect("up", "up", "up", "empty")
			p.WaitCode(0)
			bystander.CloseStdin()
			bystander.WaitCode(0)
		})
	}
}

// rest starts three generations, kills them with one call, and sees them gone.
func rest([]string) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fail(err)
	}
	up, tell, err := os.Pipe()
	if err != nil {
		fail(err)
	}
	var r reaper.Reaper
	go r.Run(context.Background())
	_, err = r.Start(func() (int, error) {
		argv := testproc.Argv("stubborn", "family", "2")
		return syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2, 3, tell.Fd()}})
	})
	if err != nil {
		fail(err)
	}
	for range 3 {
		if _, err := up.Read(make([]byte, 1)); err != nil {
			fail(err)
		}
		testproc.Say("up")
	}
	if err := r.SignalRest(unix.SIGKILL); err != nil {
		fail(err)
	}
	<-r.Empty()
	testproc.Say("empty")
}

// stubborn stays until its stdin closes or it is killed. As a family it first
// starts so many more below itself, and tells on descriptor 4 that it is up.
func stubborn(args []string) {
	switch args[0] {
	case "loud":
		testproc.Say("up")
	case "family":
		n, _ := strconv.Atoi(args[1])
		if n > 0 {
			argv := testproc.Argv("stubborn", "family", strconv.Itoa(n-1))
			if _, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2, 3, 4}}); err != nil {
				fail(err)
			}
		}
		if _, err := unix.Write(4, []byte("u")); err != nil {
			fail(err)
		}
	}
	testproc.UntilStdinCloses()
}

// Pause reaps what is orphaned to it and ends when asked.
func TestPause(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("pause"), PID1: true}.Start(t)
	p.Expect("reaped 11")
	p.WaitCode(0)
}

func pause([]string) {
	ctx, stop := context.WithCancel(context.Background())
	runtime.LockOSThread()
	seen := 0
	started := make(chan struct{})
	go func() {
		defer close(started)
		if _, err := fork("parent", "0", "10")(); err != nil {
			fail(err)
		}
	}()
	<-started
	reaper.Pause(ctx, func(int) {
		if seen++; seen == 11 { // the parent and its ten
			stop()
		}
	})
	testproc.Say("reaped %d", seen)
}
