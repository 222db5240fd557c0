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
		"group":    signalGroup,
		"family":   family,
		"stopped":  stoppedOnes,
		"recycled": recycled,
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
	<-r.NoChildren()
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
	<-r.NoChildren()
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

// SignalAll reaches descendants of any depth and no other process, as PID 1 and
// otherwise.
func TestSignalAll(t *testing.T) {
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
	if err := r.SignalAll(unix.SIGKILL); err != nil {
		fail(err)
	}
	<-r.NoChildren()
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

// A group that has ended gets no signal, also when the kernel has given its
// number to another one. One that outlives its leader does.
func TestEndedGroupGetsNoSignal(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"group", "recycled"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			p := testproc.Command{Argv: testproc.Argv(role), PID1: true}.Start(t)
			p.Expect("done: true")
			p.WaitCode(0)
		})
	}
}

// leader starts a role as the leader of a process group.
func leader(role string, args ...string) (int, error) {
	argv := testproc.Argv(role, args...)
	return syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2, 3}, Sys: &syscall.SysProcAttr{Setpgid: true},
	})
}

// signalGroup signals the group of a parent that has ended before its orphan.
func signalGroup([]string) {
	var r reaper.Reaper
	go r.Run(context.Background())
	c, err := r.Start(func() (int, error) { return leader("family", "1") })
	if err != nil {
		fail(err)
	}
	<-c.Exited()
	select {
	case <-c.GroupEnded():
		fail(errors.New("the group has ended before the orphan"))
	default:
	}
	if err := c.SignalGroup(unix.SIGKILL); err != nil {
		fail(err)
	}
	<-c.GroupEnded()
	<-r.NoChildren()
	testproc.Say("done: %v", errors.Is(c.SignalGroup(unix.SIGKILL), os.ErrProcessDone))
}

// family leaves a process behind.
func family([]string) {
	if _, err := fork("stubborn", "quiet")(); err != nil {
		fail(err)
	}
}

// recycled has the kernel give the number of a group that has ended to another
// process, which is not the Reaper's and leads a group too.
func recycled([]string) {
	var r reaper.Reaper
	go r.Run(context.Background())
	c, err := r.Start(func() (int, error) { return leader("exit", "0") })
	if err != nil {
		fail(err)
	}
	<-c.Exited()
	<-r.NoChildren()
	other := 0
	for other != c.PID { // a thread of this process may take it first
		if other > 0 {
			_ = unix.Kill(other, unix.SIGKILL)
		}
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", strconv.AppendInt(nil, int64(c.PID-1), 10), 0); err != nil {
			fail(err)
		}
		if other, err = leader("stubborn", "quiet"); err != nil {
			fail(err)
		}
	}
	testproc.Say("done: %v", errors.Is(c.SignalGroup(unix.SIGKILL), os.ErrProcessDone))
	if errors.Is(unix.Kill(other, 0), unix.ESRCH) {
		fail(errors.New("another process was killed"))
	}
}

// Stopped processes are told from those that are not: by a signal, by a debugger, and a member
// of a group. What is left is continued if it is stopped.
func TestStopped(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("stopped"), PID1: true}.Start(t)
	p.Expect(
		"running: false <nil>, group false <nil>",
		"stopped: true <nil>, group true <nil>",
		"continued: false <nil>, group false <nil>",
		"traced: true <nil>, group true <nil>",
		"released: false <nil>, group false <nil>",
		"a member stopped: false <nil>, group true <nil>",
		"the rest continued: false <nil>, group false <nil>",
		"gone: false <nil>, group false <nil>",
	)
	p.WaitCode(0)
}

func stoppedOnes([]string) {
	runtime.LockOSThread() // a tracer is a thread
	var r reaper.Reaper
	c, err := r.Start(func() (int, error) { return leader("stubborn", "quiet") })
	if err != nil {
		fail(err)
	}
	say := func(what string, alone, group bool) {
		one, err1 := c.Stopped(false)
		all, err2 := c.Stopped(true)
		for err1 == nil && err2 == nil && (one != alone || all != group) { // it takes the kernel a moment
			one, err1 = c.Stopped(false)
			all, err2 = c.Stopped(true)
		}
		testproc.Say("%s: %v %v, group %v %v", what, one, err1, all, err2)
	}
	do := func(err error) {
		if err != nil {
			fail(err)
		}
	}
	say("running", false, false)
	do(unix.Kill(c.PID, unix.SIGSTOP))
	say("stopped", true, true)
	do(unix.Kill(c.PID, unix.SIGCONT))
	say("continued", false, false)
	do(unix.PtraceAttach(c.PID))
	say("traced", true, true)
	_, err = unix.Wait4(c.PID, nil, unix.WALL, nil)
	do(err)
	do(unix.PtraceDetach(c.PID))
	say("released", false, false)
	argv := testproc.Argv("stubborn", "quiet")
	member, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2, 3}, Sys: &syscall.SysProcAttr{Setpgid: true, Pgid: c.PID},
	})
	do(err)
	do(unix.Kill(member, unix.SIGSTOP))
	say("a member stopped", false, true)
	r.ContinueAll()
	say("the rest continued", false, false)
	do(c.Signal(unix.SIGKILL, true))
	say("gone", false, false) // zombies, which are not reaped yet
}
