package cluster

import (
	"encoding/json"
	"math"
	"time"
)

// Messages to node/preload/agent.js. Node does not show messages whose cmd begins
// with NODE_ to the application (lib/internal/child_process.js, isInternal).
const (
	msgDisableKeepAlives = `{"cmd":"NODE_NODEINIT","act":"disableKeepAlives"}` + "\n"
	msgFinish            = `{"cmd":"NODE_NODEINIT","act":"finish","limit":%d}` + "\n"
	msgWatch             = `{"cmd":"NODE_NODEINIT","act":"watch","signal":%q,"soon":%d,"late":%d}` + "\n"
	msgDrain             = `{"cmd":"NODE_NODEINIT","act":"drain","last":%t,"signal":%q}` + "\n"
	msgConnection        = `{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_NODEINIT","act":"connection","port":%d}}` + "\n"
)

// Bounds on the signals that a worker may report to handle.
const (
	maxHandles    = 64
	maxSignalName = 16
)

// An agentReport is a message from the agent.
type agentReport struct {
	Act string `json:"act"`

	Handles []string `json:"handles"` // handles: signals

	// heartbeat
	Utilization float64 `json:"utilization"` // 0 to 1
	P50         int64   `json:"p50"`         // us
	P99         int64   `json:"p99"`
	Heap        int64   `json:"heap"` // bytes
	Connections int64   `json:"connections"`
	Requests    int64   `json:"requests"`

	message // listening
}

// onAgentReport handles a message of the agent.
func (w *Worker) onAgentReport(frame []byte) {
	r := &w.primary.report
	*r = agentReport{Connections: -1, Requests: -1} // not counted
	if json.Unmarshal(frame, r) != nil {
		return
	}
	w.state.Agent = true
	if r.Act == "drained" {
		w.onDrained()
		return
	}
	w.state.apply(r)
	w.publish()
}

// apply records what the agent reports.
func (s *State) apply(r *agentReport) {
	switch r.Act {
	case "handles":
		s.Handles = nil
		for _, name := range r.Handles[:min(len(r.Handles), maxHandles)] {
			if len(name) <= maxSignalName {
				s.Handles = append(s.Handles, name)
			}
		}
	case "heartbeat":
		s.Heartbeat = time.Now()
		s.Loop = Loop{
			Utilisation: min(max(r.Utilization, 0), 1),
			DelayP50:    microseconds(r.P50),
			DelayP99:    microseconds(r.P99),
			Heap:        count(r.Heap),
		}
		s.Counted = r.Connections >= 0 && r.Requests >= 0
		s.Connections, s.Requests = count(r.Connections), count(r.Requests)
	case "listening": // in fork mode
		s.addListening(r.where())
	case "finished":
		s.Finished = true
	case "serving":
		s.Serving = true
	}
}

// maxCount is how far JavaScript counts (Number.MAX_SAFE_INTEGER), and with it what
// reads JSON.
const maxCount = 1<<53 - 1

// count returns n, from 0 to maxCount.
func count(n int64) int64 { return min(max(n, 0), maxCount) }

// microseconds returns n us, within what a Duration can be and not negative.
func microseconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), math.MaxInt64/int64(time.Microsecond))) * time.Microsecond
}
