package supervisor

import (
	"errors"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// abortTimeout is how long SIGABRT may take to end a worker: it may write a core.
const abortTimeout = 5 * time.Second

// checkHeartbeat ends w if its event loop has stopped turning. Only a worker that
// has sent a heartbeat, and still can, is expected to. Silence before pollingSince
// does not count, nor while it is stopped or has announced it.
func (w *worker) checkHeartbeat(now, pollingSince time.Time) {
	if w.state != workerStarting && w.state != workerReady || w.reported.Heartbeat.IsZero() || w.reported.Ended {
		return
	}
	if stopped, err := w.Process.Stopped(w.env.Group); err == nil && stopped {
		w.stoppedAt = now
	}
	if silent := now.Sub(latest(w.reported.Heartbeat, pollingSince, w.stoppedAt, w.reported.SilentUntil)); silent >= w.env.Health.HangTimeout {
		w.abort(silent)
	}
}

func latest(moment time.Time, others ...time.Time) time.Time {
	for _, other := range others {
		if moment.Before(other) {
			moment = other
		}
	}
	return moment
}

// abort ends a worker that hangs, with a core or a report if the image wants one.
func (w *worker) abort(silent time.Duration) {
	log, loop := w.env.Log, w.reported.Loop
	w.withWorker(log.Warn(w.env.modeMsg("the program hangs", "worker hangs"))).
		Int64("silent_ms", silent.Milliseconds()).
		Float64("utilisation", math.Round(1000*loop.Utilisation)/1000).
		Float64("delay_p50_ms", milliseconds(loop.DelayP50)).
		Float64("delay_p99_ms", milliseconds(loop.DelayP99)).
		Int64("heap_bytes", loop.Heap).Send()
	w.enter(workerHung, in(abortTimeout))
	err := w.Process.Signal(unix.SIGABRT, w.env.Group)
	if errors.Is(err, os.ErrProcessDone) {
		return // so that is why; its exit is the next event
	}
	w.killed = Hang
	if err != nil {
		w.withWorker(log.Warn(w.env.modeMsg("program not aborted", "worker not aborted"))).Err(err).Send()
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
