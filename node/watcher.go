package node

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Watcher returns the command line of the first process from pid up to its ancestor
// that has to live as long as pid does: one that restarts it when a file changes, or
// runs others at the same time. "" is none.
func Watcher(pid, ancestor int) string {
	for range maxAncestors {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			return ""
		}
		argv := strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
		if watches(argv) {
			return strings.Join(argv, " ")
		}
		if pid == ancestor {
			return ""
		}
		its, _ := readStatus(pid)
		if pid, err = strconv.Atoi(its["PPid"]); err != nil || pid <= 1 {
			return ""
		}
	}
	return ""
}

const maxAncestors = 64

// watches reports whether argv is one of the watchers, by the name of its command
// or script, or by an option.
func watches(argv []string) bool {
	for i, word := range argv {
		name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(word), ".js"), ".mjs")
		if i < 2 && slices.Contains(watchers, name) || word == "--watch" || strings.HasPrefix(word, "--watch=") || strings.HasPrefix(word, "--watch-path") {
			return true
		}
		if i > 0 && word == "watch" && strings.Contains(argv[i-1], "tsx") {
			return true
		}
	}
	return false
}

// watchers are programs that restart another one when a file changes, or run
// several at the same time. What they have started cannot do without them.
var watchers = []string{"nodemon", "ts-node-dev", "tsnd", "concurrently", "npm-run-all", "run-p", "pm2", "pm2-runtime", "forever", "supervisor"}
