package main

import (
	"runtime/debug"
	"testing"
)

// Garbage is limited, but not where GOGC says what it may be.
func TestLimitGarbage(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	for value, want := range map[string]int{"": gcPercent, "100": 100, "off": 100} {
		t.Setenv("GOGC", value)
		debug.SetGCPercent(100)
		limitGarbage()
		if got := debug.SetGCPercent(100); got != want {
			t.Errorf("GOGC=%q: %d percent, want %d", value, got, want)
		}
	}
}
