package admin

import (
	"time"

	"github.com/nodeinit/nodeinit/supervisor"
)

// readWorkerFigures reads what the kernel says of a worker.
func readWorkerFigures(w *supervisor.WorkerStatus) workerReading {
	r := workerReading{WorkerStatus: w, label: slotLabel(w.Slot)}
	if w.PID == 0 {
		return r
	}
	pid := programOf(w)
	r.fds, r.maxFDs = openFDs(pid), maxFDs(pid)
	// What was read is of the worker if it has its process ID afterwards.
	r.stat, r.running = readWorker(w)
	return r
}

// addWorkers adds what is known of the worker of each slot. Where the slot awaits one, that
// is only what does not belong to a process.
func (m *reading) addWorkers(e *exposition, handsOver bool) {
	each := func(name, kind, help string, value func(w *workerReading) Figure) {
		e.family(name, kind, help)
		for i := range m.workers {
			w := &m.workers[i]
			e.known(value(w), "worker", w.label)
		}
	}
	process := func(name, kind, help string, value func(w *workerReading) Figure) {
		each(name, kind, help, func(w *workerReading) Figure {
			if !w.running {
				return Figure{}
			}
			return value(w)
		})
	}
	each("nodeinit_worker_up", gauge, "1 if the worker serves.", func(w *workerReading) Figure {
		return Figure{flag(w.Serves), true}
	})
	each("nodeinit_worker_start_time_seconds", gauge, "When the worker was started, in Unix time.", func(w *workerReading) Figure {
		return Figure{unixSeconds(w.Started), w.PID != 0}
	})
	each("nodeinit_worker_restarts_total", counter, "Workers that the place of this one has had before.", func(w *workerReading) Figure {
		return figure(w.Restarts)
	})
	process("nodeinit_worker_resident_memory_bytes", gauge, "Resident memory of the worker.", func(w *workerReading) Figure {
		return figure(w.stat.resident)
	})
	process("nodeinit_worker_cpu_seconds_total", counter, "CPU time of the worker.", func(w *workerReading) Figure {
		return figure(w.stat.cpu.Seconds())
	})
	process("nodeinit_worker_open_fds", gauge, "Open file descriptors of the worker.", func(w *workerReading) Figure { return w.fds })
	process("nodeinit_worker_max_fds", gauge, "Maximum number of open file descriptors of the worker.", func(w *workerReading) Figure {
		return w.maxFDs
	})
	m.addReported(each)
	each("nodeinit_worker_requests_total", counter, "HTTP requests begun by all workers of this place.", func(w *workerReading) Figure {
		return Figure{float64(w.Requests), w.Counted}
	})
	each("nodeinit_worker_handovers_total", counter, "Connections handed over to all workers of this place.", func(w *workerReading) Figure {
		return Figure{float64(w.Handovers), handsOver || w.Handovers > 0}
	})
}

// addReported adds what the agent of each worker has reported.
func (m *reading) addReported(each func(name, kind, help string, value func(w *workerReading) Figure)) {
	// loop is for what a heartbeat says, which is not so any more once there is none.
	loop := func(name, help string, value func(w *workerReading) float64) {
		each(name, gauge, help, func(w *workerReading) Figure {
			beat := w.Reported.Heartbeat
			return Figure{value(w), !beat.IsZero() && m.now.Sub(beat) < supervisor.HeartbeatLimit}
		})
	}
	each("nodeinit_worker_heap_size_used_bytes", gauge, "V8 heap in use.", func(w *workerReading) Figure {
		return Figure{float64(w.Reported.Loop.Heap), w.Reported.Loop.Heap > 0}
	})
	each("nodeinit_worker_heap_size_limit_bytes", gauge, "Limit of the V8 heap that nodeinit has set.", func(w *workerReading) Figure {
		return Figure{float64(w.OldSpace), w.OldSpace > 0}
	})
	loop("nodeinit_worker_eventloop_utilization_ratio", "Share of the last second in which the event loop was busy.", func(w *workerReading) float64 {
		return w.Reported.Loop.Utilisation
	})
	loop("nodeinit_worker_eventloop_lag_p50_seconds", "Median of the delay of timers in the last second.", func(w *workerReading) float64 {
		return w.Reported.Loop.DelayP50.Seconds()
	})
	loop("nodeinit_worker_eventloop_lag_p99_seconds", "99th percentile of the delay of timers in the last second.", func(w *workerReading) float64 {
		return w.Reported.Loop.DelayP99.Seconds()
	})
	each("nodeinit_worker_heartbeat_age_seconds", gauge, "Time since the event loop was last seen to turn.", func(w *workerReading) Figure {
		beat := w.Reported.Heartbeat
		return Figure{max(m.now.Sub(beat), time.Duration(0)).Seconds(), !beat.IsZero()}
	})
	each("nodeinit_worker_connections", gauge, "Open connections of the servers of the worker.", func(w *workerReading) Figure {
		return Figure{float64(w.Reported.Connections), w.Reported.Counted}
	})
}
