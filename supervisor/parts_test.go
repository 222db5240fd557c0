package supervisor

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/logs"
)

// A fakeProcess is what the policy of a worker is tested with (the real ones are in test/): it runs, or has
// ended, and records the signals that it gets.
type fakeProcess struct {
	got    []string
	ended  bool
	paused bool
}

func (s *fakeProcess) Signal(sig unix.Signal, group bool) error {
	if s.ended {
		return os.ErrProcessDone
	}
	name := unix.SignalName(sig)
	if group {
		name += " group"
	}
	s.got = append(s.got, name)
	return nil
}

func (s *fakeProcess) Stopped(bool) (bool, error) { return s.paused, nil }
func (s *fakeProcess) Exited() <-chan struct{}    { return nil }
func (s *fakeProcess) Status() unix.WaitStatus    { return 0 }
func (s *fakeProcess) MaxRSS() int64              { return 0 }

// testEnv returns an env for per-core mode, and what is logged.
func testEnv() (*env, *bytes.Buffer) {
	log := new(bytes.Buffer)
	return &env{Supervisor: &Supervisor{Log: logs.New(log, logs.JSON, logs.LevelTrace, nil), PerCore: true}}, log
}

// addWorker adds a slot with a worker that is ready.
func addWorker(f *fleet, e *env) (*worker, *fakeProcess) {
	process, slot := new(fakeProcess), f.add()
	f.starts++
	slot.current = &worker{
		Worker: &Worker{PID: 100 + slot.number, ID: int64(slot.number + 1), Process: process},
		env:    e, slot: slot, state: workerReady, startSeq: f.starts, started: time.Now(), readyAt: time.Now(),
	}
	return slot.current, process
}

func wantLog(t *testing.T, log *bytes.Buffer, want ...string) {
	t.Helper()
	rest := log.String()
	for _, part := range want {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Fatalf("%s is not in\n%s", part, log)
		}
		rest = after
	}
}

// Strings of states are those of Status, and an unknown one has one too.
func TestStateNames(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		running.String(): "running", drainDelay.String(): "drainDelay", finalTerm.String(): "finalTerm", ended.String(): "ended",
		(ended + 1).String(): "unknown(7)", state(-1).String(): "unknown(-1)",
		workerStarting.String(): "starting", workerKilled.String(): "killed", workerState(9).String(): "unknown(9)",
	} {
		if s != want {
			t.Errorf("got %s, want %s", s, want)
		}
	}
}
