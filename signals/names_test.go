package signals_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]unix.Signal{
		"15": unix.SIGTERM, "TERM": unix.SIGTERM, "SIGTERM": unix.SIGTERM,
		"term": unix.SIGTERM, "sigTerm": unix.SIGTERM, "Kill": unix.SIGKILL,
		"1": 1, "64": 64, "HUP": unix.SIGHUP, "usr2": unix.SIGUSR2, "SIGIO": unix.SIGIO,
		"RTMIN": 34, "SIGRTMIN": 34, "rtmin+1": 35, "SIGRTMIN+30": 64,
		"RTMAX": 64, "SIGRTMAX-1": 63, "sigrtmax-30": 34,
	} {
		if got, err := signals.Parse(text); got != want || err != nil {
			t.Errorf("Parse(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
}

func TestParseNonsense(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", " ", "0", "-1", "65", "99999999999999999999", "1.5", "0x0f", "15 ", " TERM",
		"SIG", "TERMINATE", "SIGSIGTERM", "SIG15", "TERM,INT", "TERM\n", "\x00", "ÄÖÜ",
		"RTMIN+", "RTMIN-1", "RTMIN+0", "RTMIN+31", "RTMIN1", "RTMIN+x", "RTMIN+-1", "RTMIN+9223372036854775807",
		"RTMAX+1", "RTMAX-31", "RTMAX-0", "RTMAX--1", "RTMAX-9223372036854775808",
	} {
		sig, err := signals.Parse(text)
		if err == nil || sig != 0 {
			t.Errorf("Parse(%q) = %d, %v, want an error", text, sig, err)
			continue
		}
		checkHint(t, err, text)
	}
}

// checkHint checks that an error is one line with the value and an example.
func checkHint(t *testing.T, err error, value string) {
	t.Helper()
	message := err.Error()
	if quoted := strings.Trim(quote(value), `"`); !strings.Contains(message, quoted) {
		t.Errorf("%q does not name the value %q", message, value)
	}
	if !strings.Contains(message, "try ") || strings.ContainsAny(message, "\n\r") {
		t.Errorf("%q is not one line with an example", message)
	}
}

func TestNameRoundTrip(t *testing.T) {
	t.Parallel()
	for sig := unix.Signal(1); sig <= 64; sig++ {
		name := signals.Name(sig)
		for _, text := range []string{name, strings.ToLower(name), strings.TrimPrefix(name, "SIG")} {
			if got, err := signals.Parse(text); got != sig || err != nil {
				t.Errorf("Parse(%q) = %d, %v, want %d", text, got, err, sig)
			}
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	for sig, want := range map[unix.Signal]string{
		1: "SIGHUP", 9: "SIGKILL", 15: "SIGTERM", 31: "SIGSYS", 32: "32", 33: "33",
		34: "SIGRTMIN", 35: "SIGRTMIN+1", 64: "SIGRTMIN+30", 0: "0", 65: "65", -1: "-1",
	} {
		if got := signals.Name(sig); got != want {
			t.Errorf("Name(%d) = %q, want %q", sig, got, want)
		}
	}
}

func TestCatchable(t *testing.T) {
	t.Parallel()
	var not []string
	for sig := unix.Signal(0); sig <= 65; sig++ {
		if !signals.Catchable(sig) {
			not = append(not, signals.Name(sig))
		}
	}
	want := []string{
		"0", "SIGKILL", "SIGPIPE", "SIGCHLD", "SIGSTOP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGPROF",
		"32", "33", "SIGRTMIN", "65",
	}
	if !slices.Equal(not, want) {
		t.Errorf("not catchable: %q, want %q", not, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"15", "TERM", "sigrtmin+3", "RTMAX-30", "", "SIG", "RTMIN+-1", "ſigterm"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sig, err := signals.Parse(text)
		if err != nil {
			if sig != 0 {
				t.Fatalf("Parse(%q) = %d with error %v", text, sig, err)
			}
			checkHint(t, err, text)
			return
		}
		if sig < 1 || sig > 64 {
			t.Fatalf("Parse(%q) = %d", text, sig)
		}
		if again, err := signals.Parse(signals.Name(sig)); again != sig || err != nil {
			t.Fatalf("Parse(Name(%d)) = %d, %v", sig, again, err)
		}
	})
}
