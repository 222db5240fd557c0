package test

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
)

// kept are the signals that nodeinit does not forward. All but SIGKILL and
// SIGSTOP may come, and must do no harm.
var kept = []unix.Signal{
	unix.SIGKILL, unix.SIGSTOP, // nobody can have them
	unix.SIGURG, unix.SIGPROF, 32, 33, 34, // Go's runtime has them
	unix.SIGCHLD, unix.SIGPIPE, unix.SIGTTIN, unix.SIGTTOU, // nodeinit's own business
}

// catcher reports, as NAME NUMBER, every signal that it gets, until its stdin
// closes or one of the signals in args comes; then it exits with 7.
func catcher(args []string) {
	name := args[0]
	all := make(chan os.Signal, 65536)
	signal.Notify(all) // but for those that Go keeps
	signal.Reset(unix.SIGURG)
	testproc.Say("%s up", name)
	go func() {
		testproc.UntilStdinCloses()
		os.Exit(7)
	}()
	for sig := range all {
		number := strconv.Itoa(int(sig.(unix.Signal)))
		testproc.Say("%s %s", name, number)
		if slices.Contains(args[1:], number) {
			os.Exit(7)
		}
	}
}

// startCatcher starts a catcher under nodeinit.
func startCatcher(t *testing.T, c testproc.Command) *testproc.Process {
	t.Helper()
	c.Argv = append(c.Argv, testproc.Argv("catcher", "program")...)
	p := c.Start(t)
	p.Expect("program up")
	return p
}

func caught(name string, signals ...unix.Signal) []string {
	var lines []string
	for _, sig := range signals {
		lines = append(lines, fmt.Sprintf("%s %d", name, sig))
	}
	return lines
}

func TestPID1ForwardsEverySignal(t *testing.T) {
	t.Parallel()
	p := startCatcher(t, underInit(""))
	for sig := unix.Signal(1); sig <= 64; sig++ {
		stops := sig == unix.SIGINT || sig == unix.SIGQUIT || sig == unix.SIGTERM // three would kill
		if !stops && !slices.Contains(kept, sig) {
			p.Signal(sig)
			p.Expect(caught("program", sig)...)
		}
	}
	p.CloseStdin()
	p.WaitCode(7)
}

// A stop signal comes alone: SIGCONT is for a program that has been stopped.
func TestPID1ForwardsStopSignals(t *testing.T) {
	t.Parallel()
	for _, sig := range []unix.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p := startCatcher(t, underInit("--grace 0"))
			p.Signal(sig)
			p.Expect(caught("program", sig)...)
			p.CloseStdin()
			p.WaitCode(7)
			if rest := p.Rest(); len(rest) > 0 {
				t.Errorf("reported %q as well", rest)
			}
		})
	}
}

func TestPID1KeepsSomeSignals(t *testing.T) {
	t.Parallel()
	p := startCatcher(t, underInit(""))
	for _, sig := range kept[2:] {
		p.Signal(sig)
		p.Signal(unix.SIGUSR1)
		p.Expect(caught("program", unix.SIGUSR1)...)
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
		fail(err)
	}
	member.ExtraFiles = []*os.File{os.NewFile(3, "reports")}
	if err := member.Start(); err != nil {
		fail(err)
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

func TestPID1SignalsTheProgramOrItsGroup(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string][]string{
		"":        caught("program", unix.SIGUSR1),
		"--group": append(caught("program", unix.SIGUSR1), caught("member", unix.SIGUSR1)...),
		"-g":      append(caught("program", unix.SIGUSR1), caught("member", unix.SIGUSR1)...),
	} {
		t.Run("flags"+flags, func(t *testing.T) {
			t.Parallel()
			p := underInit(flags, testproc.Argv("pair")...).Start(t)
			expectAll(t, p, "program up", "member up")
			p.Signal(unix.SIGUSR1)
			expectAll(t, p, want...)
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
		fail(err)
	}
	becomes(args)
}

// becomes executes args in place of this process.
func becomes(args []string) {
	fail(unix.Exec(args[0], args, os.Environ()))
}

// What arrives while nodeinit still finds out about the limits reaches the
// program. To make that while last, the test is an ECS that keeps nodeinit
// waiting. The program is one with default dispositions from its first
// instruction on, so that the signal ends it; a Go program is not.
func TestPID1KeepsSignalsForTheProgramToCome(t *testing.T) {
	t.Parallel()
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGUSR1, 40} {
		t.Run(strconv.Itoa(int(sig)), func(t *testing.T) {
			t.Parallel()
			ecs, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ecs.Close()
			c := withEnv(underInit("", "cat"), "ECS_CONTAINER_METADATA_URI_V4=http://"+ecs.Addr().String())
			p := under(c, testproc.Argv("nolimits")...).Start(t)
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

func TestPID1LosesNoStopSignalInAStorm(t *testing.T) {
	t.Parallel()
	c := underInit("--grace 0 -v", testproc.Argv("catcher", "program", strconv.Itoa(int(unix.SIGTERM)))...)
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
