package supervisor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/nodeinit/nodeinit/supervisor"
)

// nonZero returns the counts that are not 0, as text.
func nonZero(counts []supervisor.Count) string {
	var list []string
	for _, c := range counts {
		if c.N > 0 {
			list = append(list, fmt.Sprint(c.Name, " ", c.N))
		}
	}
	return strings.Join(list, ", ")
}

// Events are counted by reason and cause, and a slot shows one worker at each moment.
func TestCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := fleetScenario{workers: 2, crashes: 9, set: auto, play: "0 serves@100ms exit:3@1s | 0.2 serves@100ms SEGV@2s | 0.3 serves@100ms TERM+1s:0 | " +
			"0.4 exit:1@10ms | 0.5 serves@100ms TERM+1s:0 | 1* serves@10ms TERM+1s:0"}.world(t)
		w.askAt(t, "4s reload")
		w.askAt(t, "6s reload")
		w.askAt(t, "15s scale:3")
		w.sendAt(t, "16s USR1")
		w.sendAt(t, "20s TERM")
		shown := map[string]string{
			"500ms": "101 ready 7", "1050ms": "0 waiting 7", "1500ms": "102 ready 14", "5s": "103 ready 28",
		}
		for at, want := range shown {
			w.at(duration(t, at), func() {
				var got []string
				for _, one := range w.status(t).Workers {
					if one.Slot == 0 && one.Current {
						got = append(got, fmt.Sprint(one.PID, " ", one.State, " ", one.Handovers))
					}
				}
				if !slices.Equal(got, []string{want}) {
					t.Errorf("at %s: %q, want %q", at, got, want)
				}
			})
		}
		w.at(duration(t, "19s"), func() {
			s := w.status(t)
			got := fmt.Sprintf("starts %s; crashes %s; signals %s; reloads %d, failed %d",
				nonZero(s.StartsByReason), nonZero(s.CrashesByCause), nonZero(s.Signals), s.Reloads, s.ReloadsFailed)
			const want = "starts start 2, crash 2, reload 3, scale 1; crashes exit 2, signal 1; signals SIGUSR1 1; reloads 1, failed 1"
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			byCause := int64(0)
			for _, c := range s.CrashesByCause {
				byCause += c.N
			}
			if byCause != int64(s.Crashes) {
				t.Errorf("%d crashes by cause, and %d", byCause, s.Crashes)
			}
		})
		w.run(t)
	})
}
