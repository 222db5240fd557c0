package pid1

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// stubborn ignores stop signals.
func stubborn([]string) {
	signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGQUIT)
	testproc.Say("up")
	testproc.UntilStdinCloses()
}

func TestKillsAfterTheGrace(t *testing.T) {
	t.Parallel()
	p := harness.UnderInit("--grace 50ms", testproc.Argv("stubborn")...).Start(t)
	p.Expect("up")
	p.Signal(unix.SIGTERM)
	p.WaitCode(137)
	want := []string{"starting", "program started", "stopping", "killing the program", "exit"}
	if got := harness.Messages(harness.ReadLog(t, p.Output())); !slices.Equal(got, want) {
		t.Errorf("logged %q, want %q", got, want)
	}
	if report := exitReport(t, p.Output()); report.Facts["cause"] != "grace_exceeded" || report.Facts["requested"] != true {
		t.Errorf("exit report %v", report.Facts)
	}
}

func TestWithoutGraceWaitsForTheProgram(t *testing.T) {
	t.Parallel()
	p := startCatcher(t, harness.UnderInit("--grace 0"))
	p.Signal(unix.SIGTERM)
	harness.ExpectAll(t, p, harness.Caught("program", unix.SIGTERM)...)
	p.CloseStdin()
	p.WaitCode(7)
	if got := harness.Messages(harness.ReadLog(t, p.Output())); slices.Contains(got, "killing the program") {
		t.Errorf("logged %q", got)
	}
}

func TestForwardsTheSecondStopSignalAndKillsAtTheThird(t *testing.T) {
	t.Parallel()
	p := startCatcher(t, harness.UnderInit("--grace 0"))
	for range 2 {
		p.Signal(unix.SIGTERM)
		harness.ExpectAll(t, p, harness.Caught("program", unix.SIGTERM)...)
	}
	p.Signal(unix.SIGTERM)
	p.WaitCode(137)
	if report := exitReport(t, p.Output()); report.Facts["cause"] != "stop_repeated" {
		t.Errorf("exit report %v", report.Facts)
	}
}

// suspended stops itself, and ends with 7 at SIGTERM.
func suspended([]string) {
	term := make(chan os.Signal, 1)
	signal.Notify(term, unix.SIGTERM)
	testproc.Say("suspended %d", os.Getpid())
	if err := unix.Kill(os.Getpid(), unix.SIGSTOP); err != nil {
		harness.Fail(err)
	}
	<-term
	os.Exit(7)
}

func TestStopsAProgramThatIsSuspended(t *testing.T) {
	t.Parallel()
	p := harness.UnderInit("--grace 0", testproc.Argv("suspended")...).Start(t)
	pid := numberIn(t, p.Line())
	harness.WaitUntil(t, "the program to be suspended", func() bool { return stateOf(t, p, pid) == "T" })
	p.Signal(unix.SIGTERM)
	p.WaitCode(7)
}

// A program that is about to be suspended when it is stopped is as one that is:
// whichever of the two it notices first, it ends.
func TestStopsAProgramThatIsBeingSuspended(t *testing.T) {
	t.Parallel()
	for range 20 {
		p := harness.UnderInit("--grace 0", "sleep", "infinity").Start(t)
		dir := programDir(t, p, "sleep")
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			t.Fatal(err)
		}
		harness.WaitUntil(t, "the program to sleep", func() bool { return stateOf(t, p, pid) == "S" })
		p.Signal(unix.SIGTSTP)
		p.Signal(unix.SIGTERM)
		p.WaitCode(143)
	}
}

// clinging stops itself, and again whenever a SIGTERM comes.
func clinging([]string) {
	term := make(chan os.Signal, 1)
	signal.Notify(term, unix.SIGTERM)
	testproc.Say("clinging %d", os.Getpid())
	for {
		if err := unix.Kill(os.Getpid(), unix.SIGSTOP); err != nil {
			harness.Fail(err)
		}
		<-term
		testproc.Say("clinging on")
	}
}

func TestKillsASuspendedProgramAtTheThirdStopSignal(t *testing.T) {
	t.Parallel()
	for _, flags := range []string{"--grace 0", "--grace 0 -g"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			p := harness.UnderInit(flags, testproc.Argv("clinging")...).Start(t)
			pid := numberIn(t, p.Line())
			suspended := func() {
				harness.WaitUntil(t, "the program to be suspended", func() bool { return stateOf(t, p, pid) == "T" })
			}
			for range 2 {
				suspended()
				p.Signal(unix.SIGTERM)
				p.Expect("clinging on")
			}
			suspended()
			p.Signal(unix.SIGTERM)
			p.WaitCode(137)
		})
	}
}

// However the program ends, what it leaves behind is asked to end too, and the
// container does not end before it has. The leftover takes until the test
// closes its stdin.
func TestWaitsForWhatTheProgramLeavesBehind(t *testing.T) {
	t.Parallel()
	for _, sig := range []unix.Signal{unix.SIGUSR1, unix.SIGTERM} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			t.Parallel()
			p := harness.UnderInit("--grace 10m", testproc.Argv("leaver")...).Start(t)
			p.Expect("leftover up")
			p.Signal(sig)
			harness.ExpectAll(t, p, harness.Caught("leftover", unix.SIGTERM)...)
			harness.ExpectProcesses(t, p, 2)
			p.CloseStdin()
			p.WaitCode(7)
			if got := harness.Messages(harness.ReadLog(t, p.Output())); !slices.Contains(got, "stopping what the program left behind") {
				t.Errorf("logged %q", got)
			}
		})
	}
}

