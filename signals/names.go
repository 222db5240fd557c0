// Package signals names signals, catches those that a Go program can have, and
// rewrites them on their way to the program.
package signals

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Real-time signals as the C library counts them, which is what kill -l and
// users do: the kernel's own range starts at 32, but glibc keeps 32 and 33 for
// its threads (signal(7)).
const (
	rtMin = unix.Signal(34)
	rtMax = unix.Signal(64)
)

// Parse reads a signal given as 15, TERM, SIGTERM or, for the real-time ones,
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

// Name returns the name of sig: SIGTERM, SIGRTMIN+1; its number if it has none.
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

// Catchable reports whether nodeinit can get sig in order to forward it. The
// rest never comes: SIGKILL and SIGSTOP are the kernel's; Go's runtime keeps
// SIGURG, SIGPROF and 32 to 34 for itself (runtime/sigtab_linux_generic.go,
// runtime/signal_unix.go); SIGCHLD, SIGPIPE, SIGTTIN and SIGTTOU tell nodeinit
// about its own children, output and terminal.
func Catchable(sig unix.Signal) bool {
	switch sig {
	case unix.SIGKILL, unix.SIGSTOP, unix.SIGURG, unix.SIGPROF, 32, 33, 34,
		unix.SIGCHLD, unix.SIGPIPE, unix.SIGTTIN, unix.SIGTTOU:
		return false
	default:
		return sig >= 1 && sig <= rtMax
	}
}
