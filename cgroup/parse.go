package cgroup

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// parseCPUMax returns the quota of a v2 cpu.max in CPUs, 0 for none. The file
// is "max 100000" or "150000 100000", both in microseconds (kernel/sched/core.c,
// cpu_max_show). The kernel accepts one field alone, which keeps the period, but
// always prints two.
func parseCPUMax(text string) (float64, error) {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return 0, fmt.Errorf("%.40q is not a quota and a period", text)
	}
	if fields[0] == "max" {
		return 0, nil
	}
	return parseQuota(fields[0], fields[1])
}

// parseCFS returns the quota of v1's cpu.cfs_quota_us and cpu.cfs_period_us in
// CPUs, 0 for none, which the kernel writes as -1 (tg_get_cfs_quota).
func parseCFS(quota, period string) (float64, error) {
	quota, period = strings.TrimSpace(quota), strings.TrimSpace(period)
	if quota == "-1" {
		return 0, nil
	}
	return parseQuota(quota, period)
}

func parseQuota(quota, period string) (float64, error) {
	q, err := strconv.ParseUint(quota, 10, 64)
	if err != nil || q == 0 {
		return 0, fmt.Errorf("%.40q is not a quota in microseconds", quota)
	}
	p, err := strconv.ParseUint(period, 10, 64)
	if err != nil || p == 0 {
		return 0, fmt.Errorf("%.40q is not a period in microseconds", period)
	}
	return float64(q) / float64(p), nil
}

// noMemoryLimit is a size from which on v1 means no limit. The kernel prints the
// largest number of pages that fits a long, in bytes (mm/memcontrol-v1.c,
// PAGE_COUNTER_MAX), which depends on the page size; kernels before 3.19 had two
// other values. No machine has 4 EiB.
const noMemoryLimit = 1 << 62

// parseMemory returns a limit in bytes, 0 for none, of either version.
func parseMemory(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if text == "max" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%.40q is not a size in bytes", text)
	}
	if n >= noMemoryLimit {
		return 0, nil
	}
	return int64(n), nil
}

// parseMemTotal returns the bytes of a MemTotal value such as "16318480 kB".
func parseMemTotal(value string) (int64, error) {
	number, unit, _ := strings.Cut(value, " ")
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || n == 0 || n >= noMemoryLimit>>10 || unit != "kB" {
		return 0, fmt.Errorf("%.40q is not a size in kB", value)
	}
	return int64(n) << 10, nil
}

// parseCPUList counts the CPUs of a list such as "0-3,8" (lib/bitmap.c,
// bitmap_print_to_pagebuf), which is ascending.
func parseCPUList(list string) (int, error) {
	const maxCPUs = 1 << 20 // a Linux kernel has 8192 at most (NR_CPUS)
	count, next := uint64(0), uint64(0)
	for item := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(item, "-")
		if !isRange {
			last = first
		}
		lo, err1 := strconv.ParseUint(first, 10, 64)
		hi, err2 := strconv.ParseUint(last, 10, 64)
		if err1 != nil || err2 != nil || lo < next || hi < lo || hi >= maxCPUs {
			return 0, fmt.Errorf("%.40q is not a list of CPUs", list)
		}
		count, next = count+hi-lo+1, hi+1
	}
	return int(count), nil
}

// parseCPUMask counts the CPUs of a mask such as "ff,ffffffff".
func parseCPUMask(mask string) (int, error) {
	count := 0
	for word := range strings.SplitSeq(mask, ",") {
		w, err := strconv.ParseUint(word, 16, 32)
		if err != nil {
			return 0, fmt.Errorf("%.40q is not a mask of CPUs", mask)
		}
		count += bits.OnesCount64(w)
	}
	if count == 0 {
		return 0, fmt.Errorf("%.40q is an empty mask of CPUs", mask)
	}
	return count, nil
}

// find returns the value of the first line with that key, as in "oom_kill 3",
// "MemTotal:   16318480 kB" and "some avg10=0.00 total=0".
func find(text, key string) (value string, ok bool) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, key)
		if value := strings.TrimLeft(rest, " \t"); ok && value != rest {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}
