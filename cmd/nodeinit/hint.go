package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nodeinit/nodeinit/config"
	"github.com/nodeinit/nodeinit/exec"
)

// withHint returns err, which kept argv from starting, with what was likely meant.
func withHint(err error, argv []string) error {
	if e := (*exec.Error)(nil); errors.As(err, &e) {
		e.Hint = likelyMeant(argv)
	}
	return err
}

// likelyMeant returns what to write instead of argv, which cannot be started.
func likelyMeant(argv []string) string {
	name := argv[0]
	words := strings.Fields(name)
	switch {
	case strings.HasPrefix(name, "-"):
		hint := "flags of nodeinit stand before --"
		if variables := config.Variables(argv); len(variables) > 0 {
			hint += fmt.Sprintf(", or set %s", strings.Join(variables, ", "))
		}
		return hint
	case findSubcommand(name) != nil:
		return fmt.Sprintf("subcommands of nodeinit stand before --: docker run --entrypoint /nodeinit IMAGE %s", name)
	case len(words) > 1:
		for i, word := range words {
			words[i] = strconv.Quote(word)
		}
		return fmt.Sprintf("it is one word: write %s", strings.Join(words, ", "))
	case slices.Contains([]string{".js", ".mjs", ".cjs", ".ts", ".mts"}, filepath.Ext(name)):
		return "did you mean node " + name + "?"
	default:
		return ""
	}
}

// shellAbove returns the command of PID 1 if that is a shell, and the parent of this
// process: it does not pass signals on. proc is /proc.
func shellAbove(proc fs.FS, parent int) (command []string, ok bool) {
	if parent != 1 {
		return nil, false
	}
	shells := []string{"sh", "bash", "dash", "ash", "busybox"}
	argv, _ := readProcess(proc, 1, "cmdline")
	return argv, len(argv) > 0 && slices.Contains(shells, filepath.Base(argv[0]))
}
