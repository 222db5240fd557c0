package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// shell is sh -c "command" or sh script.
func (c commandLine) shell() Program {
	for i := 1; i < len(c.argv); i++ {
		switch word := c.argv[i]; {
		case word == "-o" || word == "+o":
			i++
		case !strings.HasPrefix(word, "-") || word == "-":
			return c.shellScript(c.join(word), c.argv[i+1:])
		case !strings.HasPrefix(word, "--") && strings.Contains(word, "c"):
			i++
			if i < len(c.argv) && c.argv[i] == "-o" {
				i += 2
			}
			if i < len(c.argv) {
				return c.shellCommand(c.argv[i], i == 2 && strings.Trim(word, "-ceu") == "")
			}
		}
	}
	return c.undetermined()
}

// shellCommand is sh -c command. only is false if another option changes
// what the shell does, as -l does, which reads a profile.
func (c commandLine) shellCommand(command string, only bool) Program {
	vars, argv, simple := parseSimple(command)
	if !simple {
		return c.shellCode(command)
	}
	inner := c.nestedIn(c.environment, vars, argv)
	if !only && inner.Join == JoinDirect {
		return c.late()
	}
	name := filepath.Base(c.argv[0])
	return c.unwrap(inner, name, fmt.Sprintf("%s -c runs %q", name, command), command)
}

// shellCode is a program that runs the shell code text.
func (c commandLine) shellCode(text string) Program {
	if !mentionsNode(text) {
		return c.undetermined()
	}
	return c.late(text)
}

// shellScript is a shell script with arguments, which it may run.
func (c commandLine) shellScript(file string, args []string) Program {
	text := contents(file)
	if !strings.Contains(text, `"$@"`) || len(args) == 0 {
		return c.shellCode(text)
	}
	if isNodeImage(text) {
		return c.nodeImage(args)
	}
	if inner := c.nested(args); inner.Runtime == RuntimeNode {
		return c.late(text).around(inner)
	}
	return c.shellCode(text)
}

// nodeImage is docker-entrypoint.sh of the official Node images: it runs args,
// with node in front if they begin with an option or with no command.
func (c commandLine) nodeImage(args []string) Program {
	file := c.join(args[0])
	stat, err := os.Stat(file)
	plainFile := err == nil && stat.Mode().IsRegular() && unix.Access(file, unix.X_OK) != nil
	if _, err := c.find(args[0]); err != nil || plainFile || strings.HasPrefix(args[0], "-") {
		args = append([]string{"node"}, args...)
	}
	name := filepath.Base(c.argv[0])
	return c.unwrap(c.nested(args), name, name+" runs its arguments")
}

// isNodeImage reports whether text is that docker-entrypoint.sh and nothing else.
// The condition in it has become longer over the years.
func isNodeImage(text string) bool {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && (!strings.HasPrefix(line, "#") || len(lines) == 0) {
			lines = append(lines, line)
		}
	}
	return len(lines) == 6 && lines[0] == "#!/bin/sh" && lines[1] == "set -e" &&
		strings.HasPrefix(lines[2], `if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ]`) && strings.HasSuffix(lines[2], "; then") &&
		lines[3] == `set -- node "$@"` && lines[4] == "fi" && lines[5] == `exec "$@"`
}
