package exec

import (
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/files"
)

// Inherited returns the descriptors above 2 that were passed to this process, for
// the program (socket activation). They are those without close-on-exec, which Go
// sets on all that it opens. Without /proc there are none.
func Inherited() []int {
	var fds []int
	names, _ := files.Names("/proc/self/fd")
	for _, name := range names {
		fd, _ := strconv.Atoi(name)
		if fd <= 2 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			fds = append(fds, fd)
		}
	}
	return fds
}

// CloseInherited closes inherited and changes to /, so that this process keeps no
// socket open and no mount busy. No child can be started with them after that.
func CloseInherited(inherited []int) {
	for _, fd := range inherited {
		_ = unix.Close(fd)
	}
	_ = unix.Chdir("/")
}

// DropListenPID returns env without LISTEN_PID if that is this process. A child that
// inherits the descriptors would ignore them: sd_listen_fds(3) compares LISTEN_PID
// with the process ID, which is not known before the child runs. LISTEN_FDS stays.
func DropListenPID(env []string) []string {
	own := "LISTEN_PID=" + strconv.Itoa(os.Getpid())
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool { return kv == own })
}
