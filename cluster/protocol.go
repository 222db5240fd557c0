package cluster

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/rawjson"
)

// onFrame handles one frame.
func (w *Worker) onFrame(frame []byte, whole bool) {
	if len(frame) > 0 && frame[0] == bunMark {
		frame, w.bunMarked = frame[1:], true
	}
	switch kindOf(frame) {
	case readyMessage:
		if !w.state.Ready {
			w.state.Ready = true
			w.publish()
		}
	case clusterMessage:
		if seq, accepted, ok := parseAck(frame); ok {
			w.acks.settle(seq, accepted, w)
		} else if whole {
			w.onMessage(frame)
		}
	case handleMessage:
		w.send(handleReply(w.channel.takePassed()), -1)
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
			if r := socketListReply(frame); r != nil {
				w.send(r, -1)
			}
		}
	case appMessage:
		if w.state.addSender(frame) {
			w.publish()
		}
	}
}

// onMessage handles a message of the cluster protocol.
func (w *Worker) onMessage(frame []byte) {
	value, err := rawjson.Parse(frame)
	if err != nil {
		return
	}
	m := message{value}
	switch m.act() {
	case "online":
		w.onOnline(int(m.int("pid", 0)), parseCommand(m.Get("command")))
	case "queryServer":
		m.Value = slices.Clone(m.Value) // frame is used again
		r := request{worker: w, message: m, sender: w.channel.sender}
		r.answer()
	case "listening":
		if w.state.addListening(m.where()) {
			w.publish()
		}
	case "close":
		w.onClose(m.Get("key").Text())
	case "disconnected": // sent by node/preload/join.js: wrappers have the channel open too
		w.channel.close(nil)
	case "exitedAfterDisconnect":
		w.state.Leaving, w.outOfRotation = true, true
		w.publish()
		w.reply(reply{Ack: m.seq()}, tcp, -1)
	default:
		if seq, accepted, ok := m.ack(); ok {
			w.acks.settle(seq, accepted, w)
		}
	}
}

// onOnline handles the first message of a process. On one channel there may be
// several, one after the other: sh -c "node a.js && node b.js".
func (w *Worker) onOnline(pid int, command *Command) {
	if sender := w.channel.sender; pid != 0 && sender.Pid > 0 {
		pid = int(sender.Pid) // as the kernel has it: the process with this ID will get signals
	}
	if pid != 0 && w.process != nil && w.process.pid != pid && !w.process.exited() {
		w.channel.close(errTwoPrograms)
		return
	}
	w.releaseServers()
	w.state = State{Online: true, PID: pid, Command: command, Awaited: w.state.Awaited}
	w.publish()
	if pid != 0 {
		w.process.close()
		w.process = watchProcess(w, pid)
	}
	if w.draining && !w.forkMode {
		w.sendDisconnect() // another process was asked before
	}
}

// releaseServers takes away what the process had that was the worker so far. The next
// one on the channel, or in the slot, may ask for it again.
func (w *Worker) releaseServers() {
	for key, s := range w.servers {
		delete(w.servers, key)
		s.removeExited(w, true)
	}
	w.acks.reclaim()
	w.primary.updateAwaited(w.Slot)
}

// onClose handles that the worker has closed a server.
func (w *Worker) onClose(key string) {
	s, ok := w.servers[key]
	if !ok {
		return
	}
	delete(w.servers, key)
	s.removeWorker(w)
	w.state.Servers = len(w.servers)
	w.primary.updateAwaited(w.Slot)
	w.publish()
}

// onHandleAck handles that a descriptor has arrived, or was lost because the worker
// has as many as it may (MSG_CTRUNC).
func (w *Worker) onHandleAck(lost bool) {
	number, ok := w.acks.takeHandle()
	switch {
	case !ok || !lost || number == ownHandle || number == scriptHandle:
	case number >= 0:
		w.acks.settle(number, false, w)
	default:
		code := errno(unix.EMFILE)
		w.reply(reply{Ack: -1 - number, Errno: &code}, tcp, -1)
	}
}

// handleReply acknowledges a frame with a descriptor. Node sends nothing more before
// it gets one (lib/internal/child_process.js, target._handleQueue).
func handleReply(arrived bool) []byte {
	if arrived {
		return []byte(`{"cmd":"NODE_HANDLE_ACK"}` + "\n")
	}
	return []byte(`{"cmd":"NODE_HANDLE_NACK"}` + "\n")
}

// socketListReply answers a server of the worker that has passed connections to its
// parent, and can neither count them nor close before it is answered
// (lib/internal/socket_list.js). None is open: see channel.closePassed. It returns nil
// if there is nothing to answer.
func socketListReply(frame []byte) []byte {
	m, err := rawjson.Parse(frame)
	key := m.Get("key")
	if err != nil || key == nil || len(key) > maxAddress {
		return nil
	}
	switch m.Get("cmd").Text() {
	case "NODE_SOCKET_GET_COUNT":
		return fmt.Appendf(nil, `{"cmd":"NODE_SOCKET_COUNT","key":%s,"count":0}`+"\n", key)
	case "NODE_SOCKET_NOTIFY_CLOSE":
		return fmt.Appendf(nil, `{"cmd":"NODE_SOCKET_ALL_CLOSED","key":%s}`+"\n", key)
	}
	return nil
}
