package cluster

import "bytes"

const (
	// readSize is how much is read from a channel at once. A worker that writes a lot
	// delays the others for no longer than it takes to parse this much.
	readSize = 32 << 10
	// maxFrame is the longest frame that is kept. Those for a primary have a few hundred
	// bytes, or with the environment of a late join some thousands; an application may
	// send frames of any length, which nodeinit drops.
	maxFrame = 256 << 10
)

// A kind is what a frame is for.
type kind int

const (
	appMessage        kind = iota // the application's own, or not valid
	readyMessage                  // process.send('ready'), as for PM2
	clusterMessage                // of the cluster protocol
	handleMessage                 // a descriptor goes with it
	handleAck                     // a descriptor has arrived
	handleNack                    // a descriptor has not arrived
	agentMessage                  // of node/preload/agent.js
	socketListMessage             // a server asks for the connections that it has passed
)

// kindOf returns the kind of a frame by its first bytes. Node always writes cmd first
// (sendHelper in lib/internal/cluster/utils.js, setupChannel in
// lib/internal/child_process.js), so most frames need no JSON parser.
func kindOf(frame []byte) kind {
	rest, internal := bytes.CutPrefix(frame, []byte(`{"cmd":"NODE_`))
	switch {
	case !internal && string(frame) == `"ready"`:
		return readyMessage
	case !internal:
		return appMessage
	case bytes.HasPrefix(rest, []byte(`CLUSTER"`)):
		return clusterMessage
	case bytes.HasPrefix(rest, []byte(`NODEINIT"`)):
		return agentMessage
	case bytes.HasPrefix(rest, []byte(`SOCKET_`)):
		return socketListMessage
	case bytes.HasPrefix(rest, []byte(`HANDLE"`)):
		return handleMessage
	case bytes.HasPrefix(rest, []byte(`HANDLE_ACK"`)):
		return handleAck
	case bytes.HasPrefix(rest, []byte(`HANDLE_NACK"`)):
		return handleNack
	default:
		return appMessage
	}
}

// A splitter cuts a stream into frames, which end with a newline. It keeps at most
// maxFrame bytes. The zero value is ready to use.
type splitter struct {
	partial   []byte // the beginning of a frame whose end has not come
	truncated bool   // the frame is longer than maxFrame
	stopped   bool
}

// split calls each for every frame that ends in data, without its newline. The frame is
// valid until each returns. Of a frame longer than maxFrame it passes the beginning,
// and whole is false.
func (s *splitter) split(data []byte, each func(frame []byte, whole bool)) {
	for !s.stopped {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			s.append(data)
			return
		}
		frame := data[:end]
		data = data[end+1:]
		if len(s.partial) == 0 && !s.truncated && len(frame) <= maxFrame {
			each(frame, true)
			continue
		}
		s.append(frame)
		each(s.partial, !s.truncated)
		s.reset()
	}
}

func (s *splitter) append(data []byte) {
	if room := maxFrame - len(s.partial); len(data) > room {
		data, s.truncated = data[:room], true
	}
	s.partial = append(s.partial, data...)
}

// stop makes split call each no more. It may be called by each.
func (s *splitter) stop() { s.partial, s.stopped = nil, true }

// reset prepares for the next frame. It does not keep a buffer that has become large.
func (s *splitter) reset() {
	s.partial, s.truncated = s.partial[:0], false
	if cap(s.partial) > 4096 {
		s.partial = nil
	}
}
