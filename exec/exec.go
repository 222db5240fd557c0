// Package exec starts one child: which file, with which arguments and
// environment, in which process group and with which descriptors.
package exec

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/reaper"
	"github.com/nodeinit/nodeinit/threads"
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
	// Threads are this process's, so that the child is not scheduled as they may be.
	Threads *threads.Set
}

// Start starts c under r. A child's PDEATHSIG is tied to the thread that forked
// it (prctl(2)): no goroutine may end while it is locked to its thread.
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
	defer c.Threads.AsStarted()()
	return r.Start(func() (int, error) {
		pid, err := c.forkExec()
		if err != nil {
			return 0, &Error{Name: c.Argv[0], Path: c.Path, Err: err}
		}
		raiseOOMScore(pid)
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

// A disposition is a struct sigaction as the kernel has it; none is longer. The
// zero value is SIG_DFL with no flags.
type disposition [4]uint64

// ignored is SIG_IGN with no flags: the handler comes first, as an address.
func ignored() *disposition {
	var d disposition
	*(*uintptr)(unsafe.Pointer(&d)) = 1
	return &d
}

// sigaction sets the disposition of sig to now, if that is not nil, and puts
// what it was where before points, if that is not nil.
func sigaction(sig unix.Signal, now, before *disposition) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(now)), uintptr(unsafe.Pointer(before)), 8, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("rt_sigaction", errno)
	}
	return nil
}

// defaultSignals makes a child that this thread forks start with default
// dispositions and an empty mask; undo puts back what nodeinit needs itself.
//
// It does so behind the back of Go's runtime: signal.Notify would switch threads
// four times, and what switches less needs fewer threads.
func defaultSignals() (undo func(), err error) {
	stops := []unix.Signal{unix.SIGTTIN, unix.SIGTTOU} // ignored; see signals.Catch
	undo = func() {
		for _, sig := range stops {
			_ = sigaction(sig, ignored(), nil)
		}
	}
	// What is ignored stays so across exec, what is caught does not. So for the
	// moment they have the handler of a signal that the runtime always catches;
	// it does nothing where nobody asked to be notified (runtime.sighandler).
	var caught disposition
	err = sigaction(unix.SIGCHLD, nil, &caught)
	for _, sig := range stops {
		err = errors.Join(err, sigaction(sig, &caught, nil))
	}
	// Go's runtime leaves these as it found them, perhaps ignored
	// (runtime/sigtab_linux_generic.go: _SigSetStack).
	for sig := unix.Signal(32); sig <= 34; sig++ {
		err = errors.Join(err, sigaction(sig, new(disposition), nil))
	}
	// The child's mask is that of the forking thread (runtime, BeforeFork).
	err = errors.Join(err, os.NewSyscallError("rt_sigprocmask", unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)))
	if err != nil {
		undo()
		return nil, err
	}
	return undo, nil
}

// raiseOOMScore raises the child's OOM score a little above this process's, so
// that the kernel never picks PID 1, whose end would hide the reason. Raising
// needs no privilege; where it does not work nothing is lost.
func raiseOOMScore(pid int) {
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
