package cluster

import (
	"bytes"
	"slices"
)

// libraries are known to send messages to a primary with code of their own, which
// is not there. The words are near the beginning of each of their messages.
var libraries = []struct{ word, name string }{
	{`"log4js:message"`, "log4js"},
	{`"rate_limiter_flexible"`, "rate-limiter-flexible"},
	{`"_sio_adapter"`, "@socket.io/cluster-adapter"},
	{`"sticky:connection"`, "@socket.io/sticky"},
	{`"prom-client:`, "prom-client"},
}

// OtherSender stands in State.Senders for senders other than the known libraries.
const OtherSender = "the application"

// maxSearched is how much of a message is searched for a library's word.
const maxSearched = 512

// addSender records the sender of a message to a primary that runs no code of the application, and reports whether
// it is a new one.
func (s *State) addSender(frame []byte) bool {
	if len(frame) == 0 || bytes.HasPrefix(frame, []byte(`{"cmd":"NODE_`)) {
		return false
	}
	frame = frame[:min(len(frame), maxSearched)]
	sender := OtherSender
	for _, l := range libraries {
		if bytes.Contains(frame, []byte(l.word)) {
			sender = l.name
			break
		}
	}
	if slices.Contains(s.Senders, sender) {
		return false
	}
	s.Senders = append(s.Senders, sender)
	return true
}
