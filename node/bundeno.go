package node

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options of bun and deno, before the script, that take the next word.
var (
	bunValues  = []string{"-r", "--preload", "--require", "--import", "--cwd", "-c", "--config", "--env-file", "--conditions", "--port", "--tsconfig-override", "-d", "--define", "-l", "--loader"}
	denoValues = []string{"-c", "--config", "--import-map", "--env-file", "--preload", "--location", "--cert", "--seed"}
)

// bun is a command line of bun's: bun [run] server.ts.
func (s commandLine) bun() Program {
	at := nextWord(s.argv, 1, bunValues)
	named := at < len(s.argv) && s.argv[at] == "run"
	if named {
		at = nextWord(s.argv, at+1, bunValues)
	}
	if at < len(s.argv) && s.isScript(s.argv[at]) {
		return s.direct(RuntimeBun)
	}
	return s.none(RuntimeBun, "bun passes the channel on to no process below it (name the script instead: bun server.ts)")
}

// deno is a command line of deno's: deno [run] server.ts.
func (s commandLine) deno() Program {
	at := nextWord(s.argv, 1, denoValues)
	if at < len(s.argv) && s.argv[at] == "run" {
		at = nextWord(s.argv, at+1, denoValues)
		if at < len(s.argv) {
			return s.direct(RuntimeDeno)
		}
	}
	if at < len(s.argv) && s.isScript(s.argv[at]) {
		return s.direct(RuntimeDeno)
	}
	if at < len(s.argv) && s.argv[at] == "serve" {
		return s.none(RuntimeDeno, "deno serve does not know cluster workers (write deno serve --parallel, in fork mode)")
	}
	return s.none(RuntimeDeno, "deno passes the channel on to no process below it (write deno run server.ts)")
}

// nextWord returns the index of the first word from i on that is no option.
func nextWord(argv []string, i int, values []string) int {
	for i < len(argv) && strings.HasPrefix(argv[i], "-") {
		if argv[i] == "-e" || argv[i] == "--eval" || argv[i] == "-p" || argv[i] == "--print" {
			return len(argv)
		}
		if slices.Contains(values, argv[i]) {
			i++
		}
		i++
	}
	return i
}

// isScript reports whether word is a file to run and no subcommand or name of a
// script in package.json.
func (s commandLine) isScript(word string) bool {
	if strings.Contains(word, "://") {
		return true
	}
	stat, err := os.Stat(s.join(word))
	return err == nil && !stat.IsDir() && (filepath.Ext(word) != "" || strings.Contains(word, "/"))
}

// join returns path as seen from the directory of s.
func (s commandLine) join(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.dir, path)
}
