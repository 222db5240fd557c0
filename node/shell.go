package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
)

// plainWords splits a shell command that means the same without a shell: one
// command of plain or simply quoted words. Anything else is not plain.
func plainWords(command string) (list []string, plain bool) {
	list, special, err := Words(command)
	if err != nil || special != "" || len(list) == 0 {
		return nil, false
	}
	if len(list) > 1 && list[0] == "exec" {
		list = list[1:]
	}
	// An = in the first word is an assignment.
	return list, !strings.Contains(list[0], "=") && !strings.HasPrefix(list[0], "-")
}

// shell is sh -c "command" or sh script.
func (s commandLine) shell() Program {
	for i := 1; i < len(s.argv); i++ {
		switch word := s.argv[i]; {
		case word == "-o" || word == "+o":
			i++
		case !strings.HasPrefix(word, "-") || word == "-":
			return s.shellScript(i)
		case !strings.HasPrefix(word, "--") && strings.Contains(word, "c"):
			i++
			if i < len(s.argv) && s.argv[i] == "-o" {
				i += 2
			}
			if i >= len(s.argv) {
				return s.undetermined()
			}
			return s.shellCommand(s.argv[i], i == 2 && strings.Trim(word, "-ceu") == "")
		}
	}
	return s.undetermined()
}

// shellCommand is what sh -c runs; alone tells that nothing else is asked of
// the shell (such as -l, which reads a profile).
func (s commandLine) shellCommand(command string, alone bool) Program {
	if list, plain := plainWords(command); plain {
		inner := commandLine{list, s.env, s.dir, s.depth + 1}.identify()
		if alone || inner.Join != JoinDirect {
			return s.unwrap(inner, fmt.Sprintf("%s -c runs %q", filepath.Base(s.argv[0]), command))
		}
		return s.late()
	}
	return s.text(command)
}

// shellScript is a script that a shell is given; its name is the word at.
func (s commandLine) shellScript(at int) Program {
	return s.scriptText(s.join(s.argv[at]), s.argv[at+1:])
}

// text is a program that is a shell's text.
func (s commandLine) text(text string) Program {
	if !mentionsNode(text) {
		return s.undetermined()
	}
	return s.late(text)
}

// scriptText is a shell script with arguments, which it may run.
func (s commandLine) scriptText(file string, args []string) Program {
	text := contents(file)
	if strings.Contains(text, `"$@"`) && len(args) > 0 {
		inner := commandLine{args, s.env, s.dir, s.depth + 1}.identify()
		if isNodeImage(text) {
			return s.nodeImage(args)
		}
		if inner.Runtime == RuntimeNode {
			p := s.late(text)
			if inner.Join == JoinNone {
				p.Join, p.Why = JoinNone, inner.Why
			}
			return p
		}
	}
	return s.text(text)
}

// nodeImage is docker-entrypoint.sh of the official Node images: it runs args,
// with node in front if they begin with an option or with no command.
func (s commandLine) nodeImage(args []string) Program {
	inner := commandLine{args, s.env, s.dir, s.depth + 1}
	stat, err := os.Stat(s.join(args[0]))
	plainFile := err == nil && stat.Mode().IsRegular() && unix.Access(s.join(args[0]), unix.X_OK) != nil
	if _, err := inner.find(); err != nil || plainFile || strings.HasPrefix(args[0], "-") {
		inner.argv = append([]string{"node"}, args...)
	}
	return s.unwrap(inner.identify(), fmt.Sprintf("%s runs its arguments", filepath.Base(s.argv[0])))
}

// isNodeImage reports whether text is that docker-entrypoint.sh and nothing
// else. Its condition has grown over the years.
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

// contents returns the first 64 KiB of file.
func contents(file string) string { return string(exec.ReadHead(file, 64<<10)) }

// file is a program that is known by what is in its file.
func (s commandLine) file() Program {
	from := 1
	if slices.Contains(asUserNames, filepath.Base(s.argv[0])) {
		from = 2
	}
	if slices.Contains(wrapperNames, filepath.Base(s.argv[0])) {
		from = 0
	}
	file, err := s.find()
	if err != nil {
		return s.findNodeAfter(from)
	}
	first, _, _ := strings.Cut(string(exec.ReadHead(file, 256)), "\n")
	line, ok := strings.CutPrefix(first, "#!")
	if !ok && isSEA(file) {
		return s.single()
	}
	if !ok {
		return s.findNodeAfter(from)
	}
	interpreter := strings.Fields(line)
	if len(interpreter) > 0 && filepath.Base(interpreter[0]) == "env" {
		interpreter = slices.DeleteFunc(interpreter[1:], func(word string) bool { return word == "-S" || word == "--split-string" })
	}
	if len(interpreter) == 0 {
		return s.findNodeAfter(from)
	}
	if slices.Contains(shellNames, filepath.Base(interpreter[0])) {
		return s.scriptText(file, s.argv[1:])
	}
	inner := commandLine{slices.Concat(interpreter, []string{file}, s.argv[1:]), s.env, s.dir, s.depth + 1}.identify()
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	if inner.Runtime == RuntimeNode && inner.Join == JoinDirect && strings.Contains(file, "/node_modules/") {
		return s.late() // a tool that was installed may be a server itself, or start one
	}
	inner.Argv, inner.Note = s.argv, ""
	if inner.Join == JoinLate && inner.Runtime == RuntimeOther {
		return s.findNodeAfter(from)
	}
	return inner
}

// find returns the file that s executes.
func (s commandLine) find() (string, error) {
	path := exec.Getenv(s.env, "PATH")
	if path == "" {
		path = "/bin:/usr/bin" // execvp(3)
	}
	name := s.argv[0]
	if s.dir == "" {
		return exec.Find(name, path)
	}
	if strings.Contains(name, "/") {
		file, err := exec.Find(s.join(name), path)
		if err != nil {
			return "", &exec.Error{Name: name, Err: errors.Unwrap(err)}
		}
		if filepath.IsAbs(name) {
			return name, nil
		}
		return file, nil
	}
	dirs := filepath.SplitList(path)
	for i, dir := range dirs {
		dirs[i] = s.join(dir)
	}
	return exec.Find(name, strings.Join(dirs, string(filepath.ListSeparator)))
}
