package operate

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nodeinit/nodeinit/internal/testproc"
)

func TestJournalWakesForWholeLines(t *testing.T) {
	t.Parallel()
	j := newJournal()
	ended := make(chan struct{})
	write := func(s string) {
		if n, err := j.Write([]byte(s)); n != len(s) || err != nil {
			t.Errorf("wrote %d, error %v", n, err)
		}
	}
	write("one\ntw")
	if n := j.mark(); n != 1 {
		t.Fatalf("%d lines, want 1", n)
	}
	go write("o listens\nthree")
	seen := func(lines []string) (bool, error) { return countLines(lines, "two", "listens") == 1, nil }
	if err := j.await(t.Context(), 1, "two", ended, seen); err != nil {
		t.Fatal(err)
	}
	close(ended)
	if err := j.await(t.Context(), 1, "two again", ended, seen); err != nil {
		t.Errorf("last words: %v", err)
	}
	if err := j.await(t.Context(), 2, "three", ended, seen); !errors.Is(err, errEnded) {
		t.Errorf("error is %v, want %v", err, errEnded)
	}
}

func TestRecycledCountsThoseThatHaveEnded(t *testing.T) {
	t.Parallel()
	lines := []string{
		"the application's own",
		`{"msg":"worker leaving","worker":0,"pid":1,"why":"max_age"}`,
		`{"msg":"worker leaving","worker":1,"pid":2,"why":"reload"}`,
		`{"msg":"worker ended","worker":1,"pid":2}`,
		`{"msg":"worker ended","worker":0,"pid":1}`,
		`{"msg":"worker leaving","worker":0,"pid":3,"why":"max_age"}`,
	}
	if n := recycled(lines); n != 1 {
		t.Errorf("%d recycled, want 1", n)
	}
}

// Whatever the selection leaves out, each value of each list is in it once.
func TestSelectionShowsEverything(t *testing.T) {
	t.Parallel()
	m := newMatrix()
	m.only = regexp.MustCompile("")
	cells, err := m.cells()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[cell]bool)
	var words []string
	for _, c := range cells {
		if seen[c] || !c.possible() {
			t.Errorf("%s is there twice, or impossible", c)
		}
		seen[c] = true
		words = append(words, c.contender, c.balance, c.app, c.node, c.event, c.load)
	}
	for _, l := range []list{m.nodes, m.apps, m.balances, m.contenders, m.events, m.loads} {
		for _, word := range l.all {
			if !slices.Contains(words, word) {
				t.Errorf("no row for %s", word)
			}
		}
	}
}

// An answer that is cut off under way is a failure, and is not repeated.
func TestFloodHidesNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{loadKept, loadNew} {
		var asked, dropped, refused atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch n := asked.Add(1); {
			case n == 200:
				cancel()
			case n%10 == 3:
				dropped.Add(1)
				panic(http.ErrAbortHandler) // net/http resets the stream
			case n%10 == 5:
				refused.Add(1)
				w.WriteHeader(http.StatusBadGateway)
			}
		}))
		server.EnableHTTP2 = true
		server.StartTLS()
		f := &flood{url: server.URL, timeout: testproc.HangLimit, errors: make(map[string]int)}
		f.run(ctx, kind, nil)
		server.Close()
		got, want := f.tally, tally{Read: int(dropped.Load()), Status: int(refused.Load())}
		want.Requests = int(asked.Load()) - want.Read - want.Status
		if got.Requests != want.Requests || got.Read != want.Read || got.Status != want.Status || got.failed() != want.failed() || got.Resent != 0 {
			t.Errorf("%s: tally is %+v, want %+v; errors %v", kind, got, want, f.errors)
		}
		few := got.Connections < 100
		if few != (kind == loadKept) {
			t.Errorf("%s: %d connections for %d requests", kind, got.Connections, asked.Load())
		}
	}
}

func TestListRefusesWhatIsNotInIt(t *testing.T) {
	t.Parallel()
	l := list{all: []string{"a", "b"}}
	if err := l.Set("c"); err == nil || !strings.Contains(err.Error(), "a,b") {
		t.Errorf("error is %v, want one that names what there is", err)
	}
	if err := l.Set("all"); err != nil || !slices.Equal(l.or(), l.all) {
		t.Errorf("all is %v, error %v", l.or(), err)
	}
}
