package cgroup

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Affinity returns the number of CPUs that the calling thread may run on. That
// is the process's, as long as nobody pins a thread of it; cpusets are included.
func Affinity() (int, error) {
	const tooMany = 1 << 20 // a Linux kernel has 8192 at most (NR_CPUS)
	for cpus := 1024; ; cpus *= 2 {
		mask := unix.NewCPUSet(cpus)
		err := unix.SchedGetaffinityDynamic(0, mask)
		if err == nil {
			return mask.Count(), nil
		}
		// EINVAL: the mask is shorter than the kernel's (sched_getaffinity).
		if !errors.Is(err, unix.EINVAL) || cpus >= tooMany {
			return 0, os.NewSyscallError("sched_getaffinity", err)
		}
	}
}
