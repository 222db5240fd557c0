package main

import (
	"io/fs"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/plan"
)

// ownOutputs returns what stdout and stderr of this process are.
func ownOutputs() plan.Outputs {
	kind := func(fd int) plan.Output {
		var stat unix.Stat_t
		if unix.Fstat(fd, &stat) != nil {
			return plan.File
		}
		switch stat.Mode & unix.S_IFMT {
		case unix.S_IFIFO, unix.S_IFSOCK:
			return plan.Pipe
		case unix.S_IFCHR:
			if isTerminal(fd) {
				return plan.Terminal
			}
		}
		return plan.File
	}
	return plan.Outputs{Stdout: kind(unix.Stdout), Stderr: kind(unix.Stderr)}
}

// outputsOfPID1 returns what they are of PID 1. proc is /proc. A terminal is one by its
// device number, because to open it could wait. What cannot be read (by another user)
// is a pipe, as in most containers.
func outputsOfPID1(proc fs.FS) plan.Outputs {
	kind := func(fd int) plan.Output {
		info, err := fs.Stat(proc, "1/fd/"+strconv.Itoa(fd))
		if err != nil {
			return plan.Pipe
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0:
			return plan.Pipe
		case ok && info.Mode()&fs.ModeCharDevice != 0 && isTerminalDevice(unix.Major(uint64(stat.Rdev))):
			return plan.Terminal
		}
		return plan.File
	}
	return plan.Outputs{Stdout: kind(unix.Stdout), Stderr: kind(unix.Stderr)}
}

// isTerminalDevice tells by the major number of a character device: 4 and 5 are
// consoles, 136 to 143 what is below /dev/pts (Documentation/admin-guide/devices.txt).
func isTerminalDevice(major uint32) bool {
	return major == 4 || major == 5 || major >= 136 && major <= 143
}
