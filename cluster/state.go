package cluster

import "slices"

// A State is what a worker has told so far.
type State struct {
	Online    bool     // its Node has come up
	Servers   int      // servers that it has asked for and not closed again
	Listening []string // what it has come to listen on, in that order; at most 64
	Ready     bool     // the application sent 'ready'
	Leaving   bool     // it asked to disconnect: the end of the channel is no surprise
	Ended     bool     // the channel is closed
	Fault     error    // why nodeinit closed it; nil: the worker did

	bun bool // its internal messages begin with bunMark
}

// bunMark is the byte before each of Bun's internal messages, in both
// directions (seen in Bun 1.4).
const bunMark = 2

const maxListening = 64

func (s State) clone() State {
	s.Listening = slices.Clone(s.Listening)
	return s
}

// listens adds what the worker listens on, once, and reports whether that is
// news.
func (s *State) listens(where string) bool {
	if len(s.Listening) >= maxListening || slices.Contains(s.Listening, where) {
		return false
	}
	s.Listening = append(s.Listening, where)
	return true
}
