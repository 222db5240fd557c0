package node

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/nodeinit/nodeinit/exec"
)

// A Program is what a command line runs, seen through what wraps it.
type Program struct {
	// Argv is what to run. It is the command line that was given, or what that
	// comes to: a script of package.json that is a plain node command stands for
	// itself, without npm and its shell.
	Argv []string
	Env  []string // the environment to run it with
	Dir  string   // and the directory; "" for where this process is
	// File is what to execute; "" is what Argv[0] stands for.
	File string
	// Credential is the user to run it as; nil: nodeinit's own.
	Credential *syscall.Credential

	Runtime Runtime
	Join    Join
	Single  bool // Node and the program are one file; see sea.go
	// Wrapped tells that a process which does not pass signals on stands before
	// the program: signals go to the process group, and the end is the end of
	// all descendants. A late join is always wrapped in per-core mode.
	Wrapped bool

	Note string // what was resolved, for one log line; "" if nothing was
	Why  string // why Join is None, and what to write instead
}

// A Runtime is what executes the program.
type Runtime string

// The runtimes. RuntimeOther is also what cannot be told from outside.
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
	JoinNone   Join = iota // not at all; Why says why
	JoinDirect             // the process that is started is the worker
	JoinLate               // a Node process below it becomes the worker; see join.js
)

// String returns the name of j for logs.
func (j Join) String() string { return [...]string{"none", "direct", "late"}[j] }

// Find returns the file to execute for p, as [Find] does.
func (p Program) Find() (string, error) {
	if p.File != "" {
		return p.File, nil
	}
	return commandLine{argv: p.Argv, env: p.Env, dir: p.Dir}.find()
}

// Identify tells what argv runs in the environment env and the directory of this
// process, of which dir is what [WorkingDir] returned. It reads regular files
// (package.json, the first line of a script) but starts nothing. In doubt the join
// is late, which works for whatever starts Node at some time.
func Identify(argv, env []string, dir string) Program {
	p := commandLine{argv: argv, env: env, dir: dir}.identify()
	if p.Dir == dir { // it is inherited, whatever leads or does not lead there by then
		p.Dir = ""
	}
	return p
}

// A commandLine is a command line where it would run.
type commandLine struct {
	argv, env []string
	dir       string
	depth     int // how many others it was found in
}

const maxDepth = 8 // of scripts that run scripts; one may run itself

// Commands by the names they go by.
var (
	shellNames   = []string{"sh", "bash", "dash", "ash", "zsh", "ksh"}
	managerNames = []string{"npm", "yarn", "yarnpkg", "pnpm"}
	fetcherNames = []string{"npx", "pnpx", "corepack"}
	daemonNames  = []string{"pm2", "pm2-runtime", "pm2-docker", "forever"}
	initNames    = []string{"tini", "tini-static", "docker-init", "dumb-init", "catatonit"}
	asUserNames  = []string{"gosu", "su-exec", "chroot"} // the word after them is no command
	// Commands that run several others beside each other.
	parallelNames = []string{"concurrently", "run-p", "npm-run-all"}
	wrapperNames  = slices.Concat(managerNames, fetcherNames, []string{"tsx", "ts-node", "nodemon", "next", "nuxt", "nest"})
)

// isNode reports whether name is node, nodejs or node22.
func isNode(name string) bool {
	rest, ok := strings.CutPrefix(name, "node")
	return ok && strings.Trim(strings.TrimPrefix(rest, "js"), "-.0123456789") == ""
}

// mentionsNode reports whether a shell's text runs something that is Node's.
func mentionsNode(text string) bool {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n;&|()`\"'", r) })
	return slices.ContainsFunc(words, func(word string) bool {
		name := filepath.Base(word)
		return isNode(name) || slices.Contains(wrapperNames, name) || slices.Contains([]string{".js", ".mjs", ".cjs"}, filepath.Ext(name))
	})
}

// resetsOptions reports whether text sets NODE_OPTIONS without keeping what it
// was.
func resetsOptions(text string) bool {
	if strings.Contains(text, "$NODE_OPTIONS") || strings.Contains(text, "${NODE_OPTIONS") {
		return false
	}
	return slices.ContainsFunc(strings.FieldsFunc(text, endsWord), func(word string) bool { return strings.HasPrefix(word, "NODE_OPTIONS=") })
}

// startsSeveral reports whether a shell's text runs programs beside each other.
func startsSeveral(text string) bool {
	text = strings.NewReplacer("&&", ";", "2>&1", "", ">&2", "", "1>&2", "", "&>", "").Replace(text)
	if before, after, background := strings.Cut(text, "&"); background && mentionsNode(before) && mentionsNode(after) {
		return true
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n;|(", r) })
	return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(parallelNames, filepath.Base(word)) })
}

// endsWord reports whether r ends a word of a shell's, well enough to find
// options and variables.
func endsWord(r rune) bool { return strings.ContainsRune(" \t\n;&|(`\"'", r) }

