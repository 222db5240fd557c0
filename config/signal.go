package config

import (
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

// A Signal is one by name or number; 0 is not set.
type Signal unix.Signal

// UnmarshalText reads a signal as [signals.Parse] does.
func (s *Signal) UnmarshalText(b []byte) error {
	sig, err := signals.Parse(string(b))
	*s = Signal(sig)
	return err
}

// Sig returns s as a signal that can be sent.
func (s Signal) Sig() unix.Signal { return unix.Signal(s) }

func (s Signal) String() string {
	if s == 0 {
		return ""
	}
	return signals.Name(s.Sig())
}
