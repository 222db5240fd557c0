package cgroup

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Pressure is pressure stall information (Documentation/accounting/psi.rst).
type Pressure struct {
	Known bool  // false if the kernel does not measure it
	Some  Stall // time in which some tasks waited
	Full  Stall // time in which all tasks that were not idle waited
}

// A Stall is the time that tasks waited for a resource.
type Stall struct {
	Avg10 float64       // percent of the last 10 seconds
	Total time.Duration // since the cgroup was created
}

// parsePressure reads a cpu.pressure, memory.pressure or io.pressure, which is
//
//	some avg10=0.12 avg60=0.05 avg300=0.01 total=123456
//	full avg10=0.00 avg60=0.00 avg300=0.00 total=0
//
// in percent and microseconds (kernel/sched/psi.c, psi_show). cpu.pressure has
// no full line before 5.13.
func parsePressure(text string) Pressure {
	some, ok := find(text, "some")
	if !ok {
		return Pressure{}
	}
	full, _ := find(text, "full")
	return Pressure{Known: true, Some: parseStall(some), Full: parseStall(full)}
}

func parseStall(text string) Stall {
	var s Stall
	for field := range strings.FieldsSeq(text) {
		switch key, value, _ := strings.Cut(field, "="); key {
		case "avg10":
			if avg, err := strconv.ParseFloat(value, 64); err == nil && avg >= 0 && !math.IsInf(avg, 0) {
				s.Avg10 = avg
			}
		case "total":
			s.Total = number(value).microseconds().Duration()
		}
	}
	return s
}
