package exec

import (
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Inherited returns the descriptors above 2 that were passed to this process:
// those without close-on-exec, which Go sets on all that it opens. They are the
// program's (socket activation). It needs /proc; without it there are none.
func Inherited() []int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var fds []int
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd <= 2 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			fds = append(fds, fd)
		}
	}
	return fds
}

// CloseInherited closes inherited and goes to /, so that this process keeps nobody's
// socket open and no mount busy. Call it once no more children are to start.
func CloseInherited(inherited []int) {
	for _, fd := range inherited {
		_ = unix.Close(fd)
	}
	_ = unix.Chdir("/")
}

// DropListenPID returns env without LISTEN_PID if that names this process. The
// descriptors go to a child whose process ID is not known before it runs;
// sd_listen_fds(3) would refuse them with ours. LISTEN_FDS stays.
func DropListenPID(env []string) []string {
	own := "LISTEN_PID=" + strconv.Itoa(os.Getpid())
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool { return kv == own })
}
