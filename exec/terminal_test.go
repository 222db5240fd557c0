package exec_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/reaper"
)

// A child in the background does not get the terminal, and reading from stdin does
// not stop it.
func TestBackgroundLeavesTheTerminal(t *testing.T) {
	t.Parallel()
	terminal, theirs := pty(t)
	defer terminal.Close()
	p := testproc.Command{Argv: testproc.Argv("backgroundStarter"), Stdin: theirs, Attr: onTerminal}.Start(t)
	theirs.Close()
	p.Expect("starts in the foreground: true", "child reads 0 bytes, EOF", "0", "still in the foreground: true")
	p.WaitCode(0)
}

func backgroundStarter([]string) {
	runtime.LockOSThread()
	testproc.Say("starts in the foreground: %v", hasTerminal())
	argv := testproc.Argv("backgroundChild")
	var r reaper.Reaper
	child, err := exec.Command{Path: argv[0], Argv: argv, Env: os.Environ(), Background: true}.Start(&r)
	if err != nil {
		fail(err)
	}
	go r.Run(context.Background())
	<-child.Exited()
	testproc.Say("%d", child.Status().ExitStatus())
	testproc.Say("still in the foreground: %v", hasTerminal())
}

func backgroundChild([]string) {
	n, err := os.Stdin.Read(make([]byte, 10))
	testproc.Say("child reads %d bytes, %v", n, err)
}

func hasTerminal() bool {
	group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// onTerminal makes a process the leader of a session with its stdin as terminal.
var onTerminal = unix.SysProcAttr{Setsid: true, Setctty: true}

// pty opens the two ends of a new terminal.
func pty(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}
