// Package testproc makes the processes of tests: the test binary itself,
// re-executed in a role, that reports over a pipe and ends with the test.
//
// A test package names its roles in TestMain:
//
//	func TestMain(m *testing.M) {
//		testproc.Main(map[string]func(args []string){"sleeper": sleeper})
//		os.Exit(m.Run())
//	}
package testproc

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// HangLimit ends a test that hangs. It never decides whether one passes: a slow
// machine takes minutes for what a fast one does in a second. All tests that need
// such a limit use this one.
const HangLimit = 10 * time.Minute

const marker = "testproc" // os.Args[1] of a process in a role

// Main runs the role that this process was started for, if any, and exits. It
// belongs at the start of TestMain.
func Main(roles map[string]func(args []string)) {
	if len(os.Args) < 3 || os.Args[1] != marker {
		os.Setenv("GORACE", "atexit_sleep_ms=0") // roles need not wait a second at their end
		unignoreLibrarySignals()
		return
	}
	name, args := os.Args[2], os.Args[3:]
	role := roles[name]
	if name == "pid1" {
		role = pid1
	}
	if role == nil {
		fmt.Fprintf(os.Stderr, "testproc: no role %q\n", name)
		os.Exit(99)
	}
	role(args)
	os.Exit(0)
}

// Argv returns the arguments that run a role in a process of its own.
func Argv(role string, args ...string) []string {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return append([]string{self, marker, role}, args...)
}

// reports is the descriptor over which roles report; it is the first after
// stderr, so every process on the way must pass it on.
const reports = 3

// Say reports a line to the test.
func Say(format string, args ...any) {
	line := fmt.Sprintf(format, args...) + "\n"
	for len(line) > 0 {
		n, err := unix.Write(reports, []byte(line)) // one write: lines of several processes do not mix
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			os.Exit(98) // the test is gone
		}
		line = line[n:]
	}
}

// UntilStdinCloses waits for the test to end or to call CloseStdin.
func UntilStdinCloses() { _, _ = io.Copy(io.Discard, os.Stdin) }

// pid1 gives the new namespaces it runs in a /proc and becomes args. Nothing is
// ignored that the test was started with ignored (nohup, or & in a script): what
// Go catches has its default again after exec.
func pid1(args []string) {
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT)
	for _, step := range []func() error{
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount("proc", "/proc", "proc", 0, "") },
		func() error { return syscall.Exec(args[0], args, os.Environ()) },
	} {
		if err := step(); err != nil {
			fmt.Fprintf(os.Stderr, "testproc: pid1: %v\n", err)
			os.Exit(99)
		}
	}
}

// unignoreLibrarySignals gives the C library's own signals, 32 and 33, their
// default where they are ignored, so that tests start alike from everywhere:
// make starts its commands with both ignored (glibc's posix_spawn does that).
func unignoreLibrarySignals() {
	const ignored = 1 // SIG_IGN
	for sig := uintptr(32); sig <= 33; sig++ {
		var now, dfl [4 * 8 / unsafe.Sizeof(uintptr(0))]uintptr // struct sigaction, at least; the handler comes first
		unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&now)), 8, 0, 0)
		if now[0] == ignored {
			unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&dfl)), 0, 8, 0, 0)
		}
	}
}
