package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A state that was published does not change with the one that it was made of.
func TestClonedStateIsItsOwn(t *testing.T) {
	t.Parallel()
	s := State{Online: true, Servers: 2, Listening: []string{"*:1", "*:2"}, Handles: []string{"SIGTERM"}, Senders: []string{"a"}, PID: 7}
	s.Listening = slices.Grow(s.Listening, 8)
	c := s.clone()
	before := fmt.Sprintf("%+v", c)
	s.addListening("*:3")
	s.Listening[0], s.Handles[0], s.Senders[0] = "x", "x", "x"
	s.Online = false
	if after := fmt.Sprintf("%+v", c); after != before {
		t.Errorf("was %s, is %s", before, after)
	}
	c.addListening("*:4")
	if s.Listening[2] != "*:3" {
		t.Errorf("the copy writes into the original: %q", s.Listening)
	}
}

// A server is listed once, in the order in which they came, and so many at most.
func TestListeningIsListedOnceAndSoMany(t *testing.T) {
	t.Parallel()
	var s State
	for i := range maxListening {
		if !s.addListening(fmt.Sprint("*:", i)) || s.addListening(fmt.Sprint("*:", i)) {
			t.Fatalf("%d is no news, or news twice", i)
		}
	}
	if s.addListening("*:more") || len(s.Listening) != maxListening || s.Listening[0] != "*:0" {
		t.Errorf("%d: %q", len(s.Listening), s.Listening)
	}
}

// Reports are of the state at the time when they were made, in the order in which workers
// changed, and once for each.
func TestReportsAreInOrderAndOnce(t *testing.T) {
	t.Parallel()
	p := run(t, RR)
	a, b := newFakeWorker(t, p, 0), newFakeWorker(t, p, 1)
	b.send(`"ready"`)
	b.state()
	a.send(`"ready"`)
	a.state()
	b.send(`{"cmd":"NODE_CLUSTER","act":"listening","address":null,"port":80,"addressType":4}`)
	b.state()
	<-p.Reported()
	list := p.Reports()
	if len(list) != 2 || list[0].ID != b.w.ID() || list[1].ID != a.w.ID() {
		t.Fatalf("%+v", list)
	}
	if s := list[0].State; !s.Ready || !slices.Equal(s.Listening, []string{"*:80"}) {
		t.Errorf("%+v", s)
	}
	if again := p.Reports(); len(again) > 0 {
		t.Errorf("twice: %+v", again)
	}
	for range 100 { // nothing new
		b.send(`"ready"`)
		b.send(`{"cmd":"NODE_CLUSTER","act":"listening","address":null,"port":80,"addressType":4}`)
	}
	b.state()
	select {
	case <-p.Reported():
		t.Errorf("it is reported that %+v", p.Reports())
	default:
	}
	if a.w.ID() <= 0 || a.w.ID() == b.w.ID() {
		t.Errorf("the workers are %d and %d", a.w.ID(), b.w.ID())
	}
}

// Each library is known by its word near the beginning of a message only, and the first that
// fits counts; no sender is listed twice.
func TestSenderIsKnownByItsWord(t *testing.T) {
	t.Parallel()
	word := `"log4js:message"`
	for what, c := range map[string]struct {
		line string
		want []string
	}{
		"at the beginning":       {`{"topic":` + word + `}`, []string{"log4js"}},
		"as far as is looked":    {strings.Repeat("x", maxSearched-len(word)) + word, []string{"log4js"}},
		"a byte farther":         {strings.Repeat("x", maxSearched-len(word)+1) + word, []string{OtherSender}},
		"in other case":          {strings.ToUpper(word), []string{OtherSender}},
		"of two":                 {`["prom-client:x",` + word + `]`, []string{"log4js"}},
		"a longer word":          {`"log4js:messages"`, []string{OtherSender}},
		"the beginning of one":   {`"prom-client:anything"`, []string{"prom-client"}},
		"nothing":                {``, nil},
		"Node's own":             {`{"cmd":"NODE_DEBUG_ENABLED"}`, nil},
		"Node's own with a word": {`{"cmd":"NODE_X","a":` + word + `}`, nil},
		"almost ready":           {`"ready" `, []string{OtherSender}},
		"ready":                  {`"ready"`, nil},
	} {
		m := newFakeWorker(t, run(t, RR), 0)
		for range 2 {
			m.send("%s", c.line)
		}
		if got := m.state().Senders; !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}
