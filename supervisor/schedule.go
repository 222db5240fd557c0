package supervisor

import "time"

const (
	// sampleEvery is how often memory and limits are read.
	sampleEvery = 5 * time.Second
	// heartbeatChecks is how often heartbeats are checked within HangTimeout.
	heartbeatChecks = 8
)

// A schedule is when to check what changes without an event.
type schedule struct {
	sampleAt     time.Time // memory and limits; zero: never
	heartbeatAt  time.Time // heartbeats; zero: never
	every        time.Duration
	pollingSince time.Time // since when checks were in time: silence before that proves nothing
}

// newSchedule returns the schedule of a run that begins now.
func newSchedule(now time.Time, samples bool, hangTimeout time.Duration) schedule {
	s := schedule{pollingSince: now, every: hangTimeout / heartbeatChecks}
	if samples {
		s.sampleAt = now.Add(sampleEvery)
	}
	if hangTimeout > 0 {
		s.heartbeatAt = now.Add(s.every)
	}
	return s
}

// due returns what is to be checked now, in that state of the container.
func (s *schedule) due(now time.Time, state state) (sample, heartbeats bool) {
	if state != running { // there will be no change any more
		s.sampleAt = time.Time{}
	}
	if state != running && state != drainDelay { // all workers are to end soon
		s.heartbeatAt = time.Time{}
	}
	if sample = passed(s.sampleAt, now); sample {
		s.sampleAt = now.Add(sampleEvery)
	}
	if heartbeats = passed(s.heartbeatAt, now); heartbeats {
		if now.Sub(s.heartbeatAt) > s.every { // nodeinit was stopped, or the machine was
			s.pollingSince = now
		}
		s.heartbeatAt = now.Add(s.every)
	}
	return sample, heartbeats
}
