package admin

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// openFDs returns how many file descriptors a process has open: the size of its /proc/PID/fd
// (Linux 6.2; fs/proc/fd.c, proc_readfd_count). Before that they are counted, unless they
// are too many.
func openFDs(pid int) float64 {
	path := "/proc/" + strconv.Itoa(pid) + "/fd"
	var info unix.Stat_t
	if unix.Stat(path, &info) == nil && info.Size > 0 {
		return float64(info.Size)
	}
	dir, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return unknown()
	}
	defer unix.Close(dir)
	entries := make([]byte, 4<<10)
	for count := 0; count < maxDescriptors; {
		n, err := unix.ReadDirent(dir, entries)
		if err != nil || n == 0 {
			return ifKnown(float64(count), err == nil)
		}
		_, _, names := unix.ParseDirent(entries[:n], -1, nil)
		count += len(names)
	}
	return unknown()
}

// maxFDs returns how many descriptors a process may have; 0 is this one.
func maxFDs(pid int) float64 {
	var limit unix.Rlimit
	err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit)
	return ifKnown(float64(limit.Cur), err == nil)
}
