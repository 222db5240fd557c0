package supervisor

import (
	"math"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cgroup"
	"github.com/nodeinit/nodeinit/logs"
	"github.com/nodeinit/nodeinit/signals"
)

// An Exit is how a worker ended, and with Run's the container.
type Exit struct {
	Status    unix.WaitStatus
	Survived  bool       // it survived SIGKILL: Status means nothing
	Requested bool       // a stop was requested
	Killed    KillReason // whether, and why, nodeinit killed it
	Cause     Cause
	Uptime    time.Duration
	MaxRSS    int64     // bytes, of the largest process
	KillAt    time.Time // end of the grace of the stop; zero: none, or there was no stop
	Crashes   int       // ends that were not requested, with a bad status or answered as such

	PerCore bool // what follows is worth reporting
	Worker  int  // the slot whose worker this is about
	Starts  int  // workers started
}

// KillReason is why a worker was sent SIGKILL, or SIGABRT before that.
type KillReason string

// The reasons to kill, as the log gives them; "" is none.
const (
	GraceExceeded KillReason = "grace_exceeded"
	StopRepeated  KillReason = "stop_repeated"  // a third stop signal came
	ChannelClosed KillReason = "channel_closed" // it closed its channel, and lived on
	ChannelFault  KillReason = "channel_fault"  // what came over its channel was invalid
	NotReady      KillReason = "not_ready"      // it did not get ready in time
	Hang          KillReason = "hang"           // its event loop did not turn; SIGABRT comes first
)

// A Cause is why a worker ended.
type Cause string

// The causes, as the log gives them. A Kill is one too.
const (
	Exited    Cause = "exit"
	Signalled Cause = "signal"
	OOMKilled Cause = "oom_kill"       // by this container's own memory limit
	OOMAbove  Cause = "oom_kill_above" // by a limit above the container, or the machine's
	V8Heap    Cause = "v8_heap"        // Node gave up at its own heap limit
)

