// Package signals names signals, catches all that a Go program can catch, and decides
// what to forward for each.
//
// [Parse] and [Name] convert between signals and the names that users write. [Catch],
// called at the start of main, returns a channel of all signals to this process.
// [Rules.Apply] returns what to send to the program for one of them, and whether it is
// a request to stop.
package signals

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Real-time signals as the C library and kill -l number them. The kernel's range begins
// at 32, but glibc uses 32 and 33 for its threads (signal(7)).
const (
	rtMin = unix.Signal(34)
	rtMax = unix.Signal(64)
)

// Parse returns the signal written as 15, TERM, SIGTERM or, for real-time signals,
// RTMIN+1 or RTMAX-1; case does not matter.
func Parse(s string) (unix.Signal, error) {
	if n, err := strconv.Atoi(s); err == nil {
		if n < 1 || n > int(rtMax) {
			return 0, fmt.Errorf("%q is not a signal (they go from 1 to %d; try TERM)", s, rtMax)
		}
		return unix.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if sig := unix.SignalNum("SIG" + name); sig != 0 {
		return sig, nil
	}
	if sig, ok := parseRealTime(name); ok {
		return sig, nil
	}
	return 0, fmt.Errorf("%q is not a signal (try TERM, SIGTERM or 15)", s)
}

func parseRealTime(name string) (unix.Signal, bool) {
	base, sign := rtMin, 1
	offset, ok := strings.CutPrefix(name, "RTMIN")
	if !ok {
		base, sign = rtMax, -1
		if offset, ok = strings.CutPrefix(name, "RTMAX"); !ok {
			return 0, false
		}
	}
	if offset == "" {
		return base, true
	}
	n, err := strconv.Atoi(offset)
	sig := base + unix.Signal(n)
	return sig, err == nil && (offset[0] == '+' || offset[0] == '-') && n*sign > 0 && sig >= rtMin && sig <= rtMax
}

// Name returns the name of sig, SIGTERM or SIGRTMIN+1, or its number if it has none.
func Name(sig unix.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	switch {
	case sig == rtMin:
		return "SIGRTMIN"
	case sig > rtMin && sig <= rtMax:
		return fmt.Sprintf("SIGRTMIN+%d", sig-rtMin)
	default:
		return strconv.Itoa(int(sig))
	}
}

// Catchable reports whether nodeinit can catch sig to forward it. It cannot catch
// SIGKILL and SIGSTOP; Go's runtime uses SIGURG, SIGPROF and 32 to 34
// (runtime/sigtab_linux_generic.go, runtime/signal_unix.go); SIGCHLD, SIGPIPE, SIGTTIN
// and SIGTTOU are about nodeinit's own children, output and terminal.
func Catchable(sig unix.Signal) bool {
	switch sig {
	case unix.SIGKILL, unix.SIGSTOP, unix.SIGURG, unix.SIGPROF, 32, 33, 34,
		unix.SIGCHLD, unix.SIGPIPE, unix.SIGTTIN, unix.SIGTTOU:
		return false
	default:
		return sig >= 1 && sig <= rtMax
	}
}
