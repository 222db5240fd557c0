package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

type (
	ready     string // "" is not set
	stopOrder string
)

func (r *ready) UnmarshalText(b []byte) error {
	return choose((*string)(r), b, "listen", "message", "none")
}
func (o *stopOrder) UnmarshalText(b []byte) error {
	return choose((*string)(o), b, "auto", "signal", "drain")
}

func (r ready) String() string     { return string(r) }
func (o stopOrder) String() string { return string(o) }

// A reloadSignal is a signal that can mean a reload; 0 is not set.
type reloadSignal signal

// faults are the signals that a process gets for a fault of its own: nodeinit
// may get one too, and then it is no request.
var faults = []unix.Signal{
	unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGSTKFLT, unix.SIGSYS,
}

func (s *reloadSignal) UnmarshalText(b []byte) error {
	sig, err := signals.Parse(string(b))
	if err != nil {
		return err
	}
	_, stops := signals.Rules{}.Apply(sig)
	switch {
	case stops:
		return fmt.Errorf("%q is a request to stop (try HUP)", b)
	case !signals.Catchable(sig) || slices.Contains(faults, sig):
		return fmt.Errorf("%q cannot mean a reload (try HUP)", b)
	}
	*s = reloadSignal(sig)
	return nil
}

func (s reloadSignal) sig() unix.Signal { return unix.Signal(s) }
func (s reloadSignal) String() string   { return signal(s).String() }

// A hangTimeout is for how long a worker may be silent; 0 is for ever.
type hangTimeout duration

// leastHang is some times as long as the agent takes from report to report.
const leastHang = hangTimeout(3 * time.Second)

func (h *hangTimeout) UnmarshalText(b []byte) error {
	var d duration
	if err := d.UnmarshalText(b); err != nil {
		return err
	}
	if d != 0 && hangTimeout(d) < leastHang {
		return fmt.Errorf("%q is less than %s, and workers report once a second (try 10s, or 0 for off)", b, leastHang)
	}
	*h = hangTimeout(d)
	return nil
}

func (h hangTimeout) String() string { return duration(h).String() }

// A maxMemory is how much memory a worker may have: so many bytes, or so much of
// its share of the limit. The zero value is as much as it wants.
type maxMemory struct {
	fixed   size
	percent float64
}

func (m *maxMemory) UnmarshalText(b []byte) error {
	var v maxMemory
	number, percent := strings.CutSuffix(string(b), "%")
	err := error(nil)
	switch {
	case string(b) == "off":
	case percent:
		v.percent, err = strconv.ParseFloat(number, 64)
	default:
		err = v.fixed.UnmarshalText(b)
	}
	if err != nil || percent && !(v.percent > 0 && v.percent <= 100) || v.fixed > 0 && v.fixed < mib {
		return fmt.Errorf("%q is neither off nor a size of at least 1M nor a percentage up to 100%% (try 80%%)", b)
	}
	*m = v
	return nil
}

func (m maxMemory) String() string {
	switch {
	case m.percent > 0:
		return strconv.FormatFloat(m.percent, 'g', -1, 64) + "%"
	case m.fixed > 0:
		return m.fixed.String()
	default:
		return "off"
	}
}
