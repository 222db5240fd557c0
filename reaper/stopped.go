package reaper

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

var errNotOurs = errors.New("look for stopped processes: /proc is not this PID namespace's")

// Stopped reports whether c or, if group is set, a process of the group it leads is
// stopped, by a stop signal or a debugger, or is about to be: then it takes notice
// of nothing before SIGCONT, but of SIGKILL. An error says that this cannot be
// told. A process that is not stopped after it was sent a signal will get that
// signal, unless it is stopped later on.
func (c *Child) Stopped(group bool) (bool, error) {
	if !ProcIsOurs() {
		return false, errNotOurs
	}
	if !group {
		return stopped(c.PID)
	}
	all, err := processes()
	if err != nil {
		return false, err
	}
	known := error(os.ErrProcessDone)
	for pid, p := range all {
		if p.group != c.PID {
			continue
		}
		switch now, err := stopped(pid); {
		case now:
			return true, nil
		case err == nil:
			known = nil
		}
	}
	return false, known
}

// stopped looks twice: what was pending when it looked for the state may have
// stopped the process before it looked for what is pending.
func stopped(pid int) (bool, error) {
	for range 2 {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return false, err
		}
		if stoppedIn(status) {
			return true, nil
		}
	}
	return false, nil
}

// stoppedIn reads proc_pid_status(5): the states are T, by a signal, and t, by a
// debugger.
func stoppedIn(status []byte) bool {
	const stops = 1<<(unix.SIGSTOP-1) | 1<<(unix.SIGTSTP-1) | 1<<(unix.SIGTTIN-1) | 1<<(unix.SIGTTOU-1)
	var pending, harmless uint64
	for line := range bytes.Lines(status) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch string(key) {
		case "State":
			if bytes.HasPrefix(bytes.ToUpper(value), []byte("T")) {
				return true
			}
		case "SigPnd", "ShdPnd":
			pending |= mask(value)
		case "SigBlk", "SigIgn", "SigCgt":
			harmless |= mask(value)
		}
	}
	return pending&^harmless&stops != 0
}

func mask(hex []byte) uint64 {
	bits, _ := strconv.ParseUint(string(hex), 16, 64) // none where it is no number
	return bits
}

// ContinueAll continues what is left in this process's care and is stopped: it would
// take notice of no other signal. Where that cannot be told it continues all.
func (r *Reaper) ContinueAll() {
	if !ProcIsOurs() {
		_ = r.SignalAll(unix.SIGCONT)
		return
	}
	all, err := processes()
	if err != nil {
		_ = r.SignalAll(unix.SIGCONT)
		return
	}
	own := os.Getpid()
	for pid, p := range all {
		if pid == own || own != 1 && !descends(all, pid, own) {
			continue
		}
		if now, err := stopped(pid); err == nil && now {
			signalIfChildOf(p.parent, pid, unix.SIGCONT)
		}
	}
}
