package supervisor

import (
	"testing"
	"time"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	s := newSchedule(epoch, true, 8*time.Second)
	check := func(at time.Duration, state state, sample, heartbeats bool) {
		t.Helper()
		if gotSample, gotHeartbeats := s.due(epoch.Add(at), state); gotSample != sample || gotHeartbeats != heartbeats {
			t.Errorf("at %v: sample %v, heartbeats %v", at, gotSample, gotHeartbeats)
		}
	}
	check(0, running, false, false)
	check(time.Second, running, false, true)
	check(1500*time.Millisecond, running, false, false)
	check(2*time.Second, running, false, true)
	if !s.pollingSince.Equal(epoch) {
		t.Errorf("a check in time moved the start to %v", s.pollingSince)
	}
	check(5*time.Second, running, true, true) // the one of 3 s comes late: nodeinit was stopped
	if !s.pollingSince.Equal(epoch.Add(5 * time.Second)) {
		t.Errorf("polling since %v", s.pollingSince)
	}
	check(6*time.Second, drainDelay, false, true)
	check(10*time.Second, drainDelay, false, true) // nothing is sampled any more
	check(11*time.Second, stopping, false, false)
	if !s.sampleAt.IsZero() || !s.heartbeatAt.IsZero() {
		t.Errorf("goes on: %+v", s)
	}
}

func TestScheduleOfNothing(t *testing.T) {
	t.Parallel()
	s := newSchedule(epoch, false, 0)
	if sample, heartbeats := s.due(epoch.Add(time.Hour), running); sample || heartbeats || !s.sampleAt.IsZero() || !s.heartbeatAt.IsZero() {
		t.Errorf("sample %v, heartbeats %v, %+v", sample, heartbeats, s)
	}
}
