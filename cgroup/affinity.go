package cgroup

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Affinity returns the number of CPUs that the calling thread may run on, cpusets
// included. All threads of a process have the same, unless one is pinned.
func Affinity() (int, error) {
	const maxCPUs = 1 << 20 // a Linux kernel has 8192 at most (NR_CPUS)
	for cpus := 1024; ; cpus *= 2 {
		mask := unix.NewCPUSet(cpus)
		err := unix.SchedGetaffinityDynamic(0, mask)
		if err == nil {
			return mask.Count(), nil
		}
		// EINVAL: the mask is shorter than the kernel's (sched_getaffinity).
		if !errors.Is(err, unix.EINVAL) || cpus >= maxCPUs {
			return 0, os.NewSyscallError("sched_getaffinity", err)
		}
	}
}
