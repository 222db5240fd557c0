package main

import (
	"bytes"
	"errors"
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
		kib, err := number(rollup, "Pss:")
		if err != nil {
			return 0, fmt.Errorf("smaps_rollup of process %d: %w", pid, err)
		}
		sum += kib / 1024
	}
	return sum, nil
}

// number returns the first number behind a key, as the lines of /proc/PID/status
// and /proc/PID/smaps_rollup have it.
func number(text []byte, key string) (float64, error) {
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(key)); ok {
			if fields := bytes.Fields(value); len(fields) > 0 {
				return strconv.ParseFloat(string(fields[0]), 64)
			}
		}
	}
	return 0, fmt.Errorf("no number behind %q", key)
}

// addMemory adds what a process holds, in MB of 1,000,000 bytes, and its threads.
func (f figures) addMemory(contender string, pid int) error {
	status, err1 := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	rollup, err2 := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	const megabytes = 1024 / 1e6 // in a KiB
	for _, from := range []struct {
		figure, key string
		text        []byte
		unit        float64
	}{
		{resident, "VmRSS:", status, megabytes},
		{proportional, "Pss:", rollup, megabytes},
		{anonymous, "Anonymous:", rollup, megabytes},
		{threads, "Threads:", status, 1},
	} {
		value, err := number(from.text, from.key)
		if err != nil {
			return fmt.Errorf("process %d: %w", pid, err)
		}
		f.add(from.figure, contender, value*from.unit)
	}
	return nil
}

// minorFaults returns those of processes and of the children they waited for.
func minorFaults(pids []int) (sum float64, err error) {
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // ended meanwhile
		}
		if err != nil {
			return 0, err
		}
		faults, err := faultsOf(stat)
		if err != nil {
			return 0, fmt.Errorf("stat of process %d: %w", pid, err)
		}
		sum += faults
	}
	return sum, nil
}

// faultsOf returns minflt and cminflt, fields 10 and 11 of /proc/PID/stat (proc(5)).
func faultsOf(stat []byte) (float64, error) {
	// The name in parentheses, field 2, may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 9 {
		return 0, fmt.Errorf("%q is too short", stat)
	}
	own, err1 := strconv.ParseFloat(string(fields[7]), 64)
	children, err2 := strconv.ParseFloat(string(fields[8]), 64)
	return own + children, errors.Join(err1, err2)
}
