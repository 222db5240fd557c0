package exec

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// HasForeground reports whether the process group of pid is the foreground group of
// the terminal on stdin.
func HasForeground(pid int) bool {
	group, err := unix.IoctlGetInt(unix.Stdin, unix.TIOCGPGRP)
	return err == nil && group == pid
}

// inForeground reports whether this process's group has the terminal. A background
// job must not take it from the shell.
func inForeground() bool { return HasForeground(unix.Getpgrp()) }

// LendForeground makes the process group of pid the foreground group of the terminal
// if this process's is, as after fg in a shell.
func LendForeground(pid int) {
	if inForeground() {
		setForeground(pid)
	}
}

// ReclaimForeground makes this process's group the foreground group again if that of
// pid is, so that a script that started this process can read from the terminal.
func ReclaimForeground(pid int) {
	if HasForeground(pid) {
		setForeground(unix.Getpgrp())
	}
}

func setForeground(group int) { _ = unix.IoctlSetPointerInt(unix.Stdin, unix.TIOCSPGRP, group) }

// Suspend stops this process and the others of its group as ^Z does, and returns when
// it is continued; at once where there is nobody to continue it: the kernel then lets
// no terminal stop a group (one without a parent in another group of the session).
func Suspend() error {
	const ignore = 1
	var caught disposition
	if err := sigaction(unix.SIGTSTP, &disposition{ignore}, &caught); err != nil {
		return err
	}
	err := unix.Kill(0, unix.SIGTSTP) // the others, such as time(1), or the rest of a pipe
	if err == nil {
		// A signal for this thread takes effect before tgkill returns; one for the process may
		// be taken by another thread, later.
		runtime.LockOSThread()
		_ = sigaction(unix.SIGTSTP, new(disposition), nil)
		err = unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGTSTP)
		runtime.UnlockOSThread()
	}
	_ = sigaction(unix.SIGTSTP, &caught, nil)
	return os.NewSyscallError("kill", err)
}
