// Package exec starts one child: which file, with which arguments and
// environment, in which process group and with which descriptors.
package exec

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/reaper"
)

// A Command is a program to start.
type Command struct {
	Path string   // the file to execute, as Find returns it
	Argv []string // argv, the name first
	Env  []string // the whole environment, KEY=value
	Dir  string   // where it starts; "" for where this process is

	// Channel, if not 0, is a descriptor of this process that the child gets as
	// ChannelAt; see ChannelFD.
	Channel   int
	ChannelAt int
	// Inherited are the descriptors that were passed to this process, as
	// Inherited returns them. They need to be known where there is a channel.
	Inherited []int
	// Background leaves the terminal and standard input to this process: the child's
	// is empty. Several processes cannot share it, and one in the background may not
	// read from a terminal (SIGTTIN).
	Background bool
	// Credential is the user that the child becomes; nil: this process's.
	Credential *syscall.Credential
}

// Start starts c under r. Call it from a goroutine that is locked to its thread
// for as long as the process lives: a child's PDEATHSIG is tied to the thread
// that forked it.
//
// The child leads a process group of its own, which gets the terminal if there
// is one, this process had it and c is not for the background. It has default signal dispositions, except
// that SIGHUP and SIGINT stay ignored where they were; an empty signal mask;
// the RLIMIT_NOFILE that this process was started with; descriptors 0 to 2 and
// those that are open without close-on-exec. It is a slightly likelier victim
// of the kernel's OOM killer than this process.
//
// An error tells why it did not start; [ExitCode] has the status for it.
func (c Command) Start(r *reaper.Reaper) (*reaper.Child, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	undo, err := defaultSignals()
	if err != nil {
		return nil, err
	}
	defer undo()
	return r.Start(func() (int, error) {
		pid, err := c.forkExec()
		if err != nil {
			return 0, &Error{Name: c.Argv[0], Path: c.Path, Err: err}
		}
		preferAsVictim(pid)
		return pid, nil
	})
}

// forkExec is execvp's: a file that the kernel does not know how to execute is
// a script without #! and runs in a shell, unless it looks binary.
func (c Command) forkExec() (int, error) {
	attr := &syscall.ProcAttr{
		Dir:   c.Dir,
		Env:   c.Env,
		Files: c.files(),
		Sys:   &syscall.SysProcAttr{Setpgid: true, Foreground: !c.Background && inForeground(), Credential: c.Credential},
	}
	if c.Background {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return 0, err
		}
		defer null.Close()
		attr.Files[0] = null.Fd()
	}
	pid, err := forkExec(c.Path, c.Argv, attr)
	if !errors.Is(err, unix.ENOEXEC) || isBinary(c.Path) {
		return pid, err
	}
	const shell = "/bin/sh"
	pid, shellErr := forkExec(shell, append([]string{shell, c.Path}, c.Argv[1:]...), attr)
	if shellErr != nil {
		return 0, err // no shell in the image: the first error is the one to tell
	}
	return pid, nil
}

// files are the child's descriptors up to that of the channel. What was passed
// to this process keeps its number.
func (c Command) files() []uintptr {
	const closed = ^uintptr(0)
	files := []uintptr{0, 1, 2}
	if c.Channel == 0 {
		return files
	}
	for fd := len(files); fd < c.ChannelAt; fd++ {
		if slices.Contains(c.Inherited, fd) {
			files = append(files, uintptr(fd))
		} else {
			files = append(files, closed)
		}
	}
	return append(files, uintptr(c.Channel))
}

func forkExec(path string, argv []string, attr *syscall.ProcAttr) (int, error) {
	pid, err := syscall.ForkExec(path, argv, attr)
	if attr.Sys.Foreground && (errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EPERM)) {
		// Sandboxes (gVisor, lx zones) have terminals that cannot be handed on.
		attr.Sys.Foreground = false
		pid, err = syscall.ForkExec(path, argv, attr)
	}
	return pid, err
}

// defaultSignals makes a child that this thread forks start with default
// dispositions and an empty mask; undo puts back what nodeinit needs itself.
func defaultSignals() (undo func(), err error) {
	// What is caught here is default in the child. What is ignored stays so
	// across exec, and signal.Reset does not undo Ignore (golang/go#46321).
	signal.Notify(make(chan os.Signal, 1), unix.SIGTTIN, unix.SIGTTOU)
	undo = func() { signal.Ignore(unix.SIGTTIN, unix.SIGTTOU) }
	// Go's runtime leaves these as it found them, perhaps ignored
	// (runtime/sigtab_linux_generic.go: _SigSetStack). An all-zero struct
	// sigaction is SIG_DFL with no flags on every architecture, and has at most 32
	// bytes, the last 8 of them for the mask.
	for sig := uintptr(32); sig <= 34; sig++ {
		var dfl [4]uint64
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&dfl)), 0, 8, 0, 0)
		if errno != 0 {
			undo()
			return nil, os.NewSyscallError("rt_sigaction", errno)
		}
	}
	// The child's mask is that of the forking thread (runtime, BeforeFork).
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil); err != nil {
		undo()
		return nil, os.NewSyscallError("rt_sigprocmask", err)
	}
	return undo, nil
}

// preferAsVictim raises the child's OOM score a little above this process's, so
// that the kernel never picks PID 1, whose end would hide the reason. Raising
// needs no privilege; where it does not work nothing is lost.
func preferAsVictim(pid int) {
	const more, most = 10, 1000 // proc_pid_oom_score_adj(5)
	if !reaper.ProcIsOurs() {
		return
	}
	own, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return
	}
	score, err := strconv.Atoi(strings.TrimSpace(string(own)))
	if err != nil {
		return
	}
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), strconv.AppendInt(nil, int64(min(score+more, most)), 10), 0)
}
