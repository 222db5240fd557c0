package main

import (
	"os"
	"runtime/debug"
)

// gcPercent has Go collect garbage first at 2 MiB of heap instead of 4, and then, as it
// does once it has collected, every two minutes. A collection takes a millisecond.
const gcPercent = 50

// limitGarbage bounds the memory for garbage, of which heartbeats and looks at the limits
// leave 100 KiB a minute, unless GOGC says what it may be.
func limitGarbage() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
