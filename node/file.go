package node

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nodeinit/nodeinit/exec"
)

// executable is the program of c by what its file contains.
func (c commandLine) executable() Program {
	file, err := c.find(c.argv[0])
	if err != nil {
		return c.findNode()
	}
	line, isScript, isSEA := readExecutable(file)
	if isSEA {
		p := c.direct(RuntimeNode)
		p.Single = true
		return p
	}
	interpreter := strings.Fields(line)
	if len(interpreter) > 0 && filepath.Base(interpreter[0]) == "env" {
		interpreter = slices.DeleteFunc(interpreter[1:], func(word string) bool { return word == "-S" || word == "--split-string" })
	}
	if !isScript || len(interpreter) == 0 {
		return c.findNode()
	}
	if slices.Contains(shellNames, filepath.Base(interpreter[0])) {
		return c.shellScript(file, c.argv[1:])
	}
	inner := c.nested(slices.Concat(interpreter, []string{file}, c.argv[1:]))
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	if inner.Runtime == RuntimeNode && inner.Join == JoinDirect && strings.Contains(file, "/node_modules/") {
		return c.late() // an installed tool may be a server itself, or start one
	}
	inner.Argv, inner.Note = c.argv, ""
	if inner.Join == JoinLate && inner.Runtime == RuntimeOther {
		return c.findNode()
	}
	return inner
}

// seaNote is the name of the ELF note with the code of a single executable
// application. postject writes it, and Node's own --build-sea (26);
// https://nodejs.org/api/single-executable-applications.html
const seaNote = "NODE_SEA_BLOB\x00"

// readExecutable returns the interpreter, with its argument, that the first line of a
// script names, or whether file is a single executable application: Node with an
// application in it. Such a program takes the channel but no --import, so that it has
// no agent. A few headers of its 100 MB are read, of 64-bit files only.
func readExecutable(file string) (interpreter string, isScript, isSEA bool) {
	f, err := exec.OpenRegular(file)
	if err != nil {
		return "", false, false
	}
	defer f.Close()
	head := make([]byte, 256) // as many as the kernel reads (BINPRM_BUF_SIZE)
	n, _ := f.ReadAt(head, 0)
	first, _, _ := strings.Cut(string(head[:n]), "\n")
	interpreter, isScript = strings.CutPrefix(first, "#!")
	return interpreter, isScript, !isScript && hasNote(f, seaNote)
}

// isScript reports whether word names a file to run, and not a subcommand or a
// script of package.json.
func (c commandLine) isScript(word string) bool {
	if strings.Contains(word, "://") {
		return true
	}
	stat, err := os.Stat(c.join(word))
	return err == nil && !stat.IsDir() && (filepath.Ext(word) != "" || strings.Contains(word, "/"))
}

// isStream reports whether the file at path can be read only once: a FIFO, a
// device, or standard input whatever that is.
func isStream(path string) bool {
	stat, err := os.Stat(path)
	return err == nil && (!stat.Mode().IsRegular() && !stat.IsDir() ||
		slices.Contains([]string{"/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}, path))
}

// contents returns the first 64 KiB of a regular file, "" if it cannot be read.
func contents(file string) string { return string(exec.ReadHead(file, 64<<10)) }

// exists reports whether there is a file at the path that parts make.
func exists(parts ...string) bool {
	_, err := os.Stat(filepath.Join(parts...))
	return err == nil
}
