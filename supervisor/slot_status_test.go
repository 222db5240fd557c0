package supervisor_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What Status says of a slot whose workers crash, are reloaded and cannot be started.
func TestStatusOfSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := fleetScenario{workers: 2, crashes: 9, set: auto, play: "0 serves@100ms exit:3@1s | 0.2 exit:1@10ms | 0.3 serves@100ms TERM+1s:0 | " +
			"0.4 SEGV@10ms | 0.5 fails:1 serves@100ms TERM+1s:0 | 1* serves@10ms TERM+1s:0"}.world(t)
		w.askAt(t, "2s reload")
		w.askAt(t, "4s reload")
		w.askAt(t, "6s reload")
		w.sendAt(t, "10s TERM")
		var got []string
		for _, at := range []string{"500ms", "1050ms", "1105ms", "1200ms", "1500ms", "2500ms", "3500ms", "5s", "6500ms", "9s", "10500ms"} {
			w.at(duration(t, at), func() {
				s := w.status(t)
				w.mu.Lock()
				defer w.mu.Unlock()
				text := fmt.Sprintf("%s %d/%d reloading %v reloads %d crashes %d", at, s.Ready, s.Want, s.Reloading, s.Reloads, s.Crashes)
				for _, one := range s.Workers {
					if one.Slot == 0 {
						text += fmt.Sprintf(", %d %s serves %v, %d before, why %q, last %q", one.PID, one.State, one.Serves, one.Restarts, one.Reason, one.LastExit)
						if !one.LastExitAt.IsZero() {
							text += " at " + one.LastExitAt.Sub(bubbleStart).String()
						}
					}
				}
				got = append(got, text)
			})
		}
		w.run(t)
		w.mu.Lock()
		defer w.mu.Unlock()
		want := `500ms 2/2 reloading false reloads 0 crashes 0, 101 ready serves true, 0 before, why "", last ""
1050ms 1/2 reloading false reloads 0 crashes 1, 0 waiting serves false, 1 before, why "", last "exit 3" at 1s
1105ms 1/2 reloading false reloads 0 crashes 1, 102 starting serves false, 1 before, why "crash", last "exit 3" at 1s
1200ms 1/2 reloading false reloads 0 crashes 2, 0 waiting serves false, 2 before, why "", last "exit 1" at 1.11s
1500ms 2/2 reloading false reloads 0 crashes 2, 103 ready serves true, 2 before, why "crash", last "exit 1" at 1.11s
2500ms 2/2 reloading false reloads 0 crashes 3, 103 ready serves true, 2 before, why "crash", last "SIGSEGV" at 2.01s
3500ms 2/2 reloading false reloads 0 crashes 3, 103 ready serves true, 2 before, why "crash", last "SIGSEGV" at 2.01s
5s 2/2 reloading false reloads 0 crashes 3, 103 ready serves true, 2 before, why "crash", last "not started" at 4s
6500ms 2/2 reloading true reloads 0 crashes 3, 103 stopping serves false, 2 before, why "crash", last "not started" at 4s, 105 ready serves true, 4 before, why "reload", last "not started" at 4s
9s 2/2 reloading false reloads 1 crashes 3, 105 ready serves true, 4 before, why "reload", last "reload" at 7.1s
10500ms 0/2 reloading false reloads 1 crashes 3, 105 stopping serves false, 4 before, why "reload", last "reload" at 7.1s`
		if all := strings.Join(got, "\n"); all != want {
			t.Errorf("got\n%s\nwant\n%s", all, want)
		}
	})
}

// A supervisor that does not get on answers nothing, and no caller waits for ever.
func TestStatusWithoutAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := fleetScenario{workers: 1, set: limited, play: usual}.world(t)
		w.stallFor(9*time.Second, 10*time.Second) // from the look at the limits at 10 s on
		for _, at := range []time.Duration{12 * time.Second, 12500 * time.Millisecond} {
			w.at(at, func() {
				if s, ok := w.Status(); ok || time.Since(w.start) != at+3*time.Second {
					t.Errorf("at %v: %+v", time.Since(w.start), s)
				}
			})
		}
		w.at(18*time.Second, func() {
			if s, ok := w.Status(); !ok || time.Since(w.start) != 19*time.Second || s.Ready != 1 {
				t.Errorf("at %v: %v, %+v", time.Since(w.start), ok, s)
			}
		})
		w.sendAt(t, "30s TERM")
		w.run(t)
	})
}

// What Status says about the number of workers.
func TestStatusOfScale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := fleetScenario{workers: 2, set: auto, play: usual}.world(t)
		want := map[string]string{"1s": "per-core true want 2 fixed false alone \"\"", "6s": "per-core true want 3 fixed true alone \"\"", "11s": "per-core true want 2 fixed false alone \"\""}
		w.askAt(t, "5s scale:3")
		w.askAt(t, "10s scale:0")
		wantScale(t, w, want)
	})
	synctest.Test(t, func(t *testing.T) {
		w := fleetScenario{workers: 2, set: refused, play: "* serves@2s TERM+1s:0"}.world(t)
		wantScale(t, w, map[string]string{"1s": "per-core true want 2 fixed false alone \"\"", "3s": "per-core true want 1 fixed true alone \"it cannot be\""})
	})
}

func wantScale(t *testing.T, w *world, want map[string]string) {
	t.Helper()
	for at, text := range want {
		w.at(duration(t, at), func() {
			s := w.status(t)
			if got := fmt.Sprintf("per-core %v want %d fixed %v alone %q", s.PerCore, s.Want, s.Fixed, s.Alone); got != text {
				t.Errorf("at %s: got %s, want %s", at, got, text)
			}
		})
	}
	w.sendAt(t, "20s TERM")
	w.run(t)
}
