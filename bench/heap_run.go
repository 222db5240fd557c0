package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/bench/server"
)

const (
	byV8     = "V8"
	byKernel = "kernel"
)

// A heapEnd is how a leak ended.
type heapEnd struct {
	by       string // V8, kernel or the exit status
	held     int    // MiB, by the process that held the most
	peak     int    // MiB, of the cgroup; page cache counts
	oldSpace int    // MiB, of worker 0
}

// run lets it leak under nodeinit with --heap heap, or under plain node if that
// is empty.
func (l leak) run(heap string) (end heapEnd, err error) {
	group, err := newMemoryGroup(l.memory)
	if err != nil {
		return heapEnd{}, err
	}
	defer func() { err = errors.Join(err, group.remove()) }()
	argv := []string{filepath.Join(l.nodes, l.node, "bin/node"), "bench/testdata/heap.js", l.kind, l.leaking}
	if heap != "" {
		mode := "per-core"
		if l.leaking == "one" {
			mode = "auto" // in which worker 0 may have more
		}
		if l.workers == 1 {
			mode = "fork"
		}
		argv = append([]string{l.nodeinit, "--mode", mode, "--workers", strconv.Itoa(l.workers), "--heap", heap, "--"}, argv...)
	}
	command := group.command(argv)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	_ = command.Run() // it is killed: the cause is read below
	if end.held, err = largest(errs.String()+out.String(), `\bheld (\d+)`); err != nil {
		return end, fmt.Errorf("%s %s", errs.String(), out.String())
	}
	for line := range strings.Lines(out.String()) {
		var start struct {
			OldSpace int `json:"old_space_bytes"`
		}
		if json.Unmarshal([]byte(line), &start) == nil && start.OldSpace > 0 {
			end.oldSpace = start.OldSpace >> 20
			break
		}
	}
	var killed int
	if end.peak, killed, err = group.figures(); err != nil {
		return end, err
	}
	switch text := errs.String() + out.String(); {
	case killed > 0:
		end.by = byKernel
	case strings.Contains(text, "heap out of memory"):
		end.by = byV8
	default:
		end.by = command.ProcessState.String()
	}
	return end, nil
}

// largest returns the largest number that the pattern finds in text.
func largest(text, pattern string) (int, error) {
	found := -1
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(match[1])
		if err != nil {
			return 0, err
		}
		found = max(found, n)
	}
	if found < 0 {
		return 0, fmt.Errorf("nothing is %s", pattern)
	}
	return found, nil
}

// A memoryGroup is the directory of a cgroup (v1) with a limit on memory.
type memoryGroup string

func newMemoryGroup(mib int) (memoryGroup, error) {
	dir, err := os.MkdirTemp("/sys/fs/cgroup/memory", "nodeinit-bench-")
	if err != nil {
		return "", fmt.Errorf("%w (needs root and cgroup v1)", err)
	}
	g := memoryGroup(dir)
	for _, file := range []string{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"} { // no swap
		if err := os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(mib<<20)), 0); err != nil {
			return "", errors.Join(err, g.remove())
		}
	}
	return g, nil
}

// command returns what runs argv in the cgroup, which it sees as a container
// sees its own: at the root of the mount.
func (g memoryGroup) command(argv []string) *exec.Cmd {
	const script = `echo $$ >"$0/cgroup.procs" && mount --bind "$0" /sys/fs/cgroup/memory && exec "$@"`
	command := exec.Command("sh", append([]string{"-c", script, string(g)}, argv...)...)
	command.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	return command
}

// figures returns the peak of what was used, in MiB, and how many processes the
// kernel has killed.
func (g memoryGroup) figures() (peak, killed int, err error) {
	used, err := os.ReadFile(filepath.Join(string(g), "memory.max_usage_in_bytes"))
	if err != nil {
		return 0, 0, err
	}
	control, err := os.ReadFile(filepath.Join(string(g), "memory.oom_control"))
	if err != nil {
		return 0, 0, err
	}
	if peak, err = strconv.Atoi(strings.TrimSpace(string(used))); err != nil {
		return 0, 0, err
	}
	_, count, _ := strings.Cut(string(control), "oom_kill ")
	killed, err = strconv.Atoi(strings.TrimSpace(count))
	return peak >> 20, killed, err
}

// remove removes it once its last process has been reaped.
func (g memoryGroup) remove() error {
	return server.Until(func() (bool, error) {
		err := os.Remove(string(g))
		if errors.Is(err, unix.EBUSY) {
			return false, nil
		}
		return err == nil, err
	})
}
