// Package node tells how a command line starts Node, and prepares the command
// that starts it as a worker of Node's cluster protocol.
//
// [Identify] looks at a command line, the files it names and its environment, and
// runs nothing. The [Program] it returns has the runtime, the way it can join
// ([JoinDirect], [JoinLate], or [JoinNone] and why), and what to run: of npm start
// or sh -c "node server.js" that is the node command inside, so that neither npm
// nor the shell stands between nodeinit and Node. What runs Node at some time and
// has to be kept (tsx, a shell script) is a late join.
//
// [Program.Command] returns the command for one [Slot]. It gives Node the channel,
// and through NODE_OPTIONS the modules in preload/: the agent, and for a late join
// what takes the channel once the application listens or sends a message.
//
// [HeapSize] and the other heap functions divide a memory limit among workers.
// [CompareProcess], [Watcher] and [WithoutAdded] tell whether a process below a
// wrapper can be started again without that wrapper, and with what.
package node

import (
	"fmt"
	"syscall"

	"github.com/nodeinit/nodeinit/exec"
)

// A Program is what a command line runs, seen through what wraps it.
type Program struct {
	// Argv is the command to run: the one given to Identify, or the one that it
	// comes to, such as the node command in a script of package.json.
	Argv []string
	Env  []string // its environment
	Dir  string   // its working directory; "" for that of this process
	// File is the file to execute; "" is the one that Argv[0] names.
	File string
	// Credential is the user to run it as; nil is that of this process.
	Credential *syscall.Credential

	Runtime Runtime
	Join    Join
	Daemon  bool // it starts and watches processes itself, as PM2 does
	Single  bool // a single executable application; see readExecutable
	// Wrapped tells that a process which does not pass signals on stands before
	// the program. Signals then go to the process group, and the program has
	// exited when all descendants have. A late join is always wrapped in per-core
	// mode.
	Wrapped bool

	Note string // what is run instead of Argv, or why a package manager is kept; "" for neither
	Why  string // why Join is JoinNone, and what to write instead
}

// A Runtime is what executes the program.
type Runtime string

// The runtimes. RuntimeOther is also one that cannot be determined.
const (
	RuntimeOther Runtime = ""
	RuntimeNode  Runtime = "node"
	RuntimeBun   Runtime = "bun"
	RuntimeDeno  Runtime = "deno"
)

// A Join is how a program becomes a worker of Node's cluster protocol.
type Join int

// The ways to join.
const (
	JoinNone   Join = iota // it cannot; Why has the reason
	JoinDirect             // the process that is started is the worker
	JoinLate               // a Node process below it becomes the worker; see join.js and fork.js
)

// String returns the name of j for logs.
func (j Join) String() string {
	switch j {
	case JoinNone:
		return "none"
	case JoinDirect:
		return "direct"
	case JoinLate:
		return "late"
	default:
		return fmt.Sprintf("Join(%d)", int(j))
	}
}

// Find returns the file to execute for p, as [exec.Find] does.
func (p Program) Find() (string, error) {
	if p.File != "" {
		return p.File, nil
	}
	return p.environment().find(p.Argv[0])
}

func (p Program) environment() environment { return environment{p.Env, p.Dir} }

// Identify tells what argv runs in the environment env and the working directory
// of this process, of which dir is the path, as [exec.WorkingDir] returns it. It
// reads regular files (package.json, the first line of a script) and starts
// nothing. Where it is not certain the join is late, which works for whatever
// starts Node at some time.
func Identify(argv, env []string, dir string) Program {
	p := commandLine{argv: argv, environment: environment{env, dir}}.identify()
	if p.Dir == dir { // inherited, so that it works even if the path is gone by then
		p.Dir = ""
	}
	return p
}

// Getenv returns the value of key in the environment of p, "" if there is none.
func (p Program) Getenv(key string) string { return exec.Getenv(p.Env, key) }
