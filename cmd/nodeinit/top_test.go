package main

import (
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/admin"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		typed []string
		want  string
	}{
		"letters":             {[]string{"q", "rs"}, "qrs"},
		"arrows":              {[]string{"\x1b[A\x1b[B", "s"}, "s"},
		"with modifiers":      {[]string{"\x1b[1;5Aq"}, "q"},
		"keypad":              {[]string{"\x1bOs\x1bOqh"}, "h"},
		"function key":        {[]string{"\x1b[15~h"}, "h"},
		"in two reads":        {[]string{"\x1b[1;", "5q", "s"}, "s"},
		"escape":              {[]string{"\x1b", "q"}, "\x1bq"},
		"twice":               {[]string{"\x1b\x1b"}, "\x1b"},
		"with Alt":            {[]string{"\x1bqs"}, "s"},
		"interrupts anything": {[]string{"\x1b[1\x03"}, "\x03"},
		"paste":               {[]string{"\x1b[200~ry\x1b[201~"}, "ry"},
		"not ASCII":           {[]string{"ä"}, "ä"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p keyParser
			var got []byte
			for _, typed := range test.typed {
				got = append(got, p.parse([]byte(typed))...)
			}
			if string(got) != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestSparkline(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		samples samples
		width   int
		top     float64
		want    string // in Unicode, then in ASCII
		ascii   string
	}{
		{nil, 3, 1, "   ", "   "},
		{samples{0, 0.1, 0.5, 0.99, 1}, 5, 1, "▁▁▄██", "..=@@"},
		{samples{0, 100, 200}, 4, 200, " ▁▄█", " .=@"},
		{samples{7, 1, unknown, 1}, 3, 1, "█ █", "@ @"},
		{samples{5}, 1, 1, "█", "@"},
		{samples{0, 0}, 2, 0, "▁▁", ".."},
		{samples{1}, 0, 1, "", ""},
	} {
		if got := sparkline(test.samples, test.width, test.top, true); got != test.want {
			t.Errorf("%v: %q, want %q", test.samples, got, test.want)
		}
		if got := sparkline(test.samples, test.width, test.top, false); got != test.ascii {
			t.Errorf("%v: %q, want %q", test.samples, got, test.ascii)
		}
	}
	var s samples
	for i := range 2 * maxSamples {
		s.add(float64(i))
	}
	if len(s) != maxSamples || s[0] != maxSamples || s.last() != 2*maxSamples-1 {
		t.Errorf("%d samples from %v to %v", len(s), s[0], s.last())
	}
}

func pointer[T any](value T) *T { return &value }

// A worker that has handled so many requests by its heartbeat, at an uptime.
func counting(pid int, heartbeat float64, requests int64) admin.Worker {
	return admin.Worker{
		PID: pid, State: "ready", Uptime: heartbeat + 0.25,
		Utilization: pointer(0.5), HeartbeatAge: pointer(0.25), Requests: &requests,
	}
}

// Requests are counted between heartbeats, however many there are between documents.
func TestRequestsPerSecond(t *testing.T) {
	t.Parallel()
	silent := admin.Worker{PID: 8, State: "starting"}
	var h history
	show := func(pid int, workers ...admin.Worker) {
		h.add(&admin.Document{Nodeinit: admin.Process{PID: pid}, Workers: workers})
	}
	for i, step := range []struct {
		worker admin.Worker
		want   float64
	}{
		{counting(7, 10, 1000), unknown},
		{counting(7, 11, 1100), 100},
		{counting(7, 11, 1100), 100}, // no heartbeat since
		{counting(7, 13, 1500), 200}, // two
		{silent, unknown},            // another process
		{counting(8, 1, 50), unknown},
		{counting(8, 1.5, 60), 20},
		{counting(8, 2, 10), unknown},
		{admin.Worker{PID: 8, State: "ready"}, unknown}, // hangs
	} {
		show(1, step.worker)
		if got := h.find(&step.worker).rate.last(); got != step.want {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
	if got := h.find(&silent).loop; got[3] != 0.5 || got[4] != unknown || len(got) != 9 {
		t.Errorf("loop: %v", got)
	}
	show(2, silent)
	if got := h.find(&silent).loop; len(got) != 1 || len(h.tracks) != 1 {
		t.Errorf("after another nodeinit: %v", got)
	}
	// In a reload two workers are in the slot.
	next := admin.Worker{PID: 9, State: "starting"}
	for range 3 {
		show(2, silent, next)
	}
	if before, now := h.find(&silent).loop, h.find(&next).loop; len(before) != 4 || len(now) != 4 {
		t.Errorf("%v and %v", before, now)
	}
}

func TestLocale(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]bool{
		"":                               true,
		"LANG=C":                         false,
		"LANG=de_DE.UTF-8":               true,
		"LANG=C.utf8":                    true,
		"LC_ALL= LANG=C.UTF-8":           true,
		"LC_ALL=C LANG=C.UTF-8":          false,
		"LC_CTYPE=C.UTF-8 LANG=C":        true,
		"LC_ALL=C.UTF-8 LC_CTYPE=C":      true,
		"LANG=de_DE.ISO-8859-1":          false,
		"LC_CTYPE=UTF-8":                 false, // macOS only
		"LANG=de_DE.UTF-8@euro LC_ALL=C": false,
	} {
		if got := isUTF8(strings.Fields(environ)); got != want {
			t.Errorf("%q: %v, want %v", environ, got, want)
		}
	}
}
