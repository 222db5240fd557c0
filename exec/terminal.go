package exec

import "golang.org/x/sys/unix"

// inForeground reports whether stdin is this process's controlling terminal and
// this process has it. In the background it does not: a job must not grab the
// terminal from the shell that put it there.
func inForeground() bool {
	group, err := unix.IoctlGetInt(unix.Stdin, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// LendForeground gives the terminal to the process group of pid if this process
// has it, as after fg in a shell.
func LendForeground(pid int) {
	if inForeground() {
		_ = unix.IoctlSetPointerInt(unix.Stdin, unix.TIOCSPGRP, pid)
	}
}

// ReclaimForeground takes the terminal back from the process group of pid, so
// that a script that started this process can go on reading from it.
func ReclaimForeground(pid int) {
	if group, err := unix.IoctlGetInt(unix.Stdin, unix.TIOCGPGRP); err == nil && group == pid {
		_ = unix.IoctlSetPointerInt(unix.Stdin, unix.TIOCSPGRP, unix.Getpgrp())
	}
}

// HasForeground reports whether stdin is a terminal whose foreground is the
// process group of pid.
func HasForeground(pid int) bool {
	group, err := unix.IoctlGetInt(unix.Stdin, unix.TIOCGPGRP)
	return err == nil && group == pid
}
