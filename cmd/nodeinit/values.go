package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

// The types of configuration values. Each reads itself, and an error of one
// names the value and gives an example: what flag or variable it came from is
// put in front by the caller. String is what --help shows as the default.

type (
	mode      string
	balance   string // "" is not set
	logFormat string
	logLevel  string
	logTo     string
)

func (m *mode) UnmarshalText(b []byte) error {
	return choose((*string)(m), b, "auto", "fork", "per-core")
}
func (v *balance) UnmarshalText(b []byte) error {
	return choose((*string)(v), b, "rr", "shared", "reuseport", "ip-hash")
}
func (f *logFormat) UnmarshalText(b []byte) error {
	return choose((*string)(f), b, "auto", "json", "text")
}
func (l *logLevel) UnmarshalText(b []byte) error {
	return choose((*string)(l), b, "info", "trace", "debug", "warn", "error", "off")
}
func (t *logTo) UnmarshalText(b []byte) error {
	return choose((*string)(t), b, "stdout", "stderr")
}

func choose(to *string, b []byte, choices ...string) error {
	if !slices.Contains(choices, string(b)) {
		return fmt.Errorf("%q is not one of %s (try %s)", b, strings.Join(choices, ", "), choices[0])
	}
	*to = string(b)
	return nil
}

func (m mode) String() string      { return string(m) }
func (v balance) String() string   { return string(v) }
func (f logFormat) String() string { return string(f) }
func (l logLevel) String() string  { return string(l) }
func (t logTo) String() string     { return string(t) }

// A toggle is on or off.
type toggle bool

func (t *toggle) UnmarshalText(b []byte) error {
	switch strings.ToLower(string(b)) {
	case "1", "true", "yes", "on":
		*t = true
	case "0", "false", "no", "off", "":
		*t = false
	default:
		return fmt.Errorf("%q is neither true nor false (try true)", b)
	}
	return nil
}

func (t toggle) String() string { return strconv.FormatBool(bool(t)) }

// A count is how often a flag was given.
type count int

func (c *count) UnmarshalText(b []byte) error {
	if string(b) == oneMore {
		*c++
		return nil
	}
	n, err := strconv.Atoi(string(b))
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a count (try 1)", b)
	}
	*c = count(n)
	return nil
}

func (c count) String() string { return strconv.Itoa(int(c)) }

// A duration is Go's, or seconds without a unit.
type duration time.Duration

func (d *duration) UnmarshalText(b []byte) error {
	text := string(b)
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is not a duration (try 9s)", b)
	}
	if v < 0 {
		return fmt.Errorf("%q is negative (try 9s)", b)
	}
	*d = duration(v)
	return nil
}

func (d duration) String() string { return time.Duration(d).String() }

// A size is a number of bytes; 0 is not set. K, M, G and T are powers of 1024,
// as docker run -m takes them, with or without i or B.
type size int64

func (s *size) UnmarshalText(b []byte) error {
	bad := fmt.Errorf("%q is not a size (try 512M)", b)
	text := strings.TrimSuffix(strings.ToUpper(string(b)), "B")
	unit := 1.0
	for i, prefix := range []string{"K", "M", "G", "T"} {
		number, found := strings.CutSuffix(strings.TrimSuffix(text, "I"), prefix)
		if found {
			unit, text = float64(int64(1)<<(10*(i+1))), number
			break
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n*unit >= 1 && n*unit < math.MaxInt64) {
		return bad
	}
	*s = size(n * unit)
	return nil
}

func (s size) String() string {
	if s == 0 {
		return ""
	}
	return strconv.FormatInt(int64(s), 10)
}

// cpus is a number of CPUs, not always whole; 0 is not set.
type cpus float64

func (c *cpus) UnmarshalText(b []byte) error {
	n, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(n > 0 && n <= 1<<20) {
		return fmt.Errorf("%q is not a number of CPUs (try 1.5)", b)
	}
	*c = cpus(n)
	return nil
}

func (c cpus) String() string {
	if c == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(c), 'g', -1, 64)
}

// heap is how Node's old space is chosen: by nodeinit, by Node, or a size.
type heap struct {
	auto  bool
	fixed size
}

func (h *heap) UnmarshalText(b []byte) error {
	switch string(b) {
	case "auto":
		*h = heap{auto: true}
	case "off":
		*h = heap{}
	default:
		var fixed size
		if fixed.UnmarshalText(b) != nil || fixed < 1<<20 {
			return fmt.Errorf("%q is neither auto nor off nor a size of at least 1M (try 512M)", b)
		}
		*h = heap{fixed: fixed}
	}
	return nil
}

func (h heap) String() string {
	switch {
	case h.auto:
		return "auto"
	case h.fixed == 0:
		return "off"
	default:
		return h.fixed.String()
	}
}

// A signal is one by name or number; 0 is not set.
type signal unix.Signal

func (s *signal) UnmarshalText(b []byte) error {
	sig, err := signals.Parse(string(b))
	*s = signal(sig)
	return err
}

func (s signal) sig() unix.Signal { return unix.Signal(s) }

func (s signal) String() string {
	if s == 0 {
		return ""
	}
	return signals.Name(s.sig())
}

// A stopSignal is a signal that can end a program; 0 is not set.
type stopSignal signal

func (s *stopSignal) UnmarshalText(b []byte) error {
	sig, err := signals.Parse(string(b))
	if err != nil {
		return err
	}
	if !signals.Catchable(sig) && sig != unix.SIGKILL {
		return fmt.Errorf("%q cannot stop a program (try TERM)", b)
	}
	*s = stopSignal(sig)
	return nil
}

func (s stopSignal) sig() unix.Signal { return unix.Signal(s) }
func (s stopSignal) String() string   { return signal(s).String() }

// A remap replaces one exit status by another.
type remap struct{ from, to int }

func (r *remap) UnmarshalText(b []byte) error {
	from, to, found := strings.Cut(strings.TrimLeft(string(b), " "), ":") // a space after a comma
	if !found {
		to = "0"
	}
	var err1, err2 error
	r.from, err1 = strconv.Atoi(from)
	r.to, err2 = strconv.Atoi(to)
	if err1 != nil || err2 != nil || r.from < 0 || r.from > 255 || r.to < 0 || r.to > 255 {
		return fmt.Errorf("%q is not CODE[:TO] with statuses from 0 to 255 (try 143 or 143:0)", b)
	}
	return nil
}

func (r remap) String() string { return fmt.Sprintf("%d:%d", r.from, r.to) }
