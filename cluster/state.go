package cluster

import (
	"slices"
	"time"

	"github.com/nodeinit/nodeinit/rawjson"
)

// A State is what a worker has reported so far. When another process comes online on
// its channel, or it exits, most of it is reset.
type State struct {
	Online    bool     // Node has started
	Servers   int      // that it has asked for and not closed
	Listening []string // addresses in the order in which it listened on them; at most 64
	Awaited   []string // addresses of its predecessor that it has not asked for yet; at most 8
	Ready     bool     // the application sent 'ready'
	Leaving   bool     // it disconnects, so that Ended is expected
	Ended     bool     // the channel is closed
	Fault     error    // why nodeinit closed the channel; nil: it did not
	Senders   []string // of messages to the application's primary, which nodeinit drops: names of libraries, or OtherSender
	PID       int      // of a process that joined late (node/preload/join.js), else 0
	Command   *Command // how that process was started; nil: not known. It is not modified later
	Refused   Refusal  // the first server that nodeinit could not make, and the worker might

	// What follows comes from the agent, a script that nodeinit preloads into Node. It
	// is zero where there is none.
	Agent     bool      // it has reported
	Handles   []string  // stop signals that the application has handlers for, such as "SIGTERM"
	Finished  bool      // see Worker.Finish
	Serving   bool      // see Worker.Watch
	Heartbeat time.Time // time of the last one: the event loop was running then
	Loop      Loop      // figures of that heartbeat
	// SilentUntil is until when its event loop may stand still, by what the agent has
	// announced; zero: it has not. When that is over it is a time in the past.
	SilentUntil time.Time

	Counted     bool  // that heartbeat had what follows
	Connections int64 // open ones of its servers
	Requests    int64 // HTTP requests that it has begun to handle
}

// A Command is how a process that joined late was started, as it says: do not trust it.
type Command struct {
	Path   string            // process.execPath
	Argv   []string          // argv0, execArgv and argv from 1 on
	Dir    string            // its working directory
	Env    map[string]string // without what nodeinit added for the join
	Files  []string          // "device inode" of /, stdout and stderr
	Script bool              // Node was given a file to run, not -e or standard input
}

// parseCommand returns nil for what is no object.
func parseCommand(v rawjson.Value) *Command {
	if !v.IsObject() {
		return nil
	}
	env := make(map[string]string)
	v.Get("env").Each(func(name string, value rawjson.Value) { env[name] = value.Text() })
	return &Command{
		Path: v.Get("path").Text(), Argv: v.Get("argv").Texts(), Dir: v.Get("dir").Text(),
		Env: env, Files: v.Get("files").Texts(), Script: v.Get("script").Bool(),
	}
}

// A Refusal is a server that the worker did not get.
type Refusal struct {
	Where string // as in Listening; "": none was refused
	Error string
	Try   string // what to do about it
}

// A Loop is the load of a worker's event loop between two heartbeats of its agent.
type Loop struct {
	Utilisation        float64 // 0 to 1
	DelayP50, DelayP99 time.Duration
	Heap               int64 // bytes used
}

// bunMark is the byte before each of Bun's internal messages, in both directions (seen
// in Bun 1.4).
const bunMark = 2

// maxListening is how many addresses State.Listening has.
const maxListening = 64

func (s State) clone() State {
	s.Listening, s.Handles, s.Senders = slices.Clone(s.Listening), slices.Clone(s.Handles), slices.Clone(s.Senders)
	return s // Awaited is replaced and never modified
}

// addListening adds an address and reports whether it is a new one.
func (s *State) addListening(where string) bool {
	if len(s.Listening) >= maxListening || slices.Contains(s.Listening, where) {
		return false
	}
	s.Listening = append(s.Listening, where)
	return true
}
