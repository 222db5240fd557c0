package cluster

import (
	"encoding/json"
	"fmt"
)

// onFrame handles one frame.
func (w *Worker) onFrame(frame []byte, whole bool) {
	if w.fd < 0 {
		return // given up in the middle of what it wrote
	}
	if len(frame) > 0 && frame[0] == bunMark {
		frame, w.state.bunMarked = frame[1:], true
	}
	switch kindOf(frame) {
	case readyMessage:
		if !w.state.Ready {
			w.state.Ready = true
			w.primary.publish(w)
		}
	case clusterMessage:
		if seq, accepted, ok := parseAck(frame); ok {
			w.onAck(seq, accepted)
		} else if whole {
			w.onMessage(frame)
		}
	case handleMessage:
		w.onHandle()
	case handleAck:
		w.onHandleAck(false)
	case handleNack:
		w.onHandleAck(true)
	case agentMessage:
		if whole {
			w.onAgentReport(frame)
		}
	case socketListMessage:
		if whole {
			w.onSocketList(frame)
		}
	case appMessage:
		w.recordSender(frame)
	}
}

func (w *Worker) onMessage(frame []byte) {
	var m message
	if json.Unmarshal(frame, &m) != nil {
		return
	}
	switch m.Act {
	case "online":
		w.onOnline(m.PID, m.Command)
	case "queryServer":
		w.primary.onQueryServer(w, &m)
	case "listening":
		if w.state.addListening(m.where()) {
			w.primary.publish(w)
		}
	case "close":
		w.onClose(m.Key)
	case "disconnected": // said by exec's join.js: wrappers hold the channel too
		w.closeChannel(nil)
	case "exitedAfterDisconnect":
		w.state.Leaving, w.outOfRotation = true, true
		w.primary.publish(w)
		w.reply(reply{Ack: m.Seq}, tcp, -1)
	default:
		if m.Ack != nil {
			w.onAck(*m.Ack, m.Accepted)
		}
	}
}

// onOnline is said by a process when it starts. A second one on the same channel,
// as in sh -c "node a.js && node b.js", comes after the first.
func (w *Worker) onOnline(pid int, command *Command) {
	if pid != 0 && w.sender.Pid > 0 {
		pid = int(w.sender.Pid) // as the kernel has it: what is known by that number gets signals
	}
	if pid != 0 && w.process != nil && w.process.pid != pid && !w.process.exited() {
		w.closeChannel(errTwoPrograms)
		return
	}
	w.releaseServers()
	w.state = State{Online: true, PID: pid, Command: command, Awaited: w.state.Awaited, bunMarked: w.state.bunMarked}
	w.primary.publish(w)
	if pid != 0 {
		w.watchProcess(pid)
	}
	if w.draining && !w.forkMode {
		w.sendDisconnect() // who was asked before was another
	}
}

// releaseServers forgets what the process had that was the worker so far. The next one
// on the channel, or in the slot, may want it again.
func (w *Worker) releaseServers() {
	for key, s := range w.servers {
		delete(w.servers, key)
		s.removeExited(w, true)
	}
	w.reclaim()
	w.primary.updateAwaited(w.Slot)
}

func (w *Worker) onClose(key string) {
	s, ok := w.servers[key]
	if !ok {
		return
	}
	delete(w.servers, key)
	s.removeWorker(w)
	w.state.Servers = len(w.servers)
	w.primary.updateAwaited(w.Slot)
	w.primary.publish(w)
}

// onSocketList answers a server of the worker that has passed connections to its
// parent, and cannot count them or close without (lib/internal/socket_list.js).
// None is open: see closePassed.
func (w *Worker) onSocketList(frame []byte) {
	var m struct {
		Cmd string          `json:"cmd"`
		Key json.RawMessage `json:"key"`
	}
	if json.Unmarshal(frame, &m) != nil || len(m.Key) == 0 || len(m.Key) > maxAddress {
		return
	}
	switch m.Cmd {
	case "NODE_SOCKET_GET_COUNT":
		w.sendMessage(fmt.Appendf(nil, `{"cmd":"NODE_SOCKET_COUNT","key":%s,"count":0}`+"\n", m.Key))
	case "NODE_SOCKET_NOTIFY_CLOSE":
		w.sendMessage(fmt.Appendf(nil, `{"cmd":"NODE_SOCKET_ALL_CLOSED","key":%s}`+"\n", m.Key))
	}
}

// onHandle answers a descriptor that the worker has sent: until then Node
// sends nothing more (lib/internal/child_process.js, target._handleQueue).
func (w *Worker) onHandle() {
	if w.passedFDs == 0 {
		w.sendMessage([]byte(`{"cmd":"NODE_HANDLE_NACK"}` + "\n"))
		return
	}
	w.passedFDs--
	w.sendMessage([]byte(`{"cmd":"NODE_HANDLE_ACK"}` + "\n"))
}
