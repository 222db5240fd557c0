package supervisor_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/signals"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A scenario is one life of a program under a supervisor.
type scenario struct {
	name    string
	grace   time.Duration
	group   bool
	left    time.Duration // when what is left behind ends by itself; 0: never
	parent  unix.Signal   // comes when the parent dies
	rules   signals.Rules
	denied  error         // the answer to every signal
	signals string        // for nodeinit: "1s TERM, 2s HUP"
	exits   time.Duration // when the program exits with 7 by itself; 0: never
	program string        // what ends the program: "TERM+1s KILL+0s"
	rest    string        // what ends what it leaves behind; "": nothing is left
	want    string        // what happens, and how it ends
	logs    string        // a part of what is logged
}

const never = "USR2+0s" // a reaction to what is never sent

func TestSupervisor(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, s.test)
		})
	}
}

func (s scenario) test(t *testing.T) {
	w := newWorld()
	w.Stop.Grace, w.Group, w.Rules, w.ParentDeathSignal = s.grace, s.group, s.rules, s.parent
	w.program.reaction, w.program.denied, w.left.denied = scriptOf(t, s.program).reaction, s.denied, s.denied
	if s.rest != "" {
		w.left.gone, w.left.reaction = false, scriptOf(t, s.rest).reaction
	}
	if s.left > 0 {
		w.at(s.left, w.left.end)
	}
	if s.exits > 0 {
		w.at(s.exits, func() { w.program.end(exitedWith(7)) })
	}
	for line := range strings.SplitSeq(s.signals, ", ") {
		if line != "" {
			w.sendAt(t, line)
		}
	}
	end, took, err := w.run(t)
	if err != nil {
		t.Error(err)
	}
	if got := w.story(describe(end, took)); got != s.want {
		t.Errorf("got\n%s, want\n%s", got, s.want)
	}
	if !strings.Contains(w.log.String(), s.logs) {
		t.Errorf("%s is not in\n%s", s.logs, w.log.String())
	}
}

// sendAt sends by a line such as "1s TERM".
func (w *world) sendAt(t *testing.T, line string) {
	t.Helper()
	when, name, _ := strings.Cut(line, " ")
	sig := parse(t, name)
	w.at(duration(t, when), func() { w.send(sig) })
}

// story returns all that happened, and the end.
func (w *world) story(end string) string {
	var all []string
	for _, e := range w.events {
		all = append(all, e.String())
	}
	return strings.Join(append(all, end), ", ")
}

// describe returns how long Run took, the status and what else there is to say.
func describe(end supervisor.Exit, took time.Duration) string {
	s := fmt.Sprintf("%v ends %d", took, end.Code())
	if end.Requested {
		s += " requested"
	}
	if end.Killed != "" {
		s += " " + string(end.Killed)
	}
	if end.Survived {
		s += " survived"
	}
	if end.Uptime != took {
		s += fmt.Sprintf(" up %v", end.Uptime)
	}
	return s
}

