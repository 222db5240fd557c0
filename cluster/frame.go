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
	// maxPassed is how many descriptors may come with one read (SCM_MAX_FD,
	// include/net/scm.h).
	maxPassed = 253
)

// A kind is what a frame is for.
type kind int

const (
	foreign  kind = iota // the application's business, or rubbish
	ready                // process.send('ready'): the word of PM2
	protocol             // a cluster message
	handle               // something with a descriptor
	ack                  // a descriptor has arrived
	nack                 // a descriptor has not arrived
	agent                // what exec's agent.js tells
	sockets              // a server asks for the connections that it has passed
)

// kindOf tells from the first bytes of a frame what it is. Node always writes
// cmd first (sendHelper in lib/internal/cluster/utils.js, setupChannel in
// lib/internal/child_process.js), so that nothing else need be parsed.
func kindOf(frame []byte) kind {
	rest, internal := bytes.CutPrefix(frame, []byte(`{"cmd":"NODE_`))
	switch {
	case !internal && string(frame) == `"ready"`:
		return ready
	case !internal:
		return foreign
	case bytes.HasPrefix(rest, []byte(`CLUSTER"`)):
		return protocol
	case bytes.HasPrefix(rest, []byte(`NODEINIT"`)):
		return agent
	case bytes.HasPrefix(rest, []byte(`SOCKET_`)):
		return sockets
	case bytes.HasPrefix(rest, []byte(`HANDLE"`)):
		return handle
	case bytes.HasPrefix(rest, []byte(`HANDLE_ACK"`)):
		return ack
	case bytes.HasPrefix(rest, []byte(`HANDLE_NACK"`)):
		return nack
	default:
		return foreign
	}
}

// A splitter cuts what comes in pieces into frames, which end with a newline.
// It keeps at most maxFrame bytes. The zero value is ready to use.
type splitter struct {
	begun    []byte // of a frame whose end has not come
	skipping bool   // begun is all that is kept of it
}

// split calls each for every frame that ends in data, without its newline; the
// frame is good until each returns. Of a frame longer than maxFrame it passes
// the beginning, with whole unset.
func (s *splitter) split(data []byte, each func(frame []byte, whole bool)) {
	for {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			s.keep(data)
			return
		}
		frame := data[:end]
		data = data[end+1:]
		if len(s.begun) == 0 && !s.skipping && len(frame) <= maxFrame {
			each(frame, true)
			continue
		}
		s.keep(frame)
		each(s.begun, !s.skipping)
		s.forget()
	}
}

func (s *splitter) keep(data []byte) {
	if room := maxFrame - len(s.begun); len(data) > room {
		data, s.skipping = data[:room], true
	}
	s.begun = append(s.begun, data...)
}

// forget is for the next frame; a buffer that one long frame made is not kept.
func (s *splitter) forget() {
	s.begun, s.skipping = s.begun[:0], false
	if cap(s.begun) > 4096 {
		s.begun = nil
	}
}