// Stop signals go on to what is left, and the third one in all ends it.
func TestForwardsStopSignalsToWhatIsLeft(t *testing.T) {
	t.Parallel()
	p := harness.UnderInit("--grace 10m", testproc.Argv("leaver")...).Start(t)
	p.Expect("leftover up")
	p.Signal(unix.SIGTERM)
	harness.ExpectAll(t, p, harness.Caught("leftover", unix.SIGTERM)...)
	p.Signal(unix.SIGINT)
	p.Expect(harness.Caught("leftover", unix.SIGINT)...)
	p.Signal(unix.SIGINT)
	p.WaitCode(7)
}

// bystander runs args, a nodeinit that is not PID 1, beside a catcher that is
// none of its business, passes signals on to it, says how it ended and lives
// on. It reaps nothing else, so whatever is left, dead or alive, can be seen.
func bystander(args []string) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGUSR1, unix.SIGTERM)
	harness.Spawn(nil, testproc.Argv("catcher", "bystander")...)
	inner := harness.Spawn(nil, args...)
	go func() { _ = inner.Process.Signal(<-signals) }()
	_ = inner.Wait() // its status is reported
	testproc.Say("status %d", inner.ProcessState.ExitCode())
	testproc.UntilStdinCloses()
}

// The leftover does not end when it is asked to, so it is killed.
func TestSubreaperEndsItsOwnDescendantsOnly(t *testing.T) {
	t.Parallel()
	for _, sig := range []unix.Signal{unix.SIGUSR1, unix.SIGTERM} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			t.Parallel()
			inner := slices.Concat([]string{harness.Nodeinit, "--grace", "5s", "--"}, testproc.Argv("leaver"))
			p := testproc.Command{PID1: true, Argv: testproc.Argv("bystander", inner...)}.Start(t)
			harness.ExpectAll(t, p, "bystander up", "leftover up")
			p.Signal(sig)
			harness.ExpectAll(t, p, append(harness.Caught("leftover", unix.SIGTERM), "status 7")...)
			harness.ExpectProcesses(t, p, 2) // PID 1 and the bystander
			p.CloseStdin()
			if rest := p.Rest(); len(rest) > 0 {
				t.Errorf("the bystander reported %q", rest)
			}
		})
	}
}

// forbidden becomes args, in which kill(2) fails as it does for a process of
// another user.
func forbidden(args []string) {
	runtime.LockOSThread() // a filter is a thread's own, and exec keeps this one
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_KILL},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		harness.Fail(err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		harness.Fail(err)
	}
	harness.Become(args)
}

// usurper is a set-user-ID program that becomes root for good.
func usurper([]string) {
	if err := syscall.Setresuid(0, 0, 0); err != nil {
		harness.Fail(err)
	}
	testproc.Say("up")
	testproc.UntilStdinCloses()
}

// A program that may not be signalled costs a line in the log; after the grace
// the container ends all the same, since the kernel kills what PID 1 leaves.
func TestEndsThoughItMayNotSignalTheProgram(t *testing.T) {
	t.Parallel()
	kinds := map[string]testproc.Command{
		"seccomp": harness.Under(harness.UnderInit("--grace 50ms", testproc.Argv("idle")...), testproc.Argv("forbidden")...),
	}
	if os.Getuid() == 0 { // others have one user only in their namespaces
		kinds["set-user-ID"] = setUserID(t)
	}
	for name, c := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := c.Start(t)
			p.Expect("up")
			p.Signal(unix.SIGTERM)
			p.WaitCode(137)
			want := []string{"starting", "program started", "stopping", "signal not forwarded", "killing the program",
				"program not killed", "the program survived SIGKILL", "stopping what the program left behind", "processes survived SIGKILL", "exit"}
			got := slices.DeleteFunc(harness.Messages(harness.ReadLog(t, p.Output())), func(msg string) bool {
				return msg == "processes left behind not signalled" // the filter refuses kill(-1) too
			})
			if !slices.Equal(got, want) {
				t.Errorf("logged %q, want %q", got, want)
			}
		})
	}
}

// setUserID is a usurper under a nodeinit that is nobody.
func setUserID(t *testing.T) testproc.Command {
	dir, err := os.MkdirTemp("", "nodeinit") // not t.TempDir, which only its owner may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	argv := testproc.Argv("usurper")
	for name, from := range map[string]string{"nodeinit": harness.Nodeinit, "usurper": argv[0]} {
		binary, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		harness.WriteFile(t, filepath.Join(dir, name), string(binary), 0o755)
	}
	argv[0] = filepath.Join(dir, "usurper")
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(argv[0], 0o755|os.ModeSetuid)); err != nil {
		t.Fatal(err)
	}
	c := harness.UnderInit("--grace 50ms", argv...)
	c.Argv[0] = filepath.Join(dir, "nodeinit")
	return harness.Under(c, testproc.Argv("nobody")...)
}
