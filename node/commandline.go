package node

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nodeinit/nodeinit/exec"
)

// A commandLine is a command line with what it would be run in.
type commandLine struct {
	argv []string
	environment
	depth int // how many command lines it is nested in
}

const maxDepth = 8 // a script may run itself

// Commands by their names.
var (
	shellNames   = []string{"sh", "bash", "dash", "ash", "zsh", "ksh"}
	managerNames = []string{"npm", "yarn", "yarnpkg", "pnpm"}
	fetcherNames = []string{"npx", "pnpx", "corepack"}
	daemonNames  = []string{"pm2", "pm2-runtime", "pm2-docker", "forever"}
	initNames    = []string{"tini", "tini-static", "docker-init", "dumb-init", "catatonit"}
	asUserNames  = []string{"gosu", "su-exec", "chroot"} // their first argument is no command
	// Commands that run several others at the same time.
	parallelNames = []string{"concurrently", "run-p", "npm-run-all"}
	toolNames     = []string{"tsx", "ts-node", "nodemon", "next", "nuxt", "nest"} // besides those above, run Node
)

// isNode reports whether name is node, nodejs or node22.
func isNode(name string) bool {
	rest, ok := strings.CutPrefix(name, "node")
	return ok && strings.Trim(strings.TrimPrefix(rest, "js"), "-.0123456789") == ""
}

// isWrapper reports whether name is a tool that runs Node.
func isWrapper(name string) bool {
	return slices.Contains(managerNames, name) || slices.Contains(fetcherNames, name) || slices.Contains(toolNames, name)
}

func (c commandLine) identify() Program {
	if len(c.argv) == 0 || c.depth > maxDepth {
		return c.undetermined()
	}
	name := filepath.Base(c.argv[0])
	switch {
	case isNode(name):
		return c.node()
	case name == "bun":
		return c.bun()
	case name == "deno":
		return c.deno()
	case slices.Contains(managerNames, name):
		return c.packageManager(name)
	case slices.Contains(fetcherNames, name):
		return c.fetcher()
	case slices.Contains(daemonNames, name):
		p := c.none(RuntimeNode, "%s starts and watches processes itself, as nodeinit does (name the script instead: node server.js)", name)
		p.Daemon = true
		return p
	case slices.Contains(initNames, name):
		return c.otherInit(name)
	case slices.Contains(shellNames, name):
		return c.shell()
	default:
		return c.executable()
	}
}

// nested returns the program of a command that c runs.
func (c commandLine) nested(argv []string) Program {
	return c.nestedIn(c.environment, nil, argv)
}

// nestedIn is nested in another environment, in which vars are set.
func (c commandLine) nestedIn(e environment, vars map[string]string, argv []string) Program {
	return commandLine{argv, environment{exec.Setenv(e.vars, vars), e.dir}, c.depth + 1}.identify()
}

// direct is the program of c where its process becomes the worker.
func (c commandLine) direct(runtime Runtime) Program {
	return Program{Argv: c.argv, Env: c.vars, Dir: c.dir, Runtime: runtime, Join: JoinDirect}
}

// none is the program of c where nothing can become a worker.
func (c commandLine) none(runtime Runtime, why string, args ...any) Program {
	return Program{Argv: c.argv, Env: c.vars, Dir: c.dir, Runtime: runtime, Why: fmt.Sprintf(why, args...)}
}

// undetermined is the program of c where it is not known whether it runs Node. If
// the user says that it does, it joins late.
func (c commandLine) undetermined() Program {
	return Program{Argv: c.argv, Env: c.vars, Dir: c.dir, Join: JoinLate}
}

