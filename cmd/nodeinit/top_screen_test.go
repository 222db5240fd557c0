package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nodeinit/nodeinit/admin"
)

// frameOf returns what a screen writes for lines.
func frameOf(s *screen, columns, rows int, lines ...string) string {
	s.begin(columns, rows)
	for _, text := range lines {
		s.println(stylePlain, text)
	}
	for s.row < s.limit {
		s.newline()
	}
	return string(s.frame)
}

// Only rows that change are written, and nothing is cleared that is not blank then.
func TestFrames(t *testing.T) {
	t.Parallel()
	s := &screen{}
	for i, step := range []struct {
		columns int
		lines   []string
		want    string
	}{
		{5, []string{"ab", "abcde"}, "\x1b[1;1Hab\x1b[K\x1b[2;1Habcde\x1b[3;1H\x1b[K"},
		{5, []string{"ab", "abcde"}, ""},
		{5, []string{"ab", "", "x"}, "\x1b[2;1H\x1b[K\x1b[3;1Hx\x1b[K"},
		{4, []string{"ab", "", "x"}, "\x1b[1;1Hab\x1b[K\x1b[2;1H\x1b[K\x1b[3;1Hx\x1b[K"},
		{4, []string{"ab", "", "x", "not", "shown"}, ""},
		{4, []string{"ab", "abcdef", "x"}, "\x1b[2;1Habcd"},
	} {
		if got := frameOf(s, step.columns, 3, step.lines...); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
}

func TestPrint(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		screen screen
		style  string
		text   string
		want   string
	}{
		"plain":             {screen{}, stylePlain, "text", "text\x1b[K"},
		"no styles":         {screen{}, styleTitle, "text", "text\x1b[K"},
		"styles":            {screen{styles: true}, styleTitle, "text", "\x1b[1mtext\x1b[0m\x1b[K"},
		"cut, with a style": {screen{styles: true}, styleTitle, "0123456789abc", "\x1b[1m0123456789\x1b[0m"},
		"control":           {screen{utf8: true}, stylePlain, "a\x1b[2J", `a\x1b[2J` + "\x1b[K"},
		"line end":          {screen{}, stylePlain, "a\nb", `a\nb` + "\x1b[K"},
		"C1":                {screen{utf8: true}, stylePlain, "\u009b2J", `\u009b2J` + "\x1b[K"},
		"right to left":     {screen{utf8: true}, stylePlain, "\u202e", `\u202e` + "\x1b[K"},
		"not UTF-8":         {screen{utf8: true}, stylePlain, "\x9b", "\ufffd\x1b[K"},
		"UTF-8":             {screen{utf8: true}, stylePlain, "äöü", "äöü\x1b[K"},
		"another locale":    {screen{}, stylePlain, "äö", `\u00e4`}, // as far as there is room
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := test.screen
			s.begin(10, 1)
			s.println(test.style, test.text)
			if got := strings.TrimPrefix(string(s.frame), "\x1b[1;1H"); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// crowd returns a document with so many workers.
func crowd(count int) *admin.Document {
	d := &admin.Document{Nodeinit: admin.Process{Version: "0.1.0", PID: 1}, Mode: "per-core", State: "running", Argv: []string{"node", "a.js"}}
	for i := range count {
		w := counting(100+i, 10, int64(i))
		w.Slot, w.CPU, w.Resident = i, pointer(float64(i%3)), pointer(int64(1000-i))
		d.Workers = append(d.Workers, w)
	}
	return d
}

// At any size the rows and columns suffice, the keys are in the last row, and no row is
// written twice.
func TestViewFits(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{0, 1, 2, 5, 64} {
		for rows := 1; rows < 90; rows++ {
			for _, columns := range []int{1, 20, 47, 48, 80, 700} {
				s, v := &screen{utf8: true}, &view{}
				v.update(crowd(workers))
				s.begin(columns, rows)
				v.draw(s)
				if len(s.shown) != rows || strings.Count(string(s.frame), ";1H") != rows {
					t.Fatalf("%d workers, %dx%d: %d rows, %q", workers, columns, rows, len(s.shown), s.frame)
				}
				if !strings.HasPrefix(s.shown[rows-1], "q quit"[:min(columns, 6)]) {
					t.Errorf("%d workers, %dx%d: the last row is %q", workers, columns, rows, s.shown[rows-1])
				}
				for _, row := range s.shown {
					if text := strings.TrimSuffix(row, "\x1b[K"); len([]rune(text)) > columns {
						t.Errorf("%d workers, %dx%d: %q", workers, columns, rows, text)
					}
				}
			}
		}
	}
}

// What has no room is left out: graphs of some workers first, workers next, the header last.
func TestViewLeavesOut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		workers, rows  int
		header         bool
		listed, graphs int
		more           string
	}{
		{2, 24, true, 2, 2, ""},
		{6, 24, true, 6, 6, ""},
		{7, 24, true, 6, 6, "1 more"},
		{8, 24, true, 6, 6, "2 more"},
		{64, 24, true, 6, 6, "58 more"},
		{64, 18, true, 8, 0, "56 more"},
		{64, 12, true, 4, 0, "60 more"},
		{4, 8, false, 4, 0, ""},
		{4, 13, true, 4, 0, ""},
		{2, 13, true, 2, 0, ""},
		{2, 15, true, 2, 2, ""},
	} {
		name := fmt.Sprintf("%d in %d rows", test.workers, test.rows)
		s, v := &screen{}, &view{}
		v.update(crowd(test.workers))
		s.begin(80, test.rows)
		v.draw(s)
		text := strings.Join(s.shown, "\n")
		table, graphs, _ := strings.Cut(text, "EVENT LOOP")
		if got := strings.Count(table, " ready "); got != test.listed {
			t.Errorf("%s: %d in the table, want %d\n%s", name, got, test.listed, text)
		}
		if got := strings.Count(graphs, "50%"); got != test.graphs {
			t.Errorf("%s: %d graphs, want %d\n%s", name, got, test.graphs, text)
		}
		if !strings.Contains(table, "SLOT") || strings.HasPrefix(table, "nodeinit") != test.header || !strings.Contains(text, test.more) ||
			test.more == "" && strings.Contains(text, " more ") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// Workers that are alike stay in the order of their slots, and what is not known is last.
func TestOrders(t *testing.T) {
	t.Parallel()
	v := &view{}
	d := crowd(5)
	d.Workers[4].CPU, d.Workers[0].Resident, d.Workers[2].Utilization = nil, nil, pointer(0.75)
	v.update(d)
	for order, want := range []string{"[0 1 2 3 4]", "[2 1 0 3 4]", "[1 2 3 4 0]", "[2 0 1 3 4]", "[0 1 2 3 4]"} {
		v.order = order
		v.sort()
		var slots []int
		for _, w := range v.document.Workers {
			slots = append(slots, w.Slot)
		}
		if fmt.Sprint(slots) != want {
			t.Errorf("by %s: %v, want %s", orders[order], slots, want)
		}
	}
	v.order = 4
	next := crowd(5)
	for i := range next.Workers {
		next.Workers[i].Uptime, *next.Workers[i].Requests = 11.25, int64(10*i)
	}
	v.update(next)
	if v.document.Workers[0].Slot != 4 {
		t.Errorf("by requests: %+v", v.document.Workers)
	}
}
