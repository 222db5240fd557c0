// Package exec starts one child: in a process group of its own, with default
// signal dispositions and only the descriptors it is meant to have.
//
// [Find] looks for the file of a command as execvp(3) does. [Command.Start] starts
// it under a [reaper.Reaper], which reports its exit. Where one of them fails,
// the error is a line for users, and [ExitCode] returns the status that a shell or
// docker run would exit with (125, 126, 127).
//
// [Inherited] lists the descriptors that this process was started with and passes
// on. LendForeground and ReclaimForeground move the terminal between this process
// and a child. [Getenv] and [Setenv] read and change an environment.
package exec

import (
	"bytes"
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

	"github.com/nodeinit/nodeinit/files"
	"github.com/nodeinit/nodeinit/reaper"
	"github.com/nodeinit/nodeinit/threads"
)

// A Command is a program to start.
type Command struct {
	Path string   // the file to execute, as Find returns it
	Argv []string // the arguments, the name first
	Env  []string // the whole environment, KEY=value
	Dir  string   // the working directory; "" for that of this process

	// Stdout and Stderr, if not 0, are descriptors of this process that the child gets as
	// 1 and 2 instead of this process's own.
	Stdout, Stderr int
	// Channel, if not 0, is a descriptor of this process that the child gets as
	// descriptor ChannelAt.
	Channel   int
	ChannelAt int
	// Inherited is what the function Inherited returned. Below ChannelAt the child
	// gets only these; without a Channel the field has no effect.
	Inherited []int
	// Background leaves the terminal and standard input to this process; the child
	// reads from /dev/null. Several processes cannot share standard input, and one
	// in the background that reads from its terminal is stopped (SIGTTIN).
	Background bool
	// Credential is the user to run the child as; nil is that of this process.
	Credential *syscall.Credential
	// Threads are those of this process, if it made them; the child is then
	// scheduled as this process was at its start.
	Threads *threads.Set
}

// Start starts c under r.
//
// The child leads a process group of its own, which becomes the foreground group
// of the terminal if this process's was and Background is not set. It has default
// signal dispositions, except that SIGHUP and SIGINT stay ignored where they were;
// an empty signal mask; the RLIMIT_NOFILE that this process was started with;
// descriptors 0 to 2 and those that are open without close-on-exec. The kernel's
// OOM killer slightly prefers it to this process.
//
// No goroutine may end while it is locked to its thread: a child's PDEATHSIG is
// sent when the thread that forked it ends (prctl(2)).
//
// The error says why the child did not start; [ExitCode] returns the status for it.
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

// forkExec starts c as execvp(3) does: a file for which the kernel returns ENOEXEC
// is a script without #! and runs in a shell, unless its beginning has a NUL byte:
// shells refuse to run such a file too.
func (c Command) forkExec() (int, error) {
	attr := &syscall.ProcAttr{
		Dir:   c.Dir,
		Env:   c.Env,
		Files: c.files(),
		Sys:   &syscall.SysProcAttr{Setpgid: true, Foreground: !c.Background && inForeground(), Credential: c.Credential},
	}
	if c.Background {
		null, err := files.Open(os.DevNull, 0)
		if err != nil {
			return 0, err
		}
		defer null.Close()
		attr.Files[0] = null.Fd()
	}
	pid, err := forkExec(c.Path, c.Argv, attr)
	if !errors.Is(err, unix.ENOEXEC) || bytes.IndexByte(head(c.Path), 0) >= 0 {
		return pid, err
	}
	const shell = "/bin/sh"
	if pid, shellErr := forkExec(shell, append([]string{shell, c.Path}, c.Argv[1:]...), attr); shellErr == nil {
		return pid, nil
	}
	return 0, err // no shell in the image: the first error says more
}

// files returns the child's descriptors up to that of the channel. Inherited ones
// keep their numbers.
func (c Command) files() []uintptr {
	const closed = ^uintptr(0)
	files := []uintptr{0, 1, 2}
	if c.Stdout != 0 {
		files[unix.Stdout] = uintptr(c.Stdout)
	}
	if c.Stderr != 0 {
		files[unix.Stderr] = uintptr(c.Stderr)
	}
	if c.Channel == 0 {
		return files
	}
	for fd := len(files); fd < c.ChannelAt; fd++ {
		files = append(files, closed)
		if slices.Contains(c.Inherited, fd) {
			files[fd] = uintptr(fd)
		}
	}
	return append(files, uintptr(c.Channel))
}

func forkExec(path string, argv []string, attr *syscall.ProcAttr) (int, error) {
	pid, err := syscall.ForkExec(path, argv, attr)
	if attr.Sys.Foreground && (errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EPERM)) {
		// The terminals of some sandboxes (gVisor, lx zones) have no foreground group.
		attr.Sys.Foreground = false
		pid, err = syscall.ForkExec(path, argv, attr)
	}
	return pid, err
}

// A disposition is the kernel's struct sigaction, or longer. The first field is the
// handler: 0 is SIG_DFL, 1 SIG_IGN.
type disposition [8]uintptr

// sigaction stores the disposition of sig in before and sets it to now; either may
// be nil.
func sigaction(sig unix.Signal, now, before *disposition) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(now)), uintptr(unsafe.Pointer(before)), 8, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("rt_sigaction", errno)
	}
	return nil
}

// defaultSignals makes the next child of this thread start with default dispositions
// and an empty mask; undo restores those of this process.
//
// It makes the system calls itself: signal.Notify would switch threads four times,
// and fewer switches need fewer threads.
func defaultSignals() (undo func(), err error) {
	stops := []unix.Signal{unix.SIGTTIN, unix.SIGTTOU} // ignored by signals.Catch
	undo = func() {
		for _, sig := range stops {
			_ = sigaction(sig, &disposition{1}, nil)
		}
	}
	// execve(2) keeps ignored signals ignored and resets caught ones. So these get
	// the handler of SIGCHLD until the child has started: the runtime always has
	// one, and it does nothing for a signal without Notify (runtime.sighandler).
	var caught disposition
	err = sigaction(unix.SIGCHLD, nil, &caught)
	for _, sig := range stops {
		err = errors.Join(err, sigaction(sig, &caught, nil))
	}
	// Go's runtime leaves these as they were at its start, perhaps ignored
	// (runtime/sigtab_linux_generic.go, _SigSetStack).
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

// raiseOOMScore sets the OOM score of a child a little above this process's: if
// the kernel killed PID 1 instead, nothing could report the reason. Raising a score
// needs no privilege. A failure has no consequence.
func raiseOOMScore(pid int) {
	const step, maxScore = 10, 1000 // proc_pid_oom_score_adj(5)
	own, _ := files.Read("/proc/self/oom_score_adj", 64)
	score, err := strconv.Atoi(strings.TrimSpace(string(own)))
	if err != nil || !reaper.ProcIsOurs() {
		return
	}
	_ = files.Write(fmt.Sprintf("/proc/%d/oom_score_adj", pid), strconv.AppendInt(nil, int64(min(score+step, maxScore)), 10))
}
