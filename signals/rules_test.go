package signals_test

import (
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
)

func quote(s string) string { return strconv.Quote(s) }

func TestRewriteText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"TERM:INT":        "SIGTERM:SIGINT",
		"sigterm:2":       "SIGTERM:SIGINT",
		"HUP:0":           "SIGHUP:0",
		"1:KILL":          "SIGHUP:SIGKILL",
		"USR1:USR1":       "SIGUSR1:SIGUSR1",
		"RTMIN+1:RTMAX":   "SIGRTMIN+1:SIGRTMIN+30",
		"WINCH:STOP":      "SIGWINCH:SIGSTOP",
		"64:SIGRTMIN":     "SIGRTMIN+30:SIGRTMIN",
		"SIGUSR2:SIGPIPE": "SIGUSR2:SIGPIPE",
	} {
		var r signals.Rewrite
		if err := r.UnmarshalText([]byte(text)); err != nil || r.String() != want {
			t.Errorf("%q is %s, %v, want %s", text, r, err, want)
		}
		var again signals.Rewrite
		if err := again.UnmarshalText([]byte(want)); err != nil || again != r {
			t.Errorf("%q is %s, %v, want %s", want, again, err, r)
		}
	}
}

func TestRewriteErrors(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", ":", "TERM", "15", "TERM:", ":INT", ":0", "0:TERM", "TERM:INT:HUP", "TERM:NOPE", "NOPE:TERM",
		"TERM:65", "TERM:-1", "TERM:00", "TERM: INT", "TERM=INT", "TERM:INT\n", "\xff:\xff",
		"KILL:TERM", "STOP:TERM", "CHLD:TERM", "PIPE:TERM", "TTIN:0", "TTOU:0", "URG:TERM", "PROF:0",
		"32:TERM", "RTMIN:TERM", "TERM:CHLD", "TERM:17",
	} {
		var r signals.Rewrite
		err := r.UnmarshalText([]byte(text))
		if err == nil {
			t.Errorf("%q is %s, want an error", text, r)
			continue
		}
		checkHint(t, err, text)
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	const (
		hup, intr, quit, term = unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM
		usr1, usr2            = unix.SIGUSR1, unix.SIGUSR2
	)
	type rewrites = []signals.Rewrite
	for _, c := range []struct {
		name     string
		stop     unix.Signal
		rewrites rewrites
		arrives  unix.Signal
		send     unix.Signal
		stops    bool
	}{
		{name: "SIGTERM stops", arrives: term, send: term, stops: true},
		{name: "SIGINT stops", arrives: intr, send: intr, stops: true},
		{name: "SIGQUIT stops", arrives: quit, send: quit, stops: true},
		{name: "others do not", arrives: hup, send: hup},
		{name: "real-time ones do not", arrives: 40, send: 40},
		{name: "stop signal in place of SIGTERM", stop: usr2, arrives: term, send: usr2, stops: true},
		{name: "stop signal in place of SIGINT", stop: usr2, arrives: intr, send: usr2, stops: true},
		{name: "stop signal SIGINT in place of SIGTERM", stop: intr, arrives: term, send: intr, stops: true},
		{name: "stop signal itself", stop: usr2, arrives: usr2, send: usr2, stops: true},
		{name: "stop signal leaves others alone", stop: usr2, arrives: usr1, send: usr1},
		{name: "stop signal SIGKILL", stop: unix.SIGKILL, arrives: term, send: unix.SIGKILL, stops: true},
		{name: "rewritten", rewrites: rewrites{{From: hup, To: usr1}}, arrives: hup, send: usr1},
		{name: "only what is named", rewrites: rewrites{{From: hup, To: usr1}}, arrives: usr1, send: usr1},
		{name: "not rewritten twice", rewrites: rewrites{{From: hup, To: usr1}, {From: usr1, To: usr2}}, arrives: hup, send: usr1},
		{name: "swapped", rewrites: rewrites{{From: usr1, To: usr2}, {From: usr2, To: usr1}}, arrives: usr2, send: usr1},
		{name: "the first counts", rewrites: rewrites{{From: hup, To: usr1}, {From: hup, To: usr2}}, arrives: hup, send: usr1},
		{name: "dropped", rewrites: rewrites{{From: hup}}, arrives: hup},
		{name: "a dropped stop does not stop", rewrites: rewrites{{From: term}}, arrives: term},
		{name: "a dropped stop signal does not stop", stop: usr2, rewrites: rewrites{{From: usr2}}, arrives: usr2},
		{name: "a stop stays one under another name", rewrites: rewrites{{From: term, To: usr1}}, arrives: term, send: usr1, stops: true},
		{name: "rewritten to a stop", rewrites: rewrites{{From: hup, To: term}}, arrives: hup, send: term, stops: true},
		{name: "rewritten to the stop signal", stop: usr2, rewrites: rewrites{{From: hup, To: usr2}}, arrives: hup, send: usr2, stops: true},
		{name: "rewrite before stop signal", stop: usr2, rewrites: rewrites{{From: term, To: hup}}, arrives: term, send: hup, stops: true},
		{name: "rewritten to SIGKILL is no request", rewrites: rewrites{{From: hup, To: unix.SIGKILL}}, arrives: hup, send: unix.SIGKILL},
	} {
		send, stops := signals.Rules{Rewrites: c.rewrites, Stop: c.stop}.Apply(c.arrives)
		if send != c.send || stops != c.stops {
			t.Errorf("%s: Apply(%d) = %d, %v, want %d, %v", c.name, c.arrives, send, stops, c.send, c.stops)
		}
	}
}
