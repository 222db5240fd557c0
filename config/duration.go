package config

import (
	"fmt"
	"strconv"
	"time"
)

// A Duration is Go's, or seconds without a unit.
type Duration time.Duration

// UnmarshalText reads 9s, 1m30s or plain seconds.
func (d *Duration) UnmarshalText(b []byte) error {
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
	*d = Duration(v)
	return nil
}

func (d Duration) String() string { return time.Duration(d).String() }

// A HangTimeout is for how long a worker may be silent; 0 is for ever.
type HangTimeout Duration

// minHang is some times as long as the agent takes from report to report.
const minHang = HangTimeout(3 * time.Second)

// UnmarshalText reads a duration, 3s at least or 0.
func (h *HangTimeout) UnmarshalText(b []byte) error {
	var d Duration
	if err := d.UnmarshalText(b); err != nil {
		return err
	}
	if d != 0 && HangTimeout(d) < minHang {
		return fmt.Errorf("%q is less than %s, and workers report once a second (try 10s, or 0 for off)", b, minHang)
	}
	*h = HangTimeout(d)
	return nil
}

func (h HangTimeout) String() string { return Duration(h).String() }
