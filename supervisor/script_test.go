package supervisor_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/signals"
)

// An ending is how something ends, so long after what made it end.
type ending struct {
	after  time.Duration
	status unix.WaitStatus
}

// A reaction says how something ends after which signal.
type reaction map[unix.Signal]ending

// A script is what a worker is like.
type script struct {
	fails    int // Start fails so often first
	reaction reaction
	drained  *ending        // what becomes of it when it is drained; nil: nothing
	leaves   *time.Duration // so long after it is drained its channel ends
	finishes *time.Duration // so long after it is to finish it says that it has
	servesOn string         // "soon" or "late" it says so after the signal
	denied   error          // what Signal returns, if not nil
	unseen   error          // what Stopped returns, if not nil
	answers  time.Duration  // so long a check takes
	acts     []act
}

// An act is something that a worker does so long after its start.
type act struct {
	after time.Duration
	do    func(*program)
}

// scriptOf reads a script of words: TERM+1s dies of SIGTERM after a second,
// TERM+1s:0 exits with 0 then, drain+1s:0 does that when it is drained, leave+1s
// only leaves its channel then; finish+1s says then that it has nothing in hand,
// serveson+soon that it serves on after the signal; exit:7@2s and SEGV@2s end it at 2s; binds,
// serves, closes, leaves, hangsup, faults, ready, calls, agent, handles and beat @2s are
// what it reports then; beats:1s@9s beats every second until 9s; rss:5@2s is what
// it takes from then on; stops and runs @2s are what others do to it then;
// fails:2 is not started at first; EPERM cannot be signalled; owes @0s is to ask for
// what its predecessor has, until it settles; of unseen it is not known whether it
// is stopped. well, sick and mute @2s are what it answers to checks from then on, which
// answer+1s delays.
func scriptOf(t *testing.T, text string) script {
	t.Helper()
	s := script{reaction: reaction{}}
	for word := range strings.FieldsSeq(text) {
		what, after, isAct := strings.Cut(word, "@")
		if every, beats := strings.CutPrefix(what, "beats:"); isAct && beats {
			for at := duration(t, every); at <= duration(t, after); at += duration(t, every) {
				s.acts = append(s.acts, act{at, reportOf("beat")})
			}
			continue
		}
		if isAct {
			s.acts = append(s.acts, act{duration(t, after), actOf(t, what)})
			continue
		}
		what, rest, _ := strings.Cut(word, "+")
		switch {
		case word == "EPERM":
			s.denied = unix.EPERM
		case word == "unseen":
			s.unseen = unix.ENOENT
		case strings.HasPrefix(word, "fails:"):
			s.fails = number(t, strings.TrimPrefix(word, "fails:"))
		case what == "answer":
			s.answers = duration(t, rest)
		case what == "serveson":
			s.servesOn = rest
		case what == "finish":
			after := duration(t, rest)
			s.finishes = &after
		case what == "leave":
			after := duration(t, rest)
			s.leaves = &after
		case what == "drain":
			e := endingOf(t, rest, 0)
			s.drained = &e
		default:
			sig := parse(t, what)
			s.reaction[sig] = endingOf(t, rest, killedBy(sig))
		}
	}
	return s
}

// endingOf reads "1s" or "1s:7".
func endingOf(t *testing.T, text string, status unix.WaitStatus) ending {
	t.Helper()
	after, code, exits := strings.Cut(text, ":")
	if exits {
		status = exitedWith(number(t, code))
	}
	return ending{duration(t, after), status}
}

var errRubbish = errors.New("a frame that is no JSON")

func actOf(t *testing.T, what string) func(*program) {
	t.Helper()
	if code, exit := strings.CutPrefix(what, "exit:"); exit {
		return exits(number(t, code))
	}
	if rss, weighs := strings.CutPrefix(what, "rss:"); weighs {
		return func(p *program) { p.weigh(int64(number(t, rss))) }
	}
	if do := reportOf(what); do != nil {
		return do
	}
	if what == "stops" || what == "runs" {
		return func(p *program) {
			p.world.mu.Lock()
			defer p.world.mu.Unlock()
			if p.stopped = true; what == "runs" {
				p.runs()
			}
		}
	}
	if sick, answers := map[string]error{"well": nil, "sick": errSick, "mute": errMute, "unasked": errUnasked}[what]; answers {
		return becomes(sick)
	}
	sig := parse(t, what)
	return func(p *program) { p.end(killedBy(sig)) }
}

func exits(code int) func(*program) { return func(p *program) { p.end(exitedWith(code)) } }

func reportOf(what string) func(*program) {
	var change func(*cluster.State)
	switch what {
	case "binds":
		change = func(s *cluster.State) { s.Online, s.Servers = true, s.Servers+1 }
	case "calls":
		change = func(s *cluster.State) { s.Senders = []string{"log4js", cluster.OtherSender} }
	case "agent":
		change = func(s *cluster.State) { s.Agent = true }
	case "handles":
		change = func(s *cluster.State) { s.Agent, s.Handles = true, []string{"SIGTERM"} }
	case "beat":
		change = func(s *cluster.State) {
			s.Agent, s.Heartbeat = true, time.Now()
			s.Loop = cluster.Loop{Utilisation: 0.5, DelayP50: 1500 * time.Microsecond, DelayP99: 20 * time.Millisecond, Heap: 4096}
		}
	case "serves":
		change = func(s *cluster.State) {
			s.Online, s.Servers = true, s.Servers+1
			s.Listening = append(slices.Clone(s.Listening), "0.0.0.0:"+strconv.Itoa(3000+len(s.Listening)))
		}
	case "owes": // its predecessor has one more
		change = func(s *cluster.State) { s.Awaited = []string{"0.0.0.0:3001"} }
	case "settles":
		change = func(s *cluster.State) { s.Awaited = nil }
	case "closes":
		change = func(s *cluster.State) { s.Servers = max(s.Servers-1, 0) }
	case "finished":
		change = func(s *cluster.State) { s.Finished = true }
	case "serving":
		change = func(s *cluster.State) { s.Serving = true }
	case "ready":
		change = func(s *cluster.State) { s.Ready = true }
	case "leaves":
		change = func(s *cluster.State) { s.Leaving = true }
	case "hangsup":
		change = func(s *cluster.State) { s.Servers, s.Ended = 0, true }
	case "faults":
		change = func(s *cluster.State) { s.Servers, s.Ended, s.Fault = 0, true, errRubbish }
	default:
		return nil
	}
	return func(p *program) { p.report(change) }
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func parse(t *testing.T, name string) unix.Signal {
	t.Helper()
	sig, err := signals.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}
