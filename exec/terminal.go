package exec

import "golang.org/x/sys/unix"

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
