package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns what a process has used of the CPUs: its utime and stime, but
// to the nanosecond, from the clock that clock_getcpuclockid(3) finds.
func cpuTime(pid int) (time.Duration, error) {
	const sched = 2 // CPUCLOCK_SCHED
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|sched), &used); err != nil {
		return 0, fmt.Errorf("clock of process %d: %w", pid, err)
	}
	return time.Duration(used.Nano()), nil
}

func cpuTimes(pids []int) (sum time.Duration, err error) {
	for _, pid := range pids {
		used, err := cpuTime(pid)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// busyTime returns what the CPUs of the machine have been busy so far, with what
// the host took from it.
func busyTime() (sum time.Duration, err error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	// cpu user nice system idle iowait irq softirq steal guest guest_nice; user holds guest already.
	fields := bytes.Fields(line)
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		ticks, err := strconv.Atoi(string(fields[i]))
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		sum += time.Duration(ticks) * time.Second / 100 // USER_HZ
	}
	return sum, nil
}

// pss returns the proportional memory of processes in MiB.
func pss(pids []int) (sum float64, err error) {
	for _, pid := range pids {
		rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, err
		}
		sum += kib(rollup, "\nPss:") / 1024
	}
	return sum, nil
}
