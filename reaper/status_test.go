package reaper

import "testing"

// Of what the kernel tells, a state counts, and a pending signal that will stop
// the process as soon as it runs.
func TestStoppedInStatus(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"":                               false,
		"State:":                         false,
		"Name:\tT\nState:\tS (sleeping)": false,
		"Name:\tx\nState:\tT (stopped)":  true,
		"State:\tt (tracing stop)":       true,
		"State:\tR (running)\nSigQ:\t1/2\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000080000\n":                               true,  // TSTP
		"State:\tR (running)\nSigPnd:\t0000000000040000\nShdPnd:\t0\nSigBlk:\t0\nSigIgn:\t0\nSigCgt:\t0":                        true,  // STOP
		"State:\tD (disk sleep)\nSigPnd:\t0\nShdPnd:\t0000000000004000\n":                                                       false, // TERM
		"State:\tS (sleeping)\nShdPnd:\t0000000000080000\nSigBlk:\t0000000000080000\n":                                          false,
		"State:\tS (sleeping)\nShdPnd:\t0000000000080000\nSigIgn:\t0000000000080000\n":                                          false,
		"State:\tR (running)\nShdPnd:\t0000000000080000\nSigBlk:\t0\nSigIgn:\t0\nSigCgt:\t0000000000080000\n":                   false,
		"State:\tR (running)\nShdPnd:\t0000000000280000\nSigBlk:\t0\nSigIgn:\t0000000000200000\nSigCgt:\tnot what it should be": true,
	} {
		if got := stoppedIn([]byte(text)); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
