package supervisor

import "fmt"

// A state is what the container waits for.
type state int

const (
	running    state = iota // workers run, or are about to be replaced
	drainDelay              // a stop was requested; workers serve until the delay is over
	stopping                // workers were asked to stop; the grace runs
	killing                 // they were sent SIGKILL
	finalTerm               // they have ended; leftovers were sent SIGTERM
	finalKill               // leftovers were sent SIGKILL
	ended                   // nothing is left
)

// A workerState is what a worker is expected to do.
type workerState int

const (
	workerStarting  workerState = iota // to get ready
	workerReady                        // to work
	workerClosed                       // to exit by itself: its channel is closed, so it cannot serve
	workerFinishing                    // to answer what it has in hand; the signal comes then
	workerDraining                     // to finish what it has and leave; the signal comes then
	workerStopping                     // to exit, because it got the signal
	workerHung                         // to die of SIGABRT: its event loop does not turn
	workerKilled                       // to die of SIGKILL
)

// String returns the state as Status and the documentation name it.
func (s state) String() string {
	return nameOf(int(s), "running", "drainDelay", "stopping", "killing", "finalTerm", "finalKill", "ended")
}

// String returns the state as WorkerStatus and the documentation name it.
func (s workerState) String() string {
	return nameOf(int(s), "starting", "ready", "closed", "finishing", "draining", "stopping", "hung", "killed")
}

func nameOf(state int, names ...string) string {
	if state < 0 || state >= len(names) {
		return fmt.Sprintf("unknown(%d)", state)
	}
	return names[state]
}
