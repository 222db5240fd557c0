package node

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// watchers are programs that start another one again when a file changes, or
// several at once: what they have started cannot do without them.
var watchers = []string{"nodemon", "ts-node-dev", "tsnd", "concurrently", "npm-run-all", "run-p", "pm2", "pm2-runtime", "forever", "supervisor"}

// CompareProcess compares what a descendant of this process was given by the
// commands between the two with what [exec.Command.Start] gives a child. The
// descendant's user is returned if it is another one, for Command.Credential. An
// error says what Start could not give.
func CompareProcess(pid int) (*syscall.Credential, error) {
	own, err := readStatus(os.Getpid())
	if err != nil {
		return nil, err
	}
	its, err := readStatus(pid)
	if err != nil {
		return nil, err
	}
	var user *syscall.Credential
	if its["Uid"] != own["Uid"] || its["Gid"] != own["Gid"] || its["Groups"] != own["Groups"] {
		if user, err = its.credential(); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Umask"} {
		if its[name] != own[name] {
			return nil, fmt.Errorf("it was started with another %s (%s, not %s)", name, its[name], own[name])
		}
	}
	if user == nil && its["CapEff"] != own["CapEff"] || user != nil && strings.Trim(its["CapEff"], "0") != "" {
		return nil, fmt.Errorf("it has capabilities of its own (CapEff %s)", its["CapEff"])
	}
	return user, errors.Join(sameLimits(pid), sameNamespaces(pid))
}

// A status holds lines of /proc/PID/status (proc_pid_status(5)).
type status map[string]string

func readStatus(pid int) (status, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := make(status)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		s[name] = strings.Join(strings.Fields(value), " ")
	}
	return s, nil
}

// credential returns the user of s. Real, effective, saved and file system IDs
// have to be one: Start sets them all.
func (s status) credential() (*syscall.Credential, error) {
	var ids [2]uint32
	for i, name := range []string{"Uid", "Gid"} {
		list := strings.Fields(s[name])
		if len(slices.Compact(slices.Clone(list))) != 1 {
			return nil, fmt.Errorf("it runs as several users at once (%s %s)", name, s[name])
		}
		id, err := strconv.ParseUint(list[0], 10, 32)
		if err != nil {
			return nil, err
		}
		ids[i] = uint32(id)
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("it runs as another user (uid %d)", ids[0])
	}
	user := &syscall.Credential{Uid: ids[0], Gid: ids[1]}
	for _, field := range strings.Fields(s["Groups"]) {
		id, err := strconv.ParseUint(field, 10, 32)
		if err != nil {
			return nil, err
		}
		user.Groups = append(user.Groups, uint32(id))
	}
	return user, nil
}

// sameLimits compares resource limits. Of open files only the hard limit is: Go
// and Node raise their own soft one.
func sameLimits(pid int) error {
	var texts [2][]string
	for i, path := range []string{"/proc/self/limits", fmt.Sprintf("/proc/%d/limits", pid)} {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if rest, files := strings.CutPrefix(line, "Max open files"); files {
				_, hard, _ := strings.Cut(strings.TrimSpace(rest), " ")
				line = "Max open files " + strings.Join(strings.Fields(hard), " ")
			}
			texts[i] = append(texts[i], strings.TrimSpace(line))
		}
	}
	for i, line := range texts[1] {
		if i >= len(texts[0]) || line != texts[0][i] {
			return fmt.Errorf("it was started with another resource limit (%s)", strings.Join(strings.Fields(line), " "))
		}
	}
	return nil
}

// sameNamespaces compares the namespaces, as far as they may be looked at.
func sameNamespaces(pid int) error {
	for _, name := range []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"} {
		own, err := os.Readlink("/proc/self/ns/" + name)
		if err != nil {
			continue // not in this kernel
		}
		its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, name))
		if err == nil && its != own {
			return fmt.Errorf("it runs in another %s namespace", name)
		}
	}
	return nil
}

// Watcher returns the command line of a process between pid and its ancestor
// that has to live as long as pid does: one that starts it again when a file
// changes, or starts others beside it. "" is none.
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
		its, err := readStatus(pid)
		if err != nil {
			return ""
		}
		if pid, err = strconv.Atoi(its["PPid"]); err != nil || pid <= 1 {
			return ""
		}
	}
	return ""
}

const maxAncestors = 64

// watches reports whether argv is one of the watchers: by its name, that of its
// script, or an option.
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

// FileID describes the file that a path or descriptor stands for as join.js
// does: its device and inode.
func FileID(stat unix.Stat_t) string { return fmt.Sprintf("%d %d", stat.Dev, stat.Ino) }
