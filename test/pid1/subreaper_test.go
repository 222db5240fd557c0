package pid1

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// orphaner reports which process started it, leaves an orphan and exits with 7
// when its stdin closes.
func orphaner([]string) {
	testproc.Say("started by %d", os.Getppid())
	if err := harness.Spawn(nil, testproc.Argv("orphan-parent")...).Wait(); err != nil {
		harness.Fail(err)
	}
	testproc.UntilStdinCloses()
	os.Exit(7)
}

func orphanParent([]string) {
	harness.Spawn(nil, testproc.Argv("orphan", strconv.Itoa(os.Getpid()))...)
}

// orphan reports which process has adopted it once its parent, whose ID is in
// args, is gone, and ends.
func orphan(args []string) {
	parent, err := strconv.Atoi(args[0])
	if err != nil {
		harness.Fail(err)
	}
	// A pidfd is readable after the children have been given away (kernel/exit.c,
	// exit_notify).
	if fd, err := unix.PidfdOpen(parent, 0); err == nil && os.Getppid() == parent {
		for errors.Is(waitReadable(fd), unix.EINTR) {
		}
	}
	testproc.Say("adopted by %d", os.Getppid())
}

func waitReadable(fd int) error {
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
	return err
}

// A nodeinit that is not PID 1, under a shell that is.
func TestSubreaperAdoptsOrphans(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flags  []string
		env    string
		adopts bool
	}{
		{nil, "", true},
		{[]string{"-s"}, "", true},
		{[]string{"--subreaper=false"}, "", false},
		{nil, "no", false},
		{[]string{"--subreaper"}, "no", true},
	} {
		t.Run(fmt.Sprint(c.flags, c.env), func(t *testing.T) {
			t.Parallel()
			inner := slices.Concat([]string{harness.Nodeinit}, c.flags, []string{"--"}, testproc.Argv("orphaner"))
			shell := testproc.Command{PID1: true, Argv: slices.Concat([]string{"/bin/sh", "-c", `"$@"; exit $?`, "sh"}, inner)}
			p := harness.WithEnv(shell, "NODEINIT_LOG_LEVEL=off", "NODEINIT_SUBREAPER="+c.env).Start(t)
			starter, adopter := numberIn(t, p.Line()), numberIn(t, p.Line())
			if want := map[bool]int{true: starter, false: 1}[c.adopts]; adopter != want {
				t.Errorf("adopted by %d, want %d", adopter, want)
			}
			harness.ExpectProcesses(t, p, 3) // the orphan is reaped too
			p.CloseStdin()
			p.WaitCode(7)
			if p.Errors() != "" {
				t.Errorf("stderr %q: a nodeinit that is not PID 1 should be quiet", p.Errors())
			}
		})
	}
}

func TestWarnsOnReap(t *testing.T) {
	t.Parallel()
	for flags, level := range map[string]string{"": "", "-v": "debug", "-w": "warn", "--warn-on-reap": "warn"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			p := harness.UnderInit(flags, testproc.Argv("orphaner")...).Start(t)
			_ = p.Line()
			p.Expect("adopted by 1")
			harness.ExpectProcesses(t, p, 2)
			p.CloseStdin()
			p.WaitCode(7)
			seen := ""
			for _, line := range harness.ReadLog(t, p.Output()) {
				if line.Msg == "orphan reaped" && line.Facts["pid"] != nil && line.Facts["status"] == 0.0 {
					seen += line.Level
				}
			}
			if seen != level {
				t.Errorf("orphan logged at %q, want %q:\n%s", seen, level, p.Output())
			}
		})
	}
}

// mortal starts args and dies of SIGUSR1.
func mortal(args []string) {
	die := make(chan os.Signal, 1)
	signal.Notify(die, unix.SIGUSR1)
	harness.Spawn(nil, args...)
	<-die
}

// The outer nodeinit sends SIGTERM to what mortal leaves behind; SIGINT can
// only come from the kernel.
func TestStopsItsProgramWhenItsParentDies(t *testing.T) {
	t.Parallel()
	for name, start := range map[string][]string{
		"flag":        {harness.Nodeinit, "-p", "INT"},
		"environment": {"env", "NODEINIT_PDEATHSIG=INT", harness.Nodeinit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner := slices.Concat(start, []string{"--"}, testproc.Argv("catcher", "program", "2"))
			p := harness.UnderInit("--log-level off", testproc.Argv("mortal", inner...)...).Start(t)
			p.Expect("program up")
			p.Signal(unix.SIGUSR1)
			p.WaitCode(0)
			if lines := p.Rest(); !slices.Contains(lines, "program 2") {
				t.Errorf("reported %q, want a SIGINT", lines)
			}
			if report := exitReport(t, p.Output()); report.Facts["requested"] != true {
				t.Errorf("exit report %v, want a requested exit", report.Facts)
			}
		})
	}
}
