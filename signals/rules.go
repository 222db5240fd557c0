package signals

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// A Rewrite forwards To when From arrives, and nothing if To is 0.
type Rewrite struct{ From, To unix.Signal }

// UnmarshalText parses FROM:TO, such as TERM:INT or HUP:0.
func (r *Rewrite) UnmarshalText(text []byte) error {
	from, to, ok := strings.Cut(strings.TrimLeft(string(text), " "), ":") // a space after a comma
	if !ok {
		return fmt.Errorf("%q is not FROM:TO (try TERM:INT, or HUP:0 to drop SIGHUP)", text)
	}
	var err error
	if r.From, err = Parse(from); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	if !Catchable(r.From) {
		return fmt.Errorf("%q: %s never reaches the program through nodeinit, so it cannot be rewritten (try TERM:INT)", text, Name(r.From))
	}
	if to == "0" {
		r.To = 0
		return nil
	}
	if r.To, err = Parse(to); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	if r.To == unix.SIGCHLD {
		return fmt.Errorf("%q: SIGCHLD is for the kernel to send (try TERM:INT)", text)
	}
	return nil
}

// String returns r as FROM:TO.
func (r Rewrite) String() string {
	if r.To == 0 {
		return Name(r.From) + ":0"
	}
	return Name(r.From) + ":" + Name(r.To)
}

// Rules decide what to forward for a signal. The zero value forwards each unchanged.
type Rules struct {
	Rewrites []Rewrite   // the first that matches applies
	Stop     unix.Signal // sent for every request to stop; 0 is the signal that arrived
}

// Apply returns the signal to send when sig arrives, 0 for none, and whether that is a
// request to stop. SIGTERM, SIGINT, SIGQUIT and Stop are requests to stop; a signal
// that is dropped is not.
func (r Rules) Apply(sig unix.Signal) (send unix.Signal, stop bool) {
	stop = r.isStop(sig)
	for _, rewrite := range r.Rewrites {
		if rewrite.From == sig {
			return rewrite.To, rewrite.To != 0 && (stop || r.isStop(rewrite.To))
		}
	}
	if stop && r.Stop != 0 {
		return r.Stop, true
	}
	return sig, stop
}

func (r Rules) isStop(sig unix.Signal) bool {
	switch sig {
	case unix.SIGTERM, unix.SIGINT, unix.SIGQUIT:
		return true
	default:
		return sig != 0 && sig == r.Stop
	}
}
