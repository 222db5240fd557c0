package admin

import (
	"errors"
	"math"
	"os"
	"time"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/cluster"
	"github.com/nodeinit/nodeinit/supervisor"
)

// Facts are what a Document says besides the state of the workers.
type Facts struct {
	Version string
	Started time.Time // of this process
	Mode    string    // fork or per-core
	Argv    []string
	Control string // see [Server]: this socket is not one of the workers
	// HandsOver says that nodeinit accepts the connections and hands them over. (Those of Unix
	// sockets it does in any case.)
	HandsOver bool

	// Limits returns those in force now.
	Limits func() Limits
	// Before and Stats are readings of the counters: from before the start, and one
	// made now.
	Before cgroup.Stats
	Stats  func() cgroup.Stats

	// Orphans returns how many processes were reaped that nodeinit had not started, and
	// Dropped how many log lines were dropped.
	Orphans func() int64
	Dropped func() uint64
}

// A Gatherer makes Documents of this process and its workers. Set Facts and Status. One
// goroutine at a time may use it; the functions are called on it.
type Gatherer struct {
	Facts
	// Status returns the state of the workers, false if that cannot be had.
	Status func() (supervisor.Status, bool)

	samples   []sample // of CPU time
	sockets   sockets  // which are whose
	ownSocket uint64   // inode of that of HTTP; 0: there is none
	recent    recent   // metrics
}

// maxArgv is how many bytes of the command line are in a Document.
const maxArgv = 16 << 10

// AppendJSON appends a Document that is made now, or an error.
func (g *Gatherer) AppendJSON(dst []byte) []byte {
	d, ok := g.Document()
	if !ok {
		line := appendError(dst, errors.New("nodeinit is too busy to tell its status"))
		return line[:len(line)-1] // without the end of the line
	}
	return d.AppendJSON(dst)
}

// Document returns the state by now, false if that of the workers cannot be had. It
// takes a fifth of a second more if it was not called in the last ten seconds. What
// cannot be read is not in it.
func (g *Gatherer) Document() (*Document, bool) {
	status, ok := g.Status()
	if !ok {
		return nil, false
	}
	d := &Document{
		Version: ProtocolVersion,
		Nodeinit: Process{
			Version: g.Version, PID: os.Getpid(), Uptime: rounded3(time.Since(g.Started).Seconds()),
		},
		Mode: g.Mode, State: stateName(status.State), Ready: status.Ready, Want: status.Want,
		Scaled: status.Fixed && status.Alone == "", Change: string(status.Change),
		Argv: cut(g.Argv, maxArgv), Limits: g.Limits(),
		Starts: status.Starts, Crashes: status.Crashes, Reloads: status.Reloads,
	}
	if own, ok := readStat(os.Getpid()); ok {
		d.Nodeinit.Resident = &own.resident
	}
	d.addCounters(g.Before, g.Stats())
	now := time.Now()
	for i := range status.Workers {
		d.Workers = append(d.Workers, describe(&status.Workers[i], now))
	}
	d.Listen = g.listening(status.Workers)
	g.measure(status.Workers, d.Workers)
	return d, true
}

// notStarted is the state of a container before its first worker is started.
const notStarted = "starting"

// stateName returns the state as documents have it.
func stateName(state string) string {
	if state == "" {
		return notStarted
	}
	return state
}

// describe returns what the supervisor knows of a worker.
func describe(w *supervisor.WorkerStatus, now time.Time) Worker {
	d := Worker{Slot: w.Slot, PID: w.PID, State: w.State, Restarts: w.Restarts, LastExit: w.LastExit}
	if w.PID == 0 {
		return d
	}
	d.Uptime = rounded3(max(now.Sub(w.Started).Seconds(), 0))
	d.HealthFailures, d.HealthError = w.HealthFailures, w.HealthError
	if w.OldSpace > 0 {
		d.HeapLimit = &w.OldSpace
	}
	d.addReported(&w.Reported, now)
	return d
}

// addReported adds what the agent of the worker has reported.
func (d *Worker) addReported(s *cluster.State, now time.Time) {
	if s.Counted {
		d.Connections, d.Requests = &s.Connections, &s.Requests
	}
	if s.Heartbeat.IsZero() {
		return
	}
	age := rounded3(max(now.Sub(s.Heartbeat).Seconds(), 0))
	d.HeartbeatAge = &age
	if s.Loop.Heap > 0 {
		d.HeapUsed = &s.Loop.Heap
	}
	if now.Sub(s.Heartbeat) < supervisor.HeartbeatLimit { // else the event loop has not turned since
		utilization, delay := rounded4(s.Loop.Utilisation), s.Loop.DelayP99.Seconds()
		d.Utilization, d.DelayP99 = &utilization, &delay
	}
}

// addCounters adds the counters of the cgroup that it has.
func (d *Document) addCounters(before, now cgroup.Stats) {
	d.Memory = known(now.MemoryCurrent)
	d.OOMKills = known(now.OOMKill.Since(before.OOMKill))
	periods, throttled := now.Periods.Since(before.Periods), now.Throttled.Since(before.Throttled)
	if periods.Value > 0 && throttled.Known { // without a quota there are none
		share := rounded4(float64(throttled.Value) / float64(periods.Value))
		d.Throttled = &share
	}
}

func known(c cgroup.Counter) *int64 {
	if !c.Known {
		return nil
	}
	n := int64(min(c.Value, math.MaxInt64))
	return &n
}

// cut returns the words of argv that have so many bytes together, the last one of them
// cut.
func cut(argv []string, bytes int) []string {
	for i, word := range argv {
		if len(word) > bytes {
			return append(argv[:i:i], word[:bytes])
		}
		bytes -= len(word) + 1
	}
	return argv
}

func rounded3(f float64) float64 { return math.Round(f*1e3) / 1e3 }
func rounded4(f float64) float64 { return math.Round(f*1e4) / 1e4 }
