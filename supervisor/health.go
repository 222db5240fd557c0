package supervisor

import (
	"strconv"
	"time"
)

// HeartbeatLimit is how old the last heartbeat of an agent, which sends one each
// second, may be for its worker to count as healthy. It is above what a garbage
// collection, or a limit of the CPU, holds up an event loop, and what nodeinit itself
// may be behind on a busy machine.
const HeartbeatLimit = 10 * time.Second

// Health reports whether the container can serve, and why, in one line for people: no
// stop has begun, and there is a worker that is ready and whose event loop turns. That
// is not known without an agent: then it counts as turning. Old workers serve during a
// reload, so it is healthy. A crash loop is not, while no worker serves.
func Health(s Status, now time.Time) (healthy bool, text string) {
	switch s.State {
	case "":
		return false, "not started yet"
	case drainDelay.String():
		return false, "stopping: the drain delay is running"
	case ended.String(), finalTerm.String(), finalKill.String():
		return false, "stopping: all workers have ended"
	case running.String():
	default:
		return false, "stopping"
	}
	turning, failing, silent := 0, 0, time.Duration(0) // the shortest
	for _, w := range s.Workers {
		if !w.Serves {
			continue
		}
		if w.HealthFailures > 0 {
			failing++
		}
		if silence := w.Silence(now); silence < HeartbeatLimit {
			turning++
		} else if silent == 0 || silence < silent {
			silent = silence
		}
	}
	switch {
	case turning > 0 && s.HealthPath != "" && !s.HealthPasses:
		return false, failingText(s, failing)
	case turning > 0:
		return true, healthyText(s, turning, failing)
	case s.Ready == 0:
		return false, notReadyText(s)
	}
	text = "the event loop of the program"
	if s.PerCore {
		text = "no worker's event loop turns: that of each"
	}
	return false, text + " stands still for " + strconv.Itoa(int(silent.Seconds())) + " s or more"
}

// Silence returns for how long the event loop of a worker has not been seen to turn; 0 or
// less if it need not, or if there is nothing to see it by.
func (w WorkerStatus) Silence(now time.Time) time.Duration {
	if !w.Reported.Agent || w.Reported.Ended {
		return 0
	}
	return now.Sub(latest(w.Reported.Heartbeat, w.ReadySince, w.Started, w.Reported.SilentUntil)) // the first one comes after a while
}

// failingText is about checks of which none has passed lately.
func failingText(s Status, failing int) string {
	why := " not answered GET " + s.HealthPath + " yet"
	for i := range s.Workers {
		if w := &s.Workers[i]; w.Serves && w.HealthFailures > 0 {
			why = " GET " + s.HealthPath + ": " + w.HealthError
		}
	}
	switch {
	case failing == 0 && s.PerCore:
		return "the workers have" + why
	case failing == 0:
		return "the program has" + why
	case s.PerCore:
		return strconv.Itoa(failing) + " of " + plural(s.Ready, "worker") + " fail" + why
	}
	return "the program fails" + why
}

func healthyText(s Status, turning, failing int) string {
	if !s.PerCore {
		return "the program is ready"
	}
	text := strconv.Itoa(turning) + " of " + plural(s.Want, "worker") + " ready"
	if hang := s.Ready - turning; hang > 0 {
		text += ", " + strconv.Itoa(hang) + " with an event loop that stands still"
	}
	if failing > 0 {
		text += ", " + strconv.Itoa(failing) + " failing GET " + s.HealthPath
	}
	if s.Reloading {
		text += ", reloading"
	}
	return text
}

func notReadyText(s Status) string {
	text := "the program is not ready"
	if s.PerCore {
		text = "no worker is ready"
	}
	for _, w := range s.Workers {
		text += ", " + w.State
		if w.PID == 0 && w.LastExit != "" {
			text += " after " + w.LastExit
		}
	}
	return text
}
