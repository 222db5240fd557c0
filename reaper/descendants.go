package reaper

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// SignalAll sends sig to every process that is left in this process's care:
// as PID 1 to all of its PID namespace, otherwise to its descendants and to
// no other process. Processes that it may not signal are passed over. Without the
// /proc of its own PID namespace a process that is not PID 1 cannot find its
// descendants; that is an error.
func (r *Reaper) SignalAll(sig unix.Signal) error {
	if os.Getpid() == 1 {
		// The kernel leaves out PID 1 itself and holds off forks meanwhile
		// (kernel/signal.c, kill_something_info).
		if err := unix.Kill(-1, sig); err != nil && !errors.Is(err, unix.ESRCH) {
			return os.NewSyscallError("kill", err)
		}
		return nil
	}
	if !ProcIsOurs() {
		return errors.New("find descendants: /proc is not this PID namespace's")
	}
	return signalDescendants(sig)
}

// ProcIsOurs reports whether /proc shows this process's PID namespace. Where it
// does not, as under unshare --pid without a new mount, the numbers in it are
// other processes.
func ProcIsOurs() bool {
	self, err := os.Readlink("/proc/self")
	return err == nil && self == strconv.Itoa(os.Getpid())
}

// signalDescendants looks again until it finds no new process, because processes
// fork and change parents between the look and the signal. What forks faster
// than ten looks is left to the next call.
func signalDescendants(sig unix.Signal) error {
	seen := make(map[int]bool)
	for range 10 {
		all, err := processes()
		if err != nil {
			return fmt.Errorf("find descendants: %w", err)
		}
		found := false
		for pid, p := range all {
			if seen[pid] || !descends(all, pid, os.Getpid()) {
				continue
			}
			found = true
			seen[pid] = signalIfChildOf(p.parent, pid, sig)
		}
		if !found {
			return nil
		}
	}
	return nil
}

// signalIfChildOf sends sig to pid unless its parent has changed: then pid may
// be another process by now. It reports whether there is nothing more to do.
func signalIfChildOf(parent, pid int, sig unix.Signal) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // Linux < 5.3, or seccomp
		_ = unix.Kill(pid, sig)
		return true
	}
	if err != nil {
		return true // it is gone
	}
	defer unix.Close(fd)
	if now, err := look(pid); err != nil || now.parent != parent {
		return err != nil
	}
	_ = unix.PidfdSendSignal(fd, sig, nil, 0) // gone, or not ours to signal
	return true
}

// A process is what /proc tells of one.
type process struct{ parent, group int }

func descends(all map[int]process, pid, ancestor int) bool {
	for range len(all) { // a racing snapshot could hold a cycle
		p, ok := all[pid]
		if !ok {
			return false
		}
		if p.parent == ancestor {
			return true
		}
		pid = p.parent
	}
	return false
}

// processes returns every process that /proc shows.
func processes() (map[int]process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	all := make(map[int]process, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, err := look(pid); err == nil {
			all[pid] = p
		}
	}
	return all, nil
}

// look reads the fourth and the fifth field of /proc/PID/stat. The second, the
// command in parentheses, may hold anything, parentheses and newlines too (proc(5)).
func look(pid int) (process, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 3 {
		return process{}, fmt.Errorf("malformed /proc/%d/stat", pid)
	}
	parent, err1 := strconv.Atoi(string(fields[1]))
	group, err2 := strconv.Atoi(string(fields[2]))
	return process{parent, group}, errors.Join(err1, err2)
}