// late is the program of c where a Node process below it becomes the worker,
// unless text, the shell code that c is known to run, or c itself prevents it.
func (c commandLine) late(text ...string) Program {
	p := Program{Argv: c.argv, Env: c.vars, Dir: c.dir, Runtime: RuntimeNode, Join: JoinLate, Wrapped: true}
	for _, t := range append(text, strings.Join(c.argv, " ")) {
		if startsSeveral(t) {
			p.Why = "it starts several programs at once, and one command is one worker (a container for each, or name one of them)"
		}
		if why := c.refusesImport(t); why != "" {
			p.Why = "nodeinit reaches a program below another by --import, and " + why
		}
		if resetsOptions(t) {
			p.Why = `it sets NODE_OPTIONS, through which nodeinit reaches the program below it (set it for the container, or write NODE_OPTIONS="$NODE_OPTIONS ...")`
		}
	}
	if major, minor, ok := c.nodeVersion("node"); ok && !supportsImport(major, minor) {
		p.Why = fmt.Sprintf("Node %d.%d takes no --import in NODE_OPTIONS, through which nodeinit reaches a program below %q (name the script instead: node server.js; or use Node 18.18 or later)", major, minor, c.argv[0])
	}
	if p.Why != "" {
		p.Join = JoinNone
	}
	return p
}

// around returns p, which runs inner: what can be no worker cannot below p either.
func (p Program) around(inner Program) Program {
	if inner.Join == JoinNone {
		p.Join, p.Why, p.Daemon = JoinNone, inner.Why, inner.Daemon
	}
	return p
}

// unwrap returns the program of c, a command name that runs inner; text is the shell
// code for that. If inner joins directly it is run instead of c, and its Note begins
// with note, which says what c runs.
func (c commandLine) unwrap(inner Program, name, note string, text ...string) Program {
	if inner.Join == JoinDirect {
		inner.Note = notes(note+", "+name+" is not started", inner.Note)
		return inner
	}
	p := c.late(append(text, strings.Join(inner.Argv, " "))...).around(inner)
	p.Runtime, p.Wrapped, p.Note = inner.Runtime, inner.Runtime != RuntimeOther, inner.Note
	return p
}

// notes joins two notes, of which the second may be "".
func notes(first, second string) string { return strings.TrimSuffix(first+"; "+second, "; ") }

// fetcher is npx and the like: it may have to download the command it runs, so it
// is kept.
func (c commandLine) fetcher() Program {
	at := skipOptions(c.argv, 1, "-p --package -w --workspace")
	if at >= len(c.argv) {
		return c.late()
	}
	name, _, _ := strings.Cut(c.argv[at], "@") // pm2@6
	return c.late().around(c.nested(append([]string{name}, c.argv[at+1:]...)))
}

// otherInit is another init, which nodeinit replaces.
func (c commandLine) otherInit(name string) Program {
	at := 1
	for at < len(c.argv) && slices.Contains([]string{"-s", "-v", "-w"}, c.argv[at]) {
		at++
	}
	if at < len(c.argv) && c.argv[at] == "--" {
		at++
	}
	if at == len(c.argv) || strings.HasPrefix(c.argv[at], "-") {
		return c.findNode()
	}
	inner := c.nested(c.argv[at:])
	inner.Note = notes(fmt.Sprintf("nodeinit does what %s would", name), inner.Note)
	return inner
}

// findNode is a command with another one among its arguments, such as env or
// doppler run.
func (c commandLine) findNode() Program {
	for i, word := range c.argv {
		if i == 1 && slices.Contains(asUserNames, filepath.Base(c.argv[0])) {
			continue // the user is often called node
		}
		name := filepath.Base(word)
		if isWrapper(name) || isNode(name) && i+1 < len(c.argv) {
			return c.late()
		}
	}
	return c.undetermined()
}

// skipOptions returns the index of the first argument from i on that is no option
// and no value of one; values are the options that take the next argument. After
// one that brings its own code (-e) there is none.
func skipOptions(argv []string, i int, values string) int {
	for ; i < len(argv) && strings.HasPrefix(argv[i], "-"); i++ {
		switch option := argv[i]; {
		case listed(values, option):
			i++
		case option == "-e" || option == "--eval" || option == "-p" || option == "--print":
			return len(argv)
		}
	}
	return i
}
