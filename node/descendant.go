package node

import (
	"cmp"
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

// CompareProcess compares a descendant of this process with a child that
// [exec.Command.Start] would start in its place. The commands between the two may
// have changed its user, limits or namespaces. user is the descendant's user if
// that is another one, for Command.Credential. An error names a difference that
// Start cannot reproduce.
func CompareProcess(pid int) (user *syscall.Credential, err error) {
	own, ownErr := readStatus(os.Getpid())
	its, err := readStatus(pid)
	if err = cmp.Or(ownErr, err); err != nil {
		return nil, err
	}
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

// A status has the fields of /proc/PID/status (proc_pid_status(5)).
type status map[string]string

func readStatus(pid int) (status, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	s := make(status)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		s[name] = strings.Join(strings.Fields(value), " ")
	}
	return s, err
}

// credential returns the user of s. Real, effective, saved and file system ID must
// be the same: Start sets them all.
func (s status) credential() (*syscall.Credential, error) {
	var ids [2]uint32
	for i, name := range []string{"Uid", "Gid"} {
		list, err := parseIDs(s[name])
		if err != nil {
			return nil, err
		}
		if len(slices.Compact(list)) != 1 {
			return nil, fmt.Errorf("it runs as several users at once (%s %s)", name, s[name])
		}
		ids[i] = list[0]
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("it runs as another user (uid %d)", ids[0])
	}
	groups, err := parseIDs(s["Groups"])
	return &syscall.Credential{Uid: ids[0], Gid: ids[1], Groups: groups}, err
}

func parseIDs(text string) (ids []uint32, err error) {
	for _, field := range strings.Fields(text) {
		id, err := strconv.ParseUint(field, 10, 32)
		if err != nil {
			return nil, err
		}
		ids = append(ids, uint32(id))
	}
	return ids, nil
}

// sameLimits compares resource limits. Of RLIMIT_NOFILE it compares only the hard
// limit: Go and Node raise the soft one themselves.
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

// sameNamespaces compares the namespaces, except those that this process may not
// read.
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

// FileID returns the identity of a file in the form that join.js reports: device
// and inode.
func FileID(stat unix.Stat_t) string { return fmt.Sprintf("%d %d", stat.Dev, stat.Ino) }

// Watcher returns the command line of the first process from pid up to its ancestor
// that has to live as long as pid does: one that restarts it when a file changes, or
// runs others at the same time. "" is none.
func Watcher(pid, ancestor int) string {
	for range 64 {
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
