package cluster

import "bytes"

const (
	// readSize is how much of a channel is read at once. One worker's chatter
	// holds up the others no longer than it takes to look through this much.
	readSize = 32 << 10
	// maxFrame is the longest message that is kept. Those that concern a primary
	// are a few hundred bytes, except that a late join tells its environment; an
	// application may send any length to nobody, and none of that is stored.
	maxFrame = 256 << 10
	// maxPassedFDs is how many descriptors may come with one read (SCM_MAX_FD,
	// include/net/scm.h).
	maxPassedFDs = 253
)

// A kind is what a frame is for.
type kind int

const (
	appMessage        kind = iota // the application's business, or rubbish
	readyMessage                  // process.send('ready'): the word of PM2
	clusterMessage                // a cluster message
	handleMessage                 // something with a descriptor
	handleAck                     // a descriptor has arrived
	handleNack                    // a descriptor has not arrived
	agentMessage                  // what exec's agent.js tells
	socketListMessage             // a server asks for the connections that it has passed
)

// kindOf tells from the first bytes of a frame what it is. Node always writes
// cmd first (sendHelper in lib/internal/cluster/utils.js, setupChannel in
// lib/internal/child_process.js), so that nothing else need be parsed.
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

// A splitter cuts what comes in pieces into frames, which end with a newline.
// It keeps at most maxFrame bytes. The zero value is ready to use.
type splitter struct {
	partial   []byte // of a frame whose end has not come
	truncated bool   // begun is all that is kept of it
}

// split calls each for every frame that ends in data, without its newline; the
// frame is good until each returns. Of a frame longer than maxFrame it passes
// the beginning, with whole unset.
func (s *splitter) split(data []byte, each func(frame []byte, whole bool)) {
	for {
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

// reset is for the next frame; a buffer that one long frame made is not kept.
func (s *splitter) reset() {
	s.partial, s.truncated = s.partial[:0], false
	if cap(s.partial) > 4096 {
		s.partial = nil
	}
}
