package cluster

import (
	"encoding/json"
	"time"
)

// What is said to node's agent.js. Node keeps messages whose cmd begins with
// NODE_ from the application (lib/internal/child_process.js, isInternal).
const (
	msgDisableKeepAlives = `{"cmd":"NODE_NODEINIT","act":"disableKeepAlives"}` + "\n"
	msgFinish            = `{"cmd":"NODE_NODEINIT","act":"finish","limit":%d}` + "\n"
	msgWatch             = `{"cmd":"NODE_NODEINIT","act":"watch","signal":%q,"soon":%d,"late":%d}` + "\n"
	msgDrain             = `{"cmd":"NODE_NODEINIT","act":"drain","last":%t,"signal":%q}` + "\n"
	msgReportListening   = `{"cmd":"NODE_NODEINIT","act":"reportListening"}` + "\n"
)

// Bounds on what a worker may say that it handles.
const (
	maxHandles    = 64
	maxSignalName = 16
)

// A agentReport is what the agent says.
type agentReport struct {
	Act string `json:"act"`

	Handles []string `json:"handles"` // handles: signals

	// heartbeat
	Utilization float64 `json:"utilization"` // 0 to 1
	P50         int64   `json:"p50"`         // us
	P99         int64   `json:"p99"`
	Heap        int64   `json:"heap"` // bytes

	message // listening
}

// onAgentReport takes note of what the agent in w says.
func (w *Worker) onAgentReport(frame []byte) {
	var r agentReport
	if json.Unmarshal(frame, &r) != nil {
		return
	}
	first := !w.state.Agent
	w.state.Agent = true
	switch r.Act {
	case "handles":
		w.state.Handles = nil
		for _, name := range r.Handles[:min(len(r.Handles), maxHandles)] {
			if len(name) <= maxSignalName {
				w.state.Handles = append(w.state.Handles, name)
			}
		}
	case "heartbeat":
		w.state.Heartbeat = time.Now()
		w.state.Loop = Loop{
			Utilisation: min(max(r.Utilization, 0), 1),
			DelayP50:    time.Duration(r.P50) * time.Microsecond,
			DelayP99:    time.Duration(r.P99) * time.Microsecond,
			Heap:        r.Heap,
		}
	case "listening": // in fork mode
		w.state.addListening(r.where())
	case "finished":
		w.state.Finished = true
	case "serving":
		w.state.Serving = true
	case "drained":
		w.onDrained()
		return
	}
	w.primary.publish(w)
	if first && w.forkMode {
		w.sendMessage([]byte(msgReportListening))
	}
}

// onDrained ends the channel of a worker that has finished what it had, and is to
// get nothing more.
func (w *Worker) onDrained() {
	if w.forkMode {
		w.state.Leaving = true
		w.closeChannel(nil)
		return
	}
	if w.draining && !w.disconnectSent && !w.expectsConnections() { // else it will say so again
		w.disconnectSent = true
		w.sendDisconnect()
	}
}
