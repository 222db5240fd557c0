package supervisor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodeinit/nodeinit/signals"
	"github.com/nodeinit/nodeinit/supervisor"
)

// A fleetScenario is one life of a container with several workers.
type fleetScenario struct {
	name    string
	workers int           // 0: two
	grace   time.Duration // 0: 9 s; -1: for ever
	crashes int           // MaxCrashes, within a minute
	rules   signals.Rules
	group   bool
	set     func(*world)
	play    string // the workers: "0 SEGV@3s | 0.2 TERM+1s | 1* INT+0s | * KILL+0s": the first in slot 0, the second, all in slot 1, all others
	signals string // for nodeinit: "1s TERM, 2s HUP"
	asks    string // of other goroutines, or of the limits: "1s reload, 2s scale:3, 3s target:1"
	ooms    string // when the kernel kills for want of memory: "1s 2s above@3s"
	rest    string // what ends what workers leave behind; "": nothing is left
	want    string // what happens, and how it ends
	logs    string // what is logged, in that order, among else: "this ... that"
	never   string // what is not logged; "": that does not matter
}

func TestFleet(t *testing.T) {
	t.Parallel()
	for _, s := range slices.Concat(fleetScenarios, stopScenarios, reloadScenarios, changeScenarios, slotScenarios, aloneScenarios, stoppedScenarios, checkScenarios) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, s.test)
		})
	}
}

func (s fleetScenario) test(t *testing.T) {
	w := s.world(t)
	for when := range strings.FieldsSeq(s.ooms) {
		when, above := strings.CutPrefix(when, "above@")
		w.at(duration(t, when), func() { w.killForMemory(above) })
	}
	for line := range strings.SplitSeq(s.signals, ", ") {
		if line != "" {
			w.sendAt(t, line)
		}
	}
	for line := range strings.SplitSeq(s.asks, ", ") {
		if line != "" {
			w.askAt(t, line)
		}
	}
	end, took, err := w.run(t)
	if got := w.story(describeFleet(end, err, took)); got != s.want {
		t.Errorf("got\n%s, want\n%s", got, s.want)
	}
	rest := w.log.String()
	if s.never != "" && strings.Contains(w.log.String(), s.never) {
		t.Errorf("%s is in\n%s", s.never, w.log.String())
	}
	for want := range strings.SplitSeq(s.logs, " ... ") {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("%s is not in\n%s after what must come before it", want, w.log.String())
		}
		rest = after
	}
}

func (s fleetScenario) world(t *testing.T) *world {
	t.Helper()
	scripts := make(map[string]script)
	for part := range strings.SplitSeq(s.play, "|") {
		name, text, _ := strings.Cut(strings.TrimSpace(part), " ")
		scripts[name] = scriptOf(t, text)
	}
	w := newFleet(s.workers, func(name string) script {
		slot, _, _ := strings.Cut(name, ".")
		for _, key := range []string{name, slot + "*"} {
			if own, ok := scripts[key]; ok {
				return own
			}
		}
		return scripts["*"]
	})
	if s.workers == 0 {
		w.Workers = 2
	}
	w.Stop.Grace = max(s.grace, 0)
	if s.grace == 0 {
		w.Stop.Grace = 9 * time.Second
	}
	w.Crashes.Max, w.Crashes.Window, w.Rules, w.Group = s.crashes, time.Minute, s.rules, s.group
	w.target = w.Workers
	if s.set != nil {
		s.set(w)
	}
	if s.rest != "" {
		w.left.gone, w.left.reaction = false, scriptOf(t, s.rest).reaction
	}
	return w
}

// killForMemory makes the kernel count a kill, for a limit of this container or
// one above.
func (w *world) killForMemory(above bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.OOMKill.Value++
	if !above {
		w.stats.OOM.Value++
	}
}

func describeFleet(end supervisor.Exit, err error, took time.Duration) string {
	if err != nil {
		return fmt.Sprintf("%v starts %d crashes %d: %v", took, end.Starts, end.Crashes, err)
	}
	return fmt.Sprintf("%s, of %d %s, starts %d crashes %d", describe(end, took), end.Worker, end.Cause, end.Starts, end.Crashes)
}
