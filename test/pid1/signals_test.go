package pid1

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// kept are the signals that nodeinit does not forward. All but SIGKILL and
// SIGSTOP may come, and must do no harm.
var kept = []unix.Signal{
	unix.SIGKILL, unix.SIGSTOP, // no process can catch them
	unix.SIGURG, unix.SIGPROF, 32, 33, 34, // Go's runtime has them
	unix.SIGCHLD, unix.SIGPIPE, unix.SIGTTIN, unix.SIGTTOU, // nodeinit's own business
}

// startCatcher starts a catcher under nodeinit.
func startCatcher(t *testing.T, c testproc.Command) *testproc.Process {
	t.Helper()
	c.Argv = append(c.Argv, testproc.Argv("catcher", "program")...)
	p := c.Start(t)
	p.Expect("program up")
	return p
}

func TestForwardsEverySignal(t *testing.T) {
	t.Parallel()
	p := startCatcher(t, harness.UnderInit(""))
	for sig := unix.Signal(1); sig <= 64; sig++ {
		stops := sig == unix.SIGINT || sig == unix.SIGQUIT || sig == unix.SIGTERM // three would kill
		if !stops && !slices.Contains(kept, sig) {
			p.Signal(sig)
			p.Expect(harness.Caught("program", sig)...)
		}
	}
	p.CloseStdin()
	p.WaitCode(7)
}

// A stop signal comes alone: SIGCONT is for a program that has been stopped.
func TestForwardsStopSignals(t *testing.T) {
	t.Parallel()
	for _, sig := range []unix.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p := startCatcher(t, harness.UnderInit("--grace 0"))
			p.Signal(sig)
			p.Expect(harness.Caught("program", sig)...)
			p.CloseStdin()
			p.WaitCode(7)
			if rest := p.Rest(); len(rest) > 0 {
				t.Errorf("reported %q as well", rest)
			}
		})
	}
}

func TestKeepsSomeSignals(t *testing.T) {
	t.Parallel()
	p := startCatcher(t, harness.UnderInit(""))
	for _, sig := range kept[2:] {
		p.Signal(sig)
		p.Signal(unix.SIGUSR1)
		p.Expect(harness.Caught("program", unix.SIGUSR1)...)
	}
	p.CloseStdin()
	p.WaitCode(7)
}

// pair is a catcher with another one in its process group.
func pair([]string) {
	argv := testproc.Argv("catcher", "member")
	member := exec.Command(argv[0], argv[1:]...)
	stdin, err := member.StdinPipe()
	if err != nil {
		harness.Fail(err)
	}
	member.ExtraFiles = []*os.File{os.NewFile(3, "reports")}
	if err := member.Start(); err != nil {
		harness.Fail(err)
	}
	go func() {
		testproc.UntilStdinCloses()
		stdin.Close()
		_ = member.Wait() // so that it is not left behind
		os.Exit(7)
	}()
	all := make(chan os.Signal, 100)
	signal.Notify(all, unix.SIGUSR1)
	testproc.Say("program up")
	for range all {
		testproc.Say("program %d", unix.SIGUSR1)
	}
}

func TestSignalsTheProgramOrItsGroup(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string][]string{
		"":        harness.Caught("program", unix.SIGUSR1),
		"--group": append(harness.Caught("program", unix.SIGUSR1), harness.Caught("member", unix.SIGUSR1)...),
		"-g":      append(harness.Caught("program", unix.SIGUSR1), harness.Caught("member", unix.SIGUSR1)...),
	} {
		t.Run("flags"+flags, func(t *testing.T) {
			t.Parallel()
			p := harness.UnderInit(flags, testproc.Argv("pair")...).Start(t)
			harness.ExpectAll(t, p, "program up", "member up")
			p.Signal(unix.SIGUSR1)
			harness.ExpectAll(t, p, want...)
			p.CloseStdin()
			if rest := p.Rest(); len(rest) > 0 {
				t.Errorf("reported %q as well", rest)
			}
			p.WaitCode(7)
		})
	}
}

// nolimits hides this machine's cgroups, so that nodeinit asks ECS for limits.
func nolimits(args []string) {
	if err := unix.Mount("tmpfs", "/sys/fs/cgroup", "tmpfs", 0, ""); err != nil {
		harness.Fail(err)
	}
	harness.Become(args)
}

// What arrives while nodeinit still finds out about the limits reaches the
// program. To make that while last, the test is an ECS that keeps nodeinit
// waiting. The program is one with default dispositions from its first
// instruction on, so that the signal ends it; a Go program is not.
func TestKeepsSignalsForTheProgramToCome(t *testing.T) {
	t.Parallel()
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGUSR1, 40} {
		t.Run(strconv.Itoa(int(sig)), func(t *testing.T) {
			t.Parallel()
			ecs, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ecs.Close()
			c := harness.WithEnv(harness.UnderInit("", "cat"), "ECS_CONTAINER_METADATA_URI_V4=http://"+ecs.Addr().String())
			p := harness.Under(c, testproc.Argv("nolimits")...).Start(t)
			asked, err := ecs.Accept()
			if err != nil {
				t.Fatal(err)
			}
			p.Signal(sig)
			asked.Close() // no answer: nodeinit goes on without
			p.WaitCode(128 + int(sig))
		})
	}
}

func TestLosesNoStopSignalInAStorm(t *testing.T) {
	t.Parallel()
	c := harness.UnderInit("--grace 0 -v", testproc.Argv("catcher", "program", strconv.Itoa(int(unix.SIGTERM)))...)
	p := c.Start(t)
	p.Expect("program up")
	storm := []unix.Signal{unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGWINCH, unix.SIGCHLD,
		unix.SIGURG, unix.SIGPIPE, unix.SIGTSTP, unix.SIGCONT, unix.SIGSEGV, unix.SIGTTOU, 33, 34, 35, 50, 64}
	for i := range 10_000 {
		p.Signal(storm[i%len(storm)])
	}
	p.Signal(unix.SIGTERM)
	p.WaitCode(7)
	lines := p.Rest()
	if !slices.Contains(lines, fmt.Sprintf("program %d", unix.SIGTERM)) {
		t.Errorf("no SIGTERM among %d signals", len(lines))
	}
	if report := exitReport(t, p.Output()); report.Facts["requested"] != true {
		t.Errorf("exit report %v, want a requested exit", report.Facts)
	}
}
