package cluster

import (
	"bytes"
	"slices"
)

// What an application, or a library in it, says to a primary of its own is
// thrown away. Of these libraries it is known what is lost by it; the words are
// near the beginning of each of their messages.
var libraries = []struct{ word, name string }{
	{`"log4js:message"`, "log4js"},
	{`"rate_limiter_flexible"`, "rate-limiter-flexible"},
	{`"_sio_adapter"`, "@socket.io/cluster-adapter"},
	{`"sticky:connection"`, "@socket.io/sticky"},
	{`"prom-client:`, "prom-client"},
}

// OtherSender is what is not one of the libraries that are known.
const OtherSender = "the application"

// maxSearched is how much of a message is looked through for a library's word.
const maxSearched = 512

// recordSender takes note, once for each, of what sends messages that nobody reads.
func (w *Worker) recordSender(frame []byte) {
	if len(frame) == 0 || bytes.HasPrefix(frame, []byte(`{"cmd":"NODE_`)) {
		return
	}
	frame = frame[:min(len(frame), maxSearched)]
	sender := OtherSender
	for _, l := range libraries {
		if bytes.Contains(frame, []byte(l.word)) {
			sender = l.name
			break
		}
	}
	if !slices.Contains(w.state.Senders, sender) {
		w.state.Senders = append(w.state.Senders, sender)
		w.primary.publish(w)
	}
}
