package cluster

import (
	"slices"
	"time"
)

// A State is what a worker has told so far.
type State struct {
	Online    bool     // its Node has come up
	Servers   int      // servers that it has asked for and not closed again
	Listening []string // what it has come to listen on, in that order; at most 64
	Awaited   []string // what its predecessor had and it has not asked for yet; the first few
	Ready     bool     // the application sent 'ready'
	Leaving   bool     // it asked to disconnect: the end of the channel is no surprise
	Ended     bool     // the channel is closed
	Fault     error    // why nodeinit closed it; nil: the worker did
	Senders   []string // of messages to a primary that is not there: libraries, OtherSender
	PID       int      // of the process that joined late (node's join.js), else 0
	Command   *Command // how that process was started; nil: it did not tell. It never changes
	Refused   Refusal  // the first server that nodeinit could not make, though the worker might have

	// What follows comes from the agent, the few lines that nodeinit runs inside
	// the worker. Where there is none, it stays zero.
	Agent     bool      // it has reported
	Handles   []string  // stop signals that the application handles itself, such as "SIGTERM"
	Finished  bool      // no request was in hand, after Finish
	Serving   bool      // it had closed no server when the time for that was up, after Watch
	Heartbeat time.Time // of its last report: the event loop turned then
	Loop      Loop      // the figures of that report

	bunMarked bool // its internal messages begin with bunMark
}

// A Command is how a process that joined late says that it was started. It comes
// from the worker: check it before anything is done with it.
type Command struct {
	Path  string            `json:"path"`  // process.execPath
	Argv  []string          `json:"argv"`  // argv0, execArgv and argv from 1 on
	Dir   string            `json:"dir"`   // its working directory
	Env   map[string]string `json:"env"`   // without what nodeinit added for the join
	Files []string          `json:"files"` // "device inode" of /, stdout and stderr
	// Script reports whether Node was given a file to run, not -e or standard input.
	Script bool `json:"script"`
}

// A Refusal is a server that the worker did not get.
type Refusal struct {
	Where string // as in Listening; "": none was refused
	Error string
	Try   string // what to do about it
}

// A Loop is how a worker's event loop fared between two reports of its agent.
type Loop struct {
	Utilisation        float64 // 0 to 1
	DelayP50, DelayP99 time.Duration
	Heap               int64 // bytes used
}

// bunMark is the byte before each of Bun's internal messages, in both
// directions (seen in Bun 1.4).
const bunMark = 2

const maxListening = 64

func (s State) clone() State {
	s.Listening, s.Handles, s.Senders = slices.Clone(s.Listening), slices.Clone(s.Handles), slices.Clone(s.Senders)
	return s // nobody changes what Awaited has
}

// addListening adds what the worker addListening on, once, and reports whether that is
// news.
func (s *State) addListening(where string) bool {
	if len(s.Listening) >= maxListening || slices.Contains(s.Listening, where) {
		return false
	}
	s.Listening = append(s.Listening, where)
	return true
}
