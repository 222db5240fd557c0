package cluster

import (
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A Worker is the primary's end of one worker's channel.
type Worker struct {
	// Slot is the worker's number, from 0. A replacement has the same.
	Slot int

	primary *Primary
	single  bool // no worker of Node's cluster: fork mode

	// Guarded by Primary.mu.
	public State
	dirty  bool

	// What follows belongs to the goroutine of Run.
	nth      int // of all workers, in the order in which they came
	fd       int // -1 once closed
	token    int32
	waiting  uint32 // the events that epoll waits for
	state    State
	splitter splitter
	frames   func(frame []byte, whole bool) // got, made once
	process  *process                       // of a late join, nil where it is not known
	sender   unix.Ucred                     // of what was read last
	passed   int                            // descriptors that came and belong to no frame yet
	holds    map[string]*server             // by key
	retired  bool                           // it gets no more connections
	replaced bool                           // Retire was called: what it had is reserved, or another has it
	asked    bool                           // to leave
	left     bool                           // and it has nothing left to do
	queue    []outgoing
	queued   int  // bytes of it
	full     bool // its end of the channel has no room
	hungUp   bool // it will not read any more
	seq      int64

	// Hand-overs; see roundrobin.go.
	pending   []handover // not answered yet, oldest first
	transit   []int64    // frames with a descriptor that it has not acknowledged
	given     int64      // connections handed over
	quiet     bool       // its answers are read when they are needed; see hush
	givenThen int64      // given, at the last look while it is quiet
	round     int64      // of Primary.distribute in which its answers were read
}

// Retire takes the worker out of rotation. If it was replaced, the next worker
// of its slot is there, and may still come to listen on all that this one has.
func (w *Worker) Retire(replaced bool) {
	w.primary.do(func() { w.retire(replaced) })
}

// Drain has the agent finish what the worker has and end the channel. Without an
// agent it is Disconnect, which loses what clients send on connections that they
// keep. signal is what comes then: where only libraries listen for it, so that it
// does not end the process, the agent does; "" for none.
func (w *Worker) Drain(signal string) {
	w.primary.do(func() {
		switch {
		case w.fd < 0 || w.asked:
		case w.state.Agent:
			w.asked = true
			w.say(fmt.Appendf(nil, orderDrain, w.last(), signal))
		default:
			w.leave()
		}
	})
}

// Disconnect asks the worker, with the protocol's disconnect, to close what
// servers it has, finish and end the channel.
func (w *Worker) Disconnect() {
	w.primary.do(func() {
		if w.fd >= 0 && !w.asked {
			w.leave()
		}
	})
}

// Shed has each answer of the worker be the last on its connection, if it has an
// agent.
func (w *Worker) Shed() {
	w.primary.do(func() {
		if w.state.Agent {
			w.say([]byte(orderShed))
		}
	})
}

// Finish is Shed, and has the agent say when no request is in hand, or limit is
// over: Finished.
func (w *Worker) Finish(limit time.Duration) {
	w.primary.do(func() {
		w.state.Finished = false
		if w.state.Agent {
			w.say(fmt.Appendf(nil, orderFinish, limit.Milliseconds()))
		}
	})
}

// Watch has the agent of a worker that has got signal say if all servers still
// listen when the time is up: Serving. That is soon, or late if the application's
// handlers look as if they closed servers when they have waited; 0 is never.
func (w *Worker) Watch(signal string, soon, late time.Duration) {
	w.primary.do(func() {
		w.state.Serving = false
		if w.state.Agent {
			w.say(fmt.Appendf(nil, orderWatch, signal, soon.Milliseconds(), late.Milliseconds()))
		}
	})
}

func (w *Worker) leave() {
	w.retired, w.asked = true, true
	if !w.single {
		w.disconnect()
	}
}

func (w *Worker) disconnect() {
	w.say(fmt.Appendf(nil, `{"cmd":"NODE_CLUSTER","act":"disconnect","seq":%d}`+"\n", w.seq))
	w.seq++
}

// Release gives up the channel of a worker whose process has ended or was never
// started. With kept, the slot's sockets stay open for the next worker of the
// slot; connections wait there.
func (w *Worker) Release(kept bool) {
	w.primary.do(func() { w.release(kept) })
}

func (w *Worker) add() {
	p := w.primary
	token, err := p.poll.add(w.fd, unix.EPOLLIN, w)
	if err != nil {
		w.closeChannel(err)
		return
	}
	w.token, w.waiting = token, unix.EPOLLIN
	p.workers[w] = struct{}{}
	p.lastNth++
	w.nth = p.lastNth
	p.reckon(w.Slot)
}

func (w *Worker) release(kept bool) {
	w.drainChannel()
	w.closeChannel(nil)
	for _, s := range w.primary.servers {
		s.bequeath(w, kept)
		s.parted(w)
	}
	clear(w.holds)
	delete(w.primary.workers, w)
	w.primary.reckon(w.Slot)
}

// closeChannel ends the channel, because of fault if that is not nil. What the
// worker has not taken goes to others.
func (w *Worker) closeChannel(fault error) {
	if w.fd < 0 {
		return
	}
	w.primary.poll.remove(w.fd, w.token)
	_ = unix.Shutdown(w.fd, unix.SHUT_RDWR)
	w.primary.closer.close(w.fd) // descriptors that were not read are closed with it
	w.fd = -1
	w.unwatch()
	for _, o := range w.queue {
		closeFD(o.fd)
	}
	w.queue, w.queued = nil, 0
	w.state.Ended, w.state.Fault = true, fault
	w.primary.publish(w)
	w.takeBack()
}

// waitFor sets the events of the channel to those that matter now.
func (w *Worker) waitFor() {
	if w.fd < 0 {
		return
	}
	var events uint32
	if !w.quiet {
		events |= unix.EPOLLIN
	}
	if w.full {
		events |= unix.EPOLLOUT
	}
	if events != w.waiting {
		w.waiting = events
		w.primary.poll.change(w.fd, w.token, events)
	}
}

// say sends an internal message without a descriptor.
func (w *Worker) say(frame []byte) {
	if w.state.bun {
		frame = append([]byte{bunMark}, frame...)
	}
	w.send(frame, -1)
}

// got handles one frame.
func (w *Worker) got(frame []byte, whole bool) {
	if w.fd < 0 {
		return // given up in the middle of what it wrote
	}
	if len(frame) > 0 && frame[0] == bunMark {
		frame, w.state.bun = frame[1:], true
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
	w.state = State{Online: true, PID: pid, Command: command, Awaited: w.state.Awaited, bun: w.state.bun}
	w.primary.publish(w)
	if pid != 0 {
		w.watch(pid)
	}
	if w.asked && !w.single {
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