// Code returns the status that a shell would give for status: the process's
// own, or 128 + n if signal n ended it.
func Code(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// Code returns the status to exit with for e.
func (e Exit) Code() int {
	if e.Survived {
		return 128 + int(unix.SIGKILL)
	}
	return Code(e.Status)
}

// reason returns why the container ends because of e.
func (e Exit) reason() string {
	if e.Code() == 0 && e.Killed == "" {
		return "exit"
	}
	return "crash"
}

// Crashed reports whether it ended with a bad status and that was not requested.
func (e Exit) Crashed() bool { return !e.Requested && e.Code() != 0 }

// Diagnose returns why a worker ended. before and after are readings of the
// counters; oldSpace is Node's heap limit in bytes, 0 if it is not known.
//
// nodeinit does not read the program's stderr, which has V8's message. So a
// heap that was full is recognised by the two things that go with it: Node aborts,
// and its memory had grown to at least half of the limit. Not all of it: a map
// that doubles fails to while the rest is still free (seen at 0.85 of it), and
// strings can fill pages that are never touched.
func (e Exit) Diagnose(before, after cgroup.Stats, oldSpace int64) Cause {
	killed := e.Survived || e.Status.Signaled() && e.Status.Signal() == unix.SIGKILL
	aborted := e.Killed == Hang && e.Code() == 128+int(unix.SIGABRT)
	if e.Killed != "" && (killed || aborted) { // and did not end by itself at the last moment
		return Cause(e.Killed)
	}
	// A shell or npm between us and Node turns its signal into 128 + n.
	switch unix.Signal(e.Code() - 128) {
	case unix.SIGKILL:
		switch after.OOMSince(before) {
		case cgroup.OOMLimit:
			return OOMKilled
		case cgroup.OOMAbove:
			return OOMAbove
		}
	case unix.SIGABRT:
		if oldSpace > 0 && e.MaxRSS >= oldSpace/2 {
			return V8Heap
		}
	}
	if e.Status.Signaled() {
		return Signalled
	}
	return Exited
}

// exitOf returns how w has ended, without the cause.
func exitOf(w *worker, survived bool) Exit {
	e := Exit{Worker: w.slot.number, Survived: survived, Killed: w.killed, Uptime: time.Since(w.started)}
	if !survived {
		e.Status, e.MaxRSS = w.Process.Status(), w.Process.MaxRSS()
	}
	return e
}

// text returns how w has ended, in few words, for people.
func (e Exit) text(w *worker) string {
	text := "exit " + strconv.Itoa(e.Code())
	switch {
	case e.Survived:
		text = "survived SIGKILL"
	case e.Status.Signaled():
		text = signals.Name(e.Status.Signal())
	}
	if e.Cause != Exited && e.Cause != Signalled {
		text += " (" + string(e.Cause) + ")"
	}
	switch {
	case !w.leaving:
		return text
	case e.Killed == "":
		return string(w.leaveReason)
	}
	return string(w.leaveReason) + ", " + text
}

// log logs that w has ended: crash says that it is an error, quit that it is a loss.
func (e Exit) log(w *worker, crash, quit bool) {
	if !w.env.PerCore {
		return // the exit report has it
	}
	start := w.env.Log.Info
	switch {
	case crash:
		start = w.env.Log.Error
	case quit:
		start = w.env.Log.Warn
	}
	line := e.status(w.withWorker(start("worker ended")))
	line.Int64("uptime_ms", e.Uptime.Milliseconds()).Int64("max_rss_bytes", e.MaxRSS).Send()
}

// status adds to line why and how it ended.
func (e Exit) status(line *logs.Event) *logs.Event {
	line = line.Str("cause", string(e.Cause)).Int("status", e.Code())
	if e.Status.Signaled() && !e.Survived {
		line = line.Str("signal", signals.Name(e.Status.Signal()))
	}
	return line
}

// Report adds the facts of the exit report to line. before and after are
// readings of the counters at the start and the end.
func (e Exit) Report(line *logs.Event, before, after cgroup.Stats) *logs.Event {
	line = e.status(line)
	if e.PerCore {
		line = line.Int("worker", e.Worker)
	}
	line = line.Bool("requested", e.Requested).Int64("uptime_ms", e.Uptime.Milliseconds()).Int("crashes", e.Crashes)
	if e.PerCore {
		line = line.Int("starts", e.Starts)
	}
	line = line.Int64("max_rss_bytes", e.MaxRSS)
	if after.MemoryPeak.Known {
		line = line.Uint64("peak_memory_bytes", after.MemoryPeak.Value)
	}
	if periods := after.Periods.Since(before.Periods); periods.Known && periods.Value > 0 {
		throttled := after.Throttled.Since(before.Throttled)
		line = line.Float64("throttled_share", math.Round(1000*float64(throttled.Value)/float64(periods.Value))/1000)
	}
	if above := after.ThrottledAbove(before); above.Value > 0 {
		line = line.Int64("throttled_above_ms", above.Duration().Milliseconds())
	}
	if kills := after.OOMKill.Since(before.OOMKill); kills.Known {
		line = line.Uint64("oom_kills", kills.Value)
	}
	return line
}

// An oomAccount is the reading of the counters in which each OOM kill is one that
// explains the end of a worker.
type oomAccount struct{ accounted cgroup.Stats }

// explain returns why a worker ended that was reaped just now. The kernel may have
// killed another one at the same time, so of the kills that it counts each explains
// one end only. now is a reading of the counters.
func (a *oomAccount) explain(e Exit, now cgroup.Stats, oldSpace int64) Cause {
	cause := e.Diagnose(a.accounted, now, oldSpace)
	if cause == OOMKilled || cause == OOMAbove {
		a.accounted.OOMKill.Value++
		if a.accounted.OOMKill.Value >= now.OOMKill.Value {
			a.accounted = now
		}
	}
	return cause
}