var scenarios = []scenario{
	{name: "exits by itself", grace: 9 * time.Second, exits: 3 * time.Second,
		want: "3s ends 7"},
	{name: "exits when asked", grace: 9 * time.Second, signals: "1s TERM", program: "TERM+1s",
		want: "1s program TERM, 2s ends 143 requested", logs: `"msg":"stopping","signal":"SIGTERM","grace_ms":9000}`},
	{name: "exits with a status of its own when asked", grace: 9 * time.Second, signals: "1s TERM", exits: 2 * time.Second,
		want: "1s program TERM, 2s ends 7 requested"},
	{name: "is killed after the grace", grace: 9 * time.Second, signals: "1s TERM", program: "KILL+0s",
		want: "1s program TERM, 10s program KILL, 10s ends 137 requested grace_exceeded"},
	{name: "is killed after a grace of a millisecond", grace: time.Millisecond, signals: "1s INT", program: "KILL+0s",
		want: "1s program INT, 1.001s program KILL, 1.001s ends 137 requested grace_exceeded"},
	{name: "grace 0 is for ever", signals: "1s TERM", program: "KILL+0s", exits: 1000 * time.Hour,
		want: "1s program TERM, 1000h0m0s ends 7 requested"},
	{name: "a second stop is forwarded and changes nothing", grace: 9 * time.Second, signals: "1s TERM, 5s INT", program: "KILL+0s",
		want: "1s program TERM, 5s program INT, 10s program KILL, 10s ends 137 requested grace_exceeded"},
	{name: "a third stop kills", grace: 9 * time.Second, signals: "1s TERM, 2s INT, 3s QUIT", program: "KILL+0s",
		want: "1s program TERM, 2s program INT, 3s program QUIT, 3s program KILL, 3s ends 137 requested stop_repeated"},
	{name: "the death of the parent is one stop, however often it comes", grace: 9 * time.Second, parent: unix.SIGTERM,
		signals: "1s TERM, 2s TERM, 3s TERM, 4s INT", exits: 5 * time.Second,
		want: "1s program TERM, 2s program TERM, 3s program TERM, 4s program INT, 5s ends 7 requested"},
	{name: "a third stop kills with grace 0 too", signals: "1s TERM, 2s TERM, 3s TERM", program: "KILL+0s",
		want: "1s program TERM, 2s program TERM, 3s program TERM, 3s program KILL, 3s ends 137 requested stop_repeated"},
	{name: "a third stop kills leftovers at once too", grace: 9 * time.Second, signals: "1s TERM, 2s TERM, 3s TERM", program: "KILL+0s", rest: "KILL+100ms",
		want: "1s program TERM, 2s program TERM, 3s program TERM, 3s program KILL, 3s rest KILL, 3.1s ends 137 requested stop_repeated up 3s"},
	{name: "signals that are no stop do not count", grace: 9 * time.Second, signals: "1s HUP, 2s TERM, 3s HUP, 4s USR1, 5s HUP", program: "KILL+0s",
		want: "1s program HUP, 2s program TERM, 3s program HUP, 4s program USR1, 5s program HUP, 11s program KILL, 11s ends 137 requested grace_exceeded"},
	{name: "signals from before the start", grace: 9 * time.Second, signals: "0s HUP, 1ns TERM", program: "TERM+0s",
		want: "0s program HUP, 1ns program TERM, 1ns ends 143 requested"},
	{name: "no signals after the kill", grace: 9 * time.Second, signals: "0s TERM, 9100ms HUP, 9200ms TERM", program: "KILL+500ms",
		want: "0s program TERM, 9s program KILL, 9.5s ends 137 requested grace_exceeded"},
	{name: "survives SIGKILL", grace: 9 * time.Second, signals: "0s TERM",
		want: "0s program TERM, 9s program KILL, 10s rest TERM, 10s rest CONT, 10.5s rest KILL, 11.5s ends 137 requested grace_exceeded survived up 10s", logs: "the program survived SIGKILL"},
	{name: "survives SIGKILL for a while", grace: 9 * time.Second, signals: "0s TERM", program: "KILL+1200ms",
		want: "0s program TERM, 9s program KILL, 10s rest TERM, 10s rest CONT, 10.2s ends 137 requested grace_exceeded survived up 10s"},

	{name: "leftovers end when asked", grace: 9 * time.Second, exits: time.Second, rest: "TERM+2s",
		want: "1s rest TERM, 1s rest CONT, 3s ends 7 up 1s", logs: `"msg":"stopping what the program left behind","grace_ms":9000}`},
	{name: "leftovers end by themselves once the program has", grace: 9 * time.Second, exits: time.Second, rest: "CONT+0s",
		want: "1s rest TERM, 1s rest CONT, 1s ends 7"},
	{name: "leftovers get what remains of the grace", grace: 9 * time.Second, signals: "1s TERM", program: "TERM+3s", rest: "KILL+0s",
		want: "1s program TERM, 4s rest TERM, 4s rest CONT, 10s rest KILL, 10s ends 143 requested up 4s", logs: `"grace_ms":6000}`},
	{name: "leftovers get half a second at least", grace: 9 * time.Second, signals: "1s TERM", program: "KILL+0s", rest: "KILL+0s",
		want: "1s program TERM, 10s program KILL, 10s rest TERM, 10s rest CONT, 10.5s rest KILL, 10.5s ends 137 requested grace_exceeded up 10s"},
	{name: "leftovers get half a second of a late end", grace: 9 * time.Second, signals: "0s TERM", program: "TERM+8800ms", rest: "KILL+0s",
		want: "0s program TERM, 8.8s rest TERM, 8.8s rest CONT, 9.3s rest KILL, 9.3s ends 143 requested up 8.8s"},
	{name: "leftovers survive SIGKILL", grace: 3 * time.Second, exits: time.Second, rest: never,
		want: "1s rest TERM, 1s rest CONT, 4s rest KILL, 5s ends 7 up 1s", logs: "processes survived SIGKILL"},
	{name: "leftovers of an end unasked get a grace", grace: 3 * time.Second, exits: time.Second, rest: "KILL+200ms",
		want: "1s rest TERM, 1s rest CONT, 4s rest KILL, 4.2s ends 7 up 1s"},
	{name: "leftovers of an end unasked get 9 s of grace 0", exits: time.Second, rest: "KILL+0s",
		want: "1s rest TERM, 1s rest CONT, 10s rest KILL, 10s ends 7 up 1s"},
	{name: "leftovers of a stop get 9 s of grace 0", signals: "0s TERM", program: "TERM+1h", rest: "KILL+0s",
		want: "0s program TERM, 1h0m0s rest TERM, 1h0m0s rest CONT, 1h0m9s rest KILL, 1h0m9s ends 143 requested up 1h0m0s"},
	{name: "a stop is for the leftovers", grace: 9 * time.Second, exits: time.Second, signals: "2s INT", rest: "INT+1s",
		want: "1s rest TERM, 1s rest CONT, 2s rest INT, 3s ends 7 up 1s"},
	{name: "a third stop kills leftovers", grace: 9 * time.Second, exits: time.Second, signals: "2s TERM, 3s TERM, 4s HUP, 5s INT", rest: "KILL+0s",
		want: "1s rest TERM, 1s rest CONT, 2s rest TERM, 3s rest TERM, 5s rest INT, 5s rest KILL, 5s ends 7 up 1s"},
	{name: "leftovers get nothing after SIGKILL", grace: time.Second, exits: time.Second, signals: "2100ms TERM, 2200ms TERM, 2300ms TERM, 2400ms HUP", rest: "KILL+500ms",
		want: "1s rest TERM, 1s rest CONT, 2s rest KILL, 2.5s ends 7 up 1s"},
	{name: "stops count before and after the end", grace: 9 * time.Second, signals: "0s TERM, 1s TERM, 3s TERM, 4s TERM", program: "TERM+2s", rest: "KILL+5s",
		want: "0s program TERM, 1s program TERM, 2s rest TERM, 2s rest CONT, 3s rest TERM, 3s rest KILL, 4s ends 143 requested up 2s"},

	{name: "rewritten", rules: rewrites("HUP:USR1"), signals: "0s HUP, 1s USR1", exits: 2 * time.Second,
		want: "0s program USR1, 1s program USR1, 2s ends 7", logs: `"msg":"signal forwarded","signal":"SIGHUP","as":"SIGUSR1"}`},
	{name: "dropped", grace: time.Second, rules: rewrites("TERM:0"), signals: "0s TERM, 1s TERM, 2s TERM", exits: 5 * time.Second,
		want: "5s ends 7", logs: `"msg":"signal dropped","signal":"SIGTERM"}`},
	{name: "rewritten to a stop", grace: 9 * time.Second, rules: rewrites("HUP:TERM"), signals: "0s HUP", program: "TERM+1s",
		want: "0s program TERM, 1s ends 143 requested"},
	{name: "stop signal", grace: 9 * time.Second, rules: signals.Rules{Stop: unix.SIGQUIT}, signals: "0s TERM, 1s INT", program: "QUIT+2s",
		want: "0s program QUIT, 1s program QUIT, 2s ends 131 requested"},
	{name: "group", grace: 9 * time.Second, group: true, signals: "0s HUP, 1s TERM", program: "KILL+0s",
		want: "0s program HUP group, 1s program TERM group, 10s program KILL group, 10s ends 137 requested grace_exceeded"},
	{name: "a forward that is not allowed", grace: 9 * time.Second, denied: unix.EPERM, signals: "0s HUP, 1s TERM", exits: 5 * time.Second,
		want: "0s program HUP, 1s program TERM, 5s ends 7 requested", logs: `"msg":"signal not forwarded","signal":"SIGTERM","error":"operation not permitted"}`},
	{name: "leftovers that may not be signalled", grace: time.Second, denied: unix.EPERM, exits: time.Second, rest: "TERM+0s",
		want: "1s rest TERM, 1s rest CONT, 2s rest KILL, 3s ends 7 up 1s", logs: `"msg":"processes left behind not signalled","signal":"SIGTERM","error":"operation not permitted"}`},
	{name: "a kill that is not allowed", grace: 9 * time.Second, denied: unix.EPERM, signals: "0s TERM",
		want: "0s program TERM, 9s program KILL, 10s rest TERM, 10s rest CONT, 10.5s rest KILL, 11.5s ends 137 requested grace_exceeded survived up 10s", logs: `"msg":"program not killed","error":"operation not permitted"}`},
}

func rewrites(text string) signals.Rules {
	var r signals.Rewrite
	if err := r.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return signals.Rules{Rewrites: []signals.Rewrite{r}}
}
