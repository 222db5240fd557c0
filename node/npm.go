package node

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nodeinit/nodeinit/exec"
)

// pmArgs are the arguments of a package manager.
type pmArgs struct {
	script string   // the script of package.json to run, "" for none
	args   []string // its arguments
	dir    string   // the directory of the package, "" for the current one
	other  string   // the command that runs no script
	unsure string   // an option that may change what is run
}

const noCommand = "without a command" // pmArgs.other where there is none

// harmlessOptions do not change what is run.
const harmlessOptions = "-s --silent -q --quiet -d --if-present --no-update-notifier --no-fund --no-audit --foreground-scripts"

// running are the commands that run something else than a script, perhaps a server.
const running = "exec x dlx node workspace workspaces"

// parsePMArgs parses the command line of the package manager name.
func parsePMArgs(name string, argv []string) pmArgs {
	var m pmArgs
	i := 1
	for ; i < len(argv) && strings.HasPrefix(argv[i], "-"); i++ {
		option, value, joined := strings.Cut(argv[i], "=")
		switch {
		case listed(harmlessOptions, argv[i]):
		case slices.Contains([]string{"--prefix", "-C", "--cwd", "--dir"}, option):
			if !joined && i+1 < len(argv) {
				i++
				value = argv[i]
			}
			m.dir = value
		default:
			m.unsure = option
		}
	}
	if i == len(argv) {
		m.other = noCommand
		return m
	}
	command, rest := argv[i], argv[i+1:]
	switch {
	case slices.Contains([]string{"run", "run-script", "rum", "urn"}, command):
		for len(rest) > 0 && listed(harmlessOptions, rest[0]) {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			m.other = command
			return m
		}
		m.script, rest = rest[0], rest[1:]
	case command == "start":
		m.script = command
	case name != "npm" && !listed(builtin, command) && !listed(running, command):
		m.script = command // yarn serve
	default:
		m.other = command
		return m
	}
	m.parseScriptArgs(name, rest)
	return m
}

// builtin are the commands of yarn and pnpm that take precedence over a script of
// the same name.
const builtin = `
	add audit autoclean bin cache ci config create deploy fetch generate-lock-entry global help i import info init
	install link list login logout ls outdated owner pack patch policies prune publish rebuild remove rm root set
	store tag team test unlink un uninstall up update upgrade upgrade-interactive version versions why`

// parseScriptArgs parses what follows the name of a script.
func (m *pmArgs) parseScriptArgs(name string, words []string) {
	if name != "npm" { // the others pass on all of it, but do not agree about --
		m.args = words
		if slices.Contains(words, "--") {
			m.unsure = "--"
		}
		return
	}
	for i, word := range words {
		switch {
		case word == "--":
			m.args = append(m.args, words[i+1:]...)
			return
		case listed(harmlessOptions, word):
		case strings.HasPrefix(word, "-"):
			m.unsure = word
		default:
			m.args = append(m.args, word)
		}
	}
}

// packageManager is npm start, or another command of the package manager name.
func (c commandLine) packageManager(name string) Program {
	m := parsePMArgs(name, c.argv)
	if listed(running, m.other) || m.unsure != "" && m.script == "" && m.other != noCommand {
		return c.late() // the command may be the value of an unknown option
	}
	if m.other != "" {
		p := c.none(RuntimeNode, "%s %s runs no server (write node server.js, or %[1]s start)", name, m.other)
		p.Wrapped = true
		return p
	}
	pkg, ok := findPackage(c.join(m.dir))
	if !ok {
		return c.late()
	}
	script, ok := pkg.Scripts[m.script]
	if !ok && m.script == "start" && !strings.HasPrefix(name, "yarn") && exists(pkg.dir, "server.js") {
		script, ok = "node server.js", true // the default of npm and pnpm
	}
	switch {
	case !ok && name == "npm":
		return c.late()
	case !ok: // yarn and pnpm run the installed command of that name
		return c.late().around(c.nested(slices.Concat([]string{m.script}, m.args)))
	}
	reason := m.unsure
	if reason == "" {
		reason = pkg.customRun(m.script, c.vars)
	}
	env := environment{pkg.env(c.vars, c.dir, m.script, script), pkg.dir}
	return c.script(name, script, reason, env, m.args)
}

// nodeRun is node --run, which knows neither hooks nor other settings.
func (c commandLine) nodeRun(args nodeArgs) Program {
	pkg, ok := findPackage(c.dir)
	if !ok {
		return c.late()
	}
	script, ok := pkg.Scripts[args.run]
	if !ok {
		return c.none(RuntimeNode, "there is no script %q in %s", args.run, pkg.file())
	}
	rest, reason := c.argv[args.runEnd:], ""
	if len(rest) > 0 && rest[0] == "--" {
		rest = rest[1:]
	} else if len(rest) > 0 {
		reason = rest[0]
	}
	// Options of this node before --run are not the script's.
	if args.runEnd > 3 || c.argv[1] != "--run" && args.runEnd > 2 {
		reason = c.argv[1]
	}
	env := environment{exec.Setenv(c.vars, map[string]string{
		"PATH":                       pkg.path(c.vars),
		"PWD":                        pkg.dir,
		"NODE_RUN_SCRIPT_NAME":       args.run,
		"NODE_RUN_PACKAGE_JSON_PATH": pkg.file(),
	}), pkg.dir}
	return c.script("node --run", script, reason, env, rest)
}

// script is a script of package.json that runner runs, with args, in e. reason is
// what runner has to run it for; "" if it need not.
func (c commandLine) script(runner, script, reason string, e environment, args []string) Program {
	var p Program
	why := "of " + reason
	switch vars, argv, simple := parseSimple(script); {
	case simple && reason == "":
		inner := c.nestedIn(e, vars, slices.Concat(argv, args))
		p = c.unwrap(inner, runner, fmt.Sprintf("%s runs %q", strings.Join(c.argv, " "), script), script)
		why = fmt.Sprintf("%q is no plain node command", script)
	case simple:
		p = c.late(script).around(c.nestedIn(c.environment, vars, argv))
	case reason == "":
		p, why = c.late(script), fmt.Sprintf("%q needs a shell", script)
	default:
		p = c.late(script)
	}
	if p.Join == JoinLate && p.Note == "" {
		p.Note = fmt.Sprintf("%s is kept because %s", runner, why)
	}
	return p
}
