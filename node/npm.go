package node

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nodeinit/nodeinit/exec"
)

// pmArgs is what a package manager is asked to do.
type pmArgs struct {
	script string   // the script of package.json to run, "" for none
	args   []string // and what follows it
	dir    string   // where the manager is to look
	other  string   // what it is asked instead, if not to run a script
	unsure bool     // there is an option that could change how
}

const noCommand = "without a command"

// Options that change nothing about what is run.
var harmlessOptions = strings.Fields("-s --silent -q --quiet -d --if-present --no-update-notifier --no-fund --no-audit --foreground-scripts")

// Commands that run something that is no script, perhaps a server.
var running = strings.Fields("exec x dlx node workspace workspaces")

// readManaged takes the command line of a package manager apart.
func readManaged(name string, argv []string) pmArgs {
	var m pmArgs
	i := 1
	for ; i < len(argv) && strings.HasPrefix(argv[i], "-"); i++ {
		option, value, joined := strings.Cut(argv[i], "=")
		switch {
		case slices.Contains(harmlessOptions, argv[i]):
		case slices.Contains([]string{"--prefix", "-C", "--cwd", "--dir"}, option):
			if !joined && i+1 < len(argv) {
				i++
				value = argv[i]
			}
			m.dir = value
		default:
			m.unsure = true
		}
	}
	if i == len(argv) {
		m.other = noCommand
		return m
	}
	command := argv[i]
	i++
	switch {
	case slices.Contains([]string{"run", "run-script", "rum", "urn"}, command):
		for i < len(argv) && slices.Contains(harmlessOptions, argv[i]) {
			i++
		}
		if i == len(argv) {
			m.other = command
			return m
		}
		m.script = argv[i]
		i++
	case command == "start":
		m.script = command
	case name != "npm" && !slices.Contains(builtin, command) && !slices.Contains(running, command):
		m.script = command // yarn serve
	default:
		m.other = command
		return m
	}
	m.readArgs(name, argv[i:])
	return m
}

// builtin are commands of yarn and pnpm that no script can be called like.
var builtin = strings.Fields(`
	add audit autoclean bin cache ci config create deploy fetch generate-lock-entry
	global help i import info init install link list login logout ls outdated owner
	pack patch policies prune publish rebuild remove rm root set store tag team test
	unlink un uninstall up update upgrade upgrade-interactive version versions why`)

// readArgs reads what follows the name of a script.
func (m *pmArgs) readArgs(name string, words []string) {
	if name != "npm" { // they pass on all of it, but disagree about --
		m.args, m.unsure = words, m.unsure || slices.Contains(words, "--")
		return
	}
	for i, word := range words {
		switch {
		case word == "--":
			m.args = append(m.args, words[i+1:]...)
			return
		case slices.Contains(harmlessOptions, word):
		case strings.HasPrefix(word, "-"):
			m.unsure = true
		default:
			m.args = append(m.args, word)
		}
	}
}

// manager is a command line of a package manager.
func (s commandLine) manager(name string) Program {
	m := readManaged(name, s.argv)
	if slices.Contains(running, m.other) || m.unsure && m.script == "" && m.other != noCommand {
		return s.late() // in doubt the command was the value of an option
	}
	if m.other != "" {
		p := s.none(RuntimeNode, "%s %s runs no server (write node server.js, or %[1]s start)", name, m.other)
		p.Wrapped = true
		return p
	}
	pkg, ok := findPackage(s.join(m.dir))
	if !ok {
		return s.late()
	}
	script, ok := pkg.Scripts[m.script]
	if !ok && m.script == "start" && !strings.HasPrefix(name, "yarn") && exists(pkg.dir, "server.js") {
		script, ok = "node server.js", true // as they do
	}
	switch {
	case !ok:
		return s.late() // yarn and pnpm run installed commands so
	case m.unsure, pkg.hasHooks(m.script), pkg.customRunner(s.env):
		return s.lateScript(script)
	}
	list, plain := plainWords(script)
	if !plain {
		return s.lateScript(script)
	}
	env := pkg.env(s.env, s.dir, m.script, script)
	inner := commandLine{slices.Concat(list, m.args), env, pkg.dir, s.depth + 1}.identify()
	return s.unwrap(inner, fmt.Sprintf("%s runs %q", strings.Join(s.argv, " "), script))
}

// lateScript is a script that a shell must run.
func (s commandLine) lateScript(script string) Program {
	p := s.late(script)
	if list, plain := plainWords(script); plain {
		inner := commandLine{list, s.env, s.dir, s.depth + 1}.identify()
		if inner.Join == JoinNone {
			p.Join, p.Why = JoinNone, inner.Why
		}
	}
	return p
}

// nodeRun is node --run, which knows neither hooks nor other settings.
func (s commandLine) nodeRun(line nodeLine) Program {
	pkg, ok := findPackage(s.dir)
	if !ok {
		return s.late()
	}
	script, ok := pkg.Scripts[line.run]
	if !ok {
		return s.none(RuntimeNode, "there is no script %q in %s", line.run, pkg.file())
	}
	list, plain := plainWords(script)
	rest := s.argv[line.runAt:]
	if len(rest) > 0 && rest[0] == "--" {
		rest = rest[1:]
	} else if len(rest) > 0 {
		plain = false
	}
	// Options of this node before --run are not the script's.
	if !plain || line.runAt > 3 || s.argv[1] != "--run" && line.runAt > 2 {
		return s.lateScript(script)
	}
	env := exec.Setenv(s.env, map[string]string{
		"PATH":                       pkg.path(s.env),
		"PWD":                        pkg.dir,
		"NODE_RUN_SCRIPT_NAME":       line.run,
		"NODE_RUN_PACKAGE_JSON_PATH": pkg.file(),
	})
	inner := commandLine{slices.Concat(list, rest), env, pkg.dir, s.depth + 1}.identify()
	return s.unwrap(inner, fmt.Sprintf("%s runs %q", strings.Join(s.argv, " "), script))
}

// exists reports whether there is something at the path of parts.
func exists(parts ...string) bool {
	_, err := os.Stat(filepath.Join(parts...))
	return err == nil
}
