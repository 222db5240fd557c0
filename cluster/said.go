package cluster

import (
	"encoding/json"
	"fmt"
)

// got handles one frame.
func (w *Worker) got(frame []byte, whole bool) {
	if w.fd < 0 {
		return // given up in the middle of what it wrote
	}
	if len(frame) > 0 && frame[0] == bunMark {
		frame, w.state.bunMarked = frame[1:], true
	}
	switch kindOf(frame) {
	case ready:
		if !w.state.Ready {
			w.state.Ready = true
			w.primary.publish(w)
		}
	case protocol:
		if seq, accepted, ok := answered(frame); ok {
			w.answer(seq, accepted)
		} else if whole {
			w.parse(frame)
		}
	case handle:
		w.acknowledge()
	case ack:
		w.arrived(false)
	case nack:
		w.arrived(true)
	case agent:
		if whole {
			w.reported(frame)
		}
	case sockets:
		if whole {
			w.countSockets(frame)
		}
	case foreign:
		w.heard(frame)
	}
}

func (w *Worker) parse(frame []byte) {
	var m message
	if json.Unmarshal(frame, &m) != nil {
		return
	}
	switch m.Act {
	case "online":
		w.online(m.PID, m.Command)
	case "queryServer":
		w.primary.asked(w, &m)
	case "listening":
		if w.state.listens(m.where()) {
			w.primary.publish(w)
		}
	case "close":
		w.closed(m.Key)
	case "disconnected": // said by exec's join.js: wrappers hold the channel too
		w.closeChannel(nil)
	case "exitedAfterDisconnect":
		w.state.Leaving, w.retired = true, true
		w.primary.publish(w)
		w.tell(reply{Ack: m.Seq}, tcp, -1)
	default:
		if m.Ack != nil {
			w.answer(*m.Ack, m.Accepted)
		}
	}
}

// online is said by a process when it starts. A second one on the same channel,
// as in sh -c "node a.js && node b.js", comes after the first.
func (w *Worker) online(pid int, command *Command) {
	if pid != 0 && w.sender.Pid > 0 {
		pid = int(w.sender.Pid) // as the kernel has it: what is known by that number gets signals
	}
	if pid != 0 && w.process != nil && w.process.pid != pid && !w.process.ended() {
		w.closeChannel(errTwoPrograms)
		return
	}
	w.forget()
	w.state = State{Online: true, PID: pid, Command: command, Awaited: w.state.Awaited, bunMarked: w.state.bunMarked}
	w.primary.publish(w)
	if pid != 0 {
		w.watch(pid)
	}
	if w.asked && !w.forkMode {
		w.disconnect() // who was asked before was another
	}
}

// forget forgets what the process had that was the worker so far. The next one
// on the channel, or in the slot, may want it again.
func (w *Worker) forget() {
	for key, s := range w.holds {
		delete(w.holds, key)
		s.bequeath(w, true)
	}
	w.takeBack()
	w.primary.reckon(w.Slot)
}

func (w *Worker) closed(key string) {
	s, ok := w.holds[key]
	if !ok {
		return
	}
	delete(w.holds, key)
	s.leave(w)
	w.state.Servers = len(w.holds)
	w.primary.reckon(w.Slot)
	w.primary.publish(w)
}

// countSockets answers a server of the worker that has passed connections to its
// parent, and cannot count them or close without (lib/internal/socket_list.js).
// None is open: see closePassed.
func (w *Worker) countSockets(frame []byte) {
	var m struct {
		Cmd string          `json:"cmd"`
		Key json.RawMessage `json:"key"`
	}
	if json.Unmarshal(frame, &m) != nil || len(m.Key) == 0 || len(m.Key) > maxAddress {
		return
	}
	switch m.Cmd {
	case "NODE_SOCKET_GET_COUNT":
		w.say(fmt.Appendf(nil, `{"cmd":"NODE_SOCKET_COUNT","key":%s,"count":0}`+"\n", m.Key))
	case "NODE_SOCKET_NOTIFY_CLOSE":
		w.say(fmt.Appendf(nil, `{"cmd":"NODE_SOCKET_ALL_CLOSED","key":%s}`+"\n", m.Key))
	}
}

// acknowledge answers a descriptor that the worker has sent: until then Node
// sends nothing more (lib/internal/child_process.js, target._handleQueue).
func (w *Worker) acknowledge() {
	if w.passed == 0 {
		w.say([]byte(`{"cmd":"NODE_HANDLE_NACK"}` + "\n"))
		return
	}
	w.passed--
	w.say([]byte(`{"cmd":"NODE_HANDLE_ACK"}` + "\n"))
}
