package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

// Catcher is a role that reports, as NAME NUMBER, every signal that it gets, until its stdin
// closes or one of the signals in args comes; then it exits with 7.
func Catcher(args []string) {
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

// Caught returns the lines that the Catcher called name reports for signals.
func Caught(name string, signals ...unix.Signal) []string {
	var lines []string
	for _, sig := range signals {
		lines = append(lines, fmt.Sprintf("%s %d", name, sig))
	}
	return lines
}

// Ancestor is a role that starts a line of descendants, as many as args[0], each
// of which ends as soon as it has started the next, and waits for none of them.
// It exits with 7.
func Ancestor(args []string) {
	Spawn(nil, testproc.Argv("descendant", args...)...)
	testproc.UntilStdinCloses()
	os.Exit(7)
}

// Descendant is the role of one of the line: args are how many more are to come
// and, if given, "setsid", when each has a session of its own.
func Descendant(args []string) {
	more, err := strconv.Atoi(args[0])
	if err != nil {
		Fail(err)
	}
	if more == 0 {
		testproc.Say("end of the line")
		return
	}
	args[0] = strconv.Itoa(more - 1)
	Spawn(&syscall.SysProcAttr{Setsid: len(args) > 1}, testproc.Argv("descendant", args...)...)
}

// Leaver is a role that starts a catcher in a session of its own and leaves
// it behind when a SIGTERM or SIGUSR1 comes: it exits with 7.
func Leaver([]string) {
	end := make(chan os.Signal, 1)
	signal.Notify(end, unix.SIGTERM, unix.SIGUSR1)
	Spawn(&syscall.SysProcAttr{Setsid: true}, testproc.Argv("catcher", "leftover")...)
	<-end
	os.Exit(7)
}

// Spawn starts, from a role, a process that can report as well and has this
// process's stdin.
func Spawn(attr *syscall.SysProcAttr, argv ...string) *exec.Cmd {
	c := exec.Command(argv[0], argv[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.ExtraFiles, c.SysProcAttr = []*os.File{os.NewFile(3, "reports")}, attr
	if err := c.Start(); err != nil {
		Fail(err)
	}
	return c
}

// JobShell is a role, a session leader, that runs args as a job in the background, or in
// the foreground if the first of them says so. SIGUSR1 brings the job to the
// foreground. When it ends, JobShell reports how, and whether the foreground
// is again with the group to which it was given, as it must be for a job.
func JobShell(args []string) {
	fg := make(chan os.Signal, 1)
	signal.Notify(fg, unix.SIGUSR1)
	signal.Ignore(unix.SIGTTOU)
	job := Spawn(&syscall.SysProcAttr{Setpgid: true, Foreground: args[0] == "foreground"}, args[1:]...)
	go func() {
		for range fg {
			if err := unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, job.Process.Pid); err != nil {
				Fail(err)
			}
			_ = unix.Kill(-job.Process.Pid, unix.SIGCONT)
		}
	}()
	_ = job.Wait() // its status is reported
	group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	if err != nil {
		Fail(err)
	}
	testproc.Say("ended with %d, terminal with the job: %v", job.ProcessState.ExitCode(), group == job.Process.Pid)
}

// Nobody is a role that executes args as the user 65534.
func Nobody(args []string) {
	if err := errors.Join(syscall.Setgid(65534), syscall.Setuid(65534)); err != nil {
		Fail(err)
	}
	Become(args)
}
