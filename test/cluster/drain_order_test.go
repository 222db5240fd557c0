package cluster

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/test/harness"
)

// With --stop-order signal, the signal comes first although it is not handled,
// and ends what is being answered.
func TestStopsBySignalFirst(t *testing.T) {
	t.Parallel()
	onEach(t, starts([]string{harness.NewestLine}, "fork", "per-core"), func(t *testing.T, s start) {
		h := s.opens(t, harness.LongGrace+"--stop-order signal")
		h.serves("http", nil)
		slow := h.connect(nil)
		slow.Request("/slow", harness.CloseHeader)
		h.expect("asked")
		h.Signal(unix.SIGTERM)
		slow.ExpectEnd()
		h.endsDrained()
		if h.says("draining") {
			t.Errorf("logged\n%s", h.Output())
		}
	})
}

// With --stop-order drain, the signal comes when all is answered, although the
// application would handle it, and that ends as it does by itself.
func TestStopsByDrainFirst(t *testing.T) {
	t.Parallel()
	for _, handler := range []string{"exits at once", "exits", "closes"} {
		t.Run(handler, func(t *testing.T) {
			t.Parallel()
			onEach(t, starts(harness.EdgeLines(), "fork", "per-core"), func(t *testing.T, s start) {
				h := s.opens(t, harness.LongGrace+"--stop-order drain")
				h.do("handle", handler, nil)
				h.serves("http", nil)
				slow := h.connect(nil)
				slow.Request("/slow", harness.CloseHeader)
				h.expect("asked")
				h.drains()
				h.do("answer", "/slow", nil)
				slow.Expect("answered\n", true)
				h.expect("answered", "SIGTERM")
				if rest := h.ends(0); len(rest) > 0 {
					t.Errorf("the application reports %q besides", rest)
				}
			})
		})
	}
}

// During the drain delay all goes on as before. A second stop signal ends it.
func TestServesDuringTheDrainDelay(t *testing.T) {
	t.Parallel()
	for _, handles := range []bool{false, true} {
		onEach(t, starts([]string{harness.NewestLine}, "fork", "per-core"), func(t *testing.T, s start) {
			h := s.opens(t, harness.LongGrace+"--drain-delay 1h")
			if handles {
				h.do("handle", "exits", nil)
			}
			h.serves("http", nil)
			regular := h.connect(nil)
			regular.Request("/")
			regular.Expect("served\n", false)
			h.Signal(unix.SIGTERM)
			h.untilSaid("stopping")
			regular.Request("/")
			regular.Expect("served\n", false)
			h.isServed()
			regular.Request("/slow", harness.CloseHeader)
			h.expect("asked")
			h.Signal(unix.SIGTERM)
			h.untilSaid("drain delay over")
			status := 143
			if handles {
				h.expect("SIGTERM")
				status = 0
			} else {
				h.untilSaid("draining")
			}
			h.do("answer", "/slow", nil)
			regular.Expect("answered\n", true)
			h.expect("answered")
			if rest := h.ends(status); len(rest) > 0 {
				t.Errorf("the application reports %q besides", rest)
			}
		})
	}
}

// The order follows what the application handles now, not what it did at first.
func TestStopOrderFollowsTheHandlers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		commands []string
		handles  bool
	}{
		"added late":         {[]string{"handle"}, true},
		"removed":            {[]string{"handle", "unhandle"}, false},
		"removed, and added": {[]string{"handle", "unhandle", "handle"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, starts(harness.EdgeLines(), "fork", "per-core"), func(t *testing.T, s start) {
				h := s.opens(t, harness.LongGrace+"--ready message")
				h.serves("http", nil)
				for _, command := range c.commands {
					h.do(command, "exits", nil)
				}
				h.announces()
				slow := h.connect(nil)
				slow.Request("/slow", harness.CloseHeader)
				h.expect("asked")
				h.Signal(unix.SIGTERM)
				status := 143
				if c.handles {
					h.expect("SIGTERM")
					status = 0
				} else {
					h.untilSaid("draining")
				}
				h.do("answer", "/slow", nil)
				slow.Expect("answered\n", true)
				h.expect("answered")
				if rest := h.ends(status); len(rest) > 0 || h.says("draining") == c.handles {
					t.Errorf("the application reports %q; in all\n%s", rest, h.Output())
				}
			})
		})
	}
}

// An application that handles the signal gets it when it has answered what it has
// in hand: many end what is left soon, or at once. Until then it takes more.
func TestFinishesBeforeTheSignal(t *testing.T) {
	t.Parallel()
	onEach(t, starts(harness.EdgeLines(), "fork", "per-core"), func(t *testing.T, s start) {
		h := s.opens(t, harness.LongGrace)
		h.do("handle", "exits at once", nil)
		h.serves("http", nil)
		slow := h.connect(nil)
		slow.Request("/slow")
		h.expect("asked")
		h.Signal(unix.SIGTERM)
		h.untilSaid("finishing")
		h.isServed()
		h.do("answer", "/slow", nil)
		slow.Expect("answered\n", true)
		h.expect("answered", "SIGTERM")
		h.endsByItself()
	})
}

// An application that handles the signal and goes on serving, as if that were a
// library's handler, is drained after it.
func TestDrainsWorkersThatServeOnAfterTheSignal(t *testing.T) {
	t.Parallel()
	onEach(t, starts(harness.EdgeLines(), "fork", "per-core"), func(t *testing.T, s start) {
		h := s.opens(t, harness.LongGrace)
		h.do("handle", "nothing", nil)
		h.serves("http", nil)
		slow := h.connect(nil)
		slow.Request("/stream") // for longer than it may take before the signal comes
		h.expect("asked")
		slow.ReadTo("begun\n")
		h.Signal(unix.SIGTERM)
		h.expect("SIGTERM")
		h.isServed()
		h.untilSaid("serves on after the signal")
		h.untilRefused()
		h.do("answer", "/stream", nil)
		slow.ReadTo("answered\n\r\n0\r\n\r\n")
		h.expect("answered")
		if rest := h.ends(0); len(rest) > 0 {
			t.Errorf("the application reports %q besides", rest)
		}
	})
}