func (s commandLine) identify() Program {
	if len(s.argv) == 0 || s.depth > maxDepth {
		return s.undetermined()
	}
	name := filepath.Base(s.argv[0])
	switch {
	case isNode(name):
		return s.node()
	case name == "bun":
		return s.bun()
	case name == "deno":
		return s.deno()
	case slices.Contains(managerNames, name):
		return s.manager(name)
	case slices.Contains(fetcherNames, name):
		return s.late()
	case slices.Contains(daemonNames, name):
		return s.none(RuntimeNode, "%s starts and watches processes itself, as nodeinit does (name the script instead: node server.js)", name)
	case slices.Contains(initNames, name):
		return s.otherInit(name)
	case slices.Contains(shellNames, name):
		return s.shell()
	default:
		return s.file()
	}
}

// direct: the process becomes the worker.
func (s commandLine) direct(runtime Runtime) Program {
	return Program{Argv: s.argv, Env: s.env, Dir: s.dir, Runtime: runtime, Join: JoinDirect}
}

// none: there is no worker in it, for a reason.
func (s commandLine) none(runtime Runtime, why string, args ...any) Program {
	return Program{Argv: s.argv, Env: s.env, Dir: s.dir, Runtime: runtime, Why: fmt.Sprintf(why, args...)}
}

// late: a Node process below it becomes the worker, unless that is known to
// fail. text is what it is known to run.
func (s commandLine) late(text ...string) Program {
	p := Program{Argv: s.argv, Env: s.env, Dir: s.dir, Runtime: RuntimeNode, Join: JoinLate, Wrapped: true}
	for _, t := range append(text, strings.Join(s.argv, " ")) {
		if startsSeveral(t) {
			p.Join, p.Why = JoinNone, "it starts several programs at once, and one command is one worker (a container for each, or name one of them)"
		}
		if why := s.refusesImport(t); why != "" {
			p.Join, p.Why = JoinNone, "nodeinit reaches a program below another by --import, and "+why
		}
		if resetsOptions(t) {
			p.Join, p.Why = JoinNone, `it sets NODE_OPTIONS, through which nodeinit reaches the program below it (set it for the container, or write NODE_OPTIONS="$NODE_OPTIONS ...")`
		}
	}
	if major, minor, ok := s.nodeVersion("node"); ok && !supportsImport(major, minor) {
		p.Join, p.Why = JoinNone, fmt.Sprintf("Node %d.%d takes no --import in NODE_OPTIONS, through which nodeinit reaches a program below %q (name the script instead: node server.js; or use Node 18.18 or later)", major, minor, s.argv[0])
	}
	return p
}

// undetermined: it may run Node or not. Where the user says that it does, it joins
// late.
func (s commandLine) undetermined() Program {
	return Program{Argv: s.argv, Env: s.env, Dir: s.dir, Join: JoinLate}
}

// unwrap returns what s comes to when it runs argv, which inner identified. A
// worker that can be started without s is; else s is what inner makes of it.
func (s commandLine) unwrap(inner Program, note string) Program {
	if inner.Join == JoinDirect {
		inner.Note = strings.TrimSuffix(note+"; "+inner.Note, "; ")
		return inner
	}
	p := s.late(strings.Join(inner.Argv, " "))
	p.Runtime = inner.Runtime
	p.Wrapped = inner.Runtime != RuntimeOther
	if inner.Join == JoinNone {
		p.Join, p.Why = JoinNone, inner.Why
	}
	return p
}

// otherInit is an init below nodeinit. What it would do, nodeinit does.
func (s commandLine) otherInit(name string) Program {
	rest := s.argv[1:]
	for len(rest) > 0 && slices.Contains([]string{"-s", "-v", "-w", "--"}, rest[0]) {
		rest = rest[1:]
		if s.argv[len(s.argv)-len(rest)-1] == "--" {
			break
		}
	}
	if len(rest) == 0 || strings.HasPrefix(rest[0], "-") {
		return s.findNodeAfter(1)
	}
	inner := commandLine{rest, s.env, s.dir, s.depth + 1}.identify()
	inner.Note = strings.TrimSuffix(fmt.Sprintf("nodeinit does what %s would; %s", name, inner.Note), "; ")
	return inner
}

// findNodeAfter is a command of which later words are a command too, as of env or
// doppler run. from is the first word that may be one.
func (s commandLine) findNodeAfter(from int) Program {
	for i := from; i < len(s.argv); i++ {
		name := filepath.Base(s.argv[i])
		if slices.Contains(wrapperNames, name) || isNode(name) && i+1 < len(s.argv) {
			return s.late()
		}
	}
	return s.undetermined()
}

// Getenv returns the value of key in the environment of p, "" if there is none.
func (p Program) Getenv(key string) string { return exec.Getenv(p.Env, key) }
