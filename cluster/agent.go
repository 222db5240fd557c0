package cluster

import (
	"math"
	"time"

	"github.com/nodeinit/nodeinit/rawjson"
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

// onAgentReport handles a message of the agent. One with a value of a wrong type is
// ignored.
func (w *Worker) onAgentReport(frame []byte) {
	value, err := rawjson.Parse(frame)
	if err != nil {
		return
	}
	m := message{value}
	next := w.state
	if !next.apply(m) {
		return
	}
	w.state = next
	switch m.act() {
	case "drained":
		w.onDrained()
		return
	case "silence":
		expected := string(m.Get("expected")) == "true"
		w.state.setSilence(expected, w.mayBeSilent)
		w.mayBeSilent = w.mayBeSilent && !expected // once for each script
	}
	w.publish()
}

// apply records what the agent reports. It reports whether all that it has read is of the
// right types.
func (s *State) apply(m message) (right bool) {
	d := rawjson.Decoder{From: m.Value}
	s.Agent = true
	switch m.act() {
	case "handles":
		var handles []string
		d.Texts("handles", &handles)
		s.Handles = nil
		for _, name := range handles[:min(len(handles), maxHandles)] {
			if len(name) <= maxSignalName {
				s.Handles = append(s.Handles, name)
			}
		}
	case "heartbeat":
		s.applyHeartbeat(&d)
	case "listening": // in fork mode
		s.addListening(m.where())
	case "finished":
		s.Finished = true
	case "serving":
		s.Serving = true
	}
	return d.Wrong == ""
}

func (s *State) applyHeartbeat(d *rawjson.Decoder) {
	var utilization float64                       // 0 to 1
	var p50, p99 int64                            // us
	var heap int64                                // bytes
	connections, requests := int64(-1), int64(-1) // not counted
	d.Float("utilization", &utilization)
	d.Int64("p50", &p50)
	d.Int64("p99", &p99)
	d.Int64("heap", &heap)
	d.Int64("connections", &connections)
	d.Int64("requests", &requests)
	s.Heartbeat = time.Now()
	s.Loop = Loop{
		Utilisation: min(max(utilization, 0), 1), DelayP50: microseconds(p50), DelayP99: microseconds(p99), Heap: count(heap),
	}
	s.Counted = connections >= 0 && requests >= 0
	s.Connections, s.Requests = count(connections), count(requests)
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
