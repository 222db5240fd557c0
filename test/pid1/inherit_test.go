package pid1

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// programDir returns the /proc directory of the process in the namespace of p
// that runs name, once there is one. What a program was given is read from the
// outside and from a program that changes nothing of it: Go's runtime does.
func programDir(t *testing.T, p *testproc.Process, name string) string {
	t.Helper()
	dir := ""
	harness.WaitUntil(t, name+" to run", func() bool {
		for pid, state := range harness.States(t, p) {
			found := fmt.Sprintf("/proc/%d/root/proc/%d", p.PID, pid)
			env, _ := os.ReadFile(found + "/environ") // the last that exec sets
			if state.Command == name && len(env) > 0 {
				dir = found
			}
		}
		return dir != ""
	})
	return dir
}

// hostile becomes args with every signal ignored and blocked that can be.
func hostile(args []string) {
	runtime.LockOSThread()
	ignore := [4]uint64{1} // struct sigaction with SIG_IGN, on every architecture
	for sig := uintptr(1); sig <= 64; sig++ {
		// It fails for SIGKILL and SIGSTOP.
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&ignore)), 0, 8, 0, 0)
	}
	all := new(unix.Sigset_t)
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, all, nil); err != nil {
		harness.Fail(err)
	}
	harness.Become(args)
}

// SIGHUP and SIGINT stay ignored where they were: that is what nohup and a
// shell's & are for.
func TestGivesTheProgramDefaultSignals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prefix  []string
		ignored string
	}{
		"plain":               {nil, "0000000000000000"},
		"blocked and ignored": {testproc.Argv("hostile"), "0000000000000003"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := harness.Under(harness.UnderInit("", "cat"), c.prefix...).Start(t)
			status := harness.ReadFile(t, programDir(t, p, "cat"), "status")
			for field, want := range map[string]string{"SigBlk": "0000000000000000", "SigIgn": c.ignored, "SigCgt": "0000000000000000"} {
				if !strings.Contains(status, "\n"+field+":\t"+want+"\n") {
					t.Errorf("want %s %s in\n%s", field, want, status)
				}
			}
			p.CloseStdin()
			p.WaitCode(0) // though SIGCHLD was ignored
		})
	}
}

func TestForwardsWhatWasBlockedAndIgnored(t *testing.T) {
	t.Parallel()
	p := startCatcher(t, harness.Under(harness.UnderInit("--grace 0"), testproc.Argv("hostile")...))
	for _, sig := range []unix.Signal{unix.SIGUSR1, unix.SIGTSTP, unix.SIGWINCH, 35, 64} {
		p.Signal(unix.SIGHUP)
		p.Signal(sig)
		p.Expect(harness.Caught("program", sig)...)
	}
	p.Signal(unix.SIGTERM)
	harness.ExpectAll(t, p, harness.Caught("program", unix.SIGTERM)...)
	p.CloseStdin()
	p.WaitCode(7)
}

// A setting that waits for a signal which was ignored at the start is logged, once
// each, as the signal will not come; other settings are not.
func TestSaysWhichSignalsWillNotCome(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string][]string{
		"--reload-signal HUP":                        {"--reload-signal: SIGHUP"},
		"--stop-signal HUP -r INT:TERM -r USR1:USR2": {"--stop-signal: SIGHUP", "--rewrite: SIGINT"},
		"--reload-signal USR2 --stop-signal TERM":    nil,
	} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			for _, c := range []testproc.Command{
				harness.Under(harness.UnderInit(flags, "true"), testproc.Argv("hostile")...),
				harness.UnderInit(flags, "true"),
			} {
				p := c.Start(t)
				p.WaitCode(0)
				var got []string
				for _, line := range harness.ReadLog(t, p.Output()) {
					if line.Msg == "a signal will not come" {
						text, _, _ := strings.Cut(fmt.Sprint(line.Facts["warning"]), " never comes")
						got = append(got, text)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("logged %q, want %q", got, want)
				}
				want = nil
			}
		})
	}
}

// nowhere becomes args in a directory that is removed.
func nowhere(args []string) {
	dir, err := os.MkdirTemp("", "nowhere")
	if err != nil {
		harness.Fail(err)
	}
	if err := errors.Join(os.Chdir(dir), os.Remove(dir)); err != nil {
		harness.Fail(err)
	}
	harness.Become(args)
}

// closedoff becomes args as a user without rights, in a directory that only root
// can reach by its path.
func closedoff(args []string) {
	dir, err := os.MkdirTemp("", "closedoff")
	if err != nil {
		harness.Fail(err)
	}
	inner := filepath.Join(dir, "inner")
	if err := errors.Join(os.Mkdir(inner, 0o777), os.Chmod(inner, 0o777), os.Chdir(inner)); err != nil {
		harness.Fail(err)
	}
	harness.Nobody(args)
}

// The program begins where nodeinit does, whether or not a path leads there.
func TestLeavesTheDirectoryAsItIs(t *testing.T) {
	t.Parallel()
	kinds := map[string]testproc.Command{"nowhere": harness.UnderInit("", "sleep", "infinity")}
	if os.Getuid() == 0 { // others have one user only in their namespaces
		c := setUserID(t) // with a nodeinit that no user but root may run
		c.Argv = append(slices.Clone(c.Argv[slices.Index(c.Argv, "nobody")+1:][:1]), "--", "sleep", "infinity")
		kinds["closedoff"] = c
	}
	for role, c := range kinds {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			p := harness.Under(c, testproc.Argv(role)...).Start(t)
			dir, err := os.Readlink(filepath.Join(programDir(t, p, "sleep"), "cwd"))
			if err != nil {
				t.Fatal(err)
			}
			p.Signal(unix.SIGTERM)
			p.WaitCode(143)
			if !strings.Contains(dir, role) {
				t.Errorf("it runs in %q", dir)
			}
			if role == "closedoff" {
				if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// fewfiles becomes args with a low limit of open files, which Go raises.
func fewfiles(args []string) {
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 256, Max: 4096}); err != nil {
		harness.Fail(err)
	}
	harness.Become(args)
}

func TestGivesTheProgramItsOwnFileLimit(t *testing.T) {
	t.Parallel()
	p := harness.Under(harness.UnderInit("", "cat"), testproc.Argv("fewfiles")...).Start(t)
	limits := harness.ReadFile(t, programDir(t, p, "cat"), "limits")
	if !regexp.MustCompile(`(?m)^Max open files +256 +4096 `).MatchString(limits) {
		t.Errorf("limits:\n%s", limits)
	}
}

// passes becomes args with the report pipe as descriptors 3 and 17, a socket as
// 20, and 19 that is not to be passed on, nor whatever else is open.
func passes(args []string) {
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		harness.Fail(err)
	}
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		harness.Fail(err)
	}
	for _, d := range []struct{ from, to, flags int }{{socket, 20, 0}, {3, 17, 0}, {3, 19, unix.O_CLOEXEC}} {
		if err := unix.Dup3(d.from, d.to, d.flags); err != nil {
			harness.Fail(err)
		}
	}
	if _, err := unix.FcntlInt(3, unix.F_SETFD, 0); err != nil {
		harness.Fail(err)
	}
	harness.Become(args)
}

func TestPassesDescriptorsOnAndKeepsNone(t *testing.T) {
	t.Parallel()
	p := harness.Under(harness.UnderInit("", "cat"), testproc.Argv("passes")...).Start(t)
	dir := programDir(t, p, "cat")
	var program map[int]string
	harness.WaitUntil(t, "the program to have six descriptors, once its loader is done", func() bool {
		program = descriptors(t, dir)
		return len(program) == 6
	})
	for fd, want := range map[int]string{0: "pipe:", 1: "pipe:", 2: "pipe:", 3: "pipe:", 17: "pipe:", 20: "socket:"} {
		if !strings.HasPrefix(program[fd], want) {
			t.Errorf("the program's descriptor %d is %q, want a %s", fd, program[fd], want)
		}
	}
	own := fmt.Sprintf("/proc/%d", p.PID)
	harness.WaitUntil(t, "nodeinit to leave its directory", func() bool {
		cwd, err := os.Readlink(own + "/cwd")
		return err == nil && cwd == "/"
	})
	for fd, file := range descriptors(t, own) {
		if file == program[3] || file == program[20] || fd > 2 && strings.HasPrefix(file, "pipe:") {
			t.Errorf("nodeinit keeps descriptor %d, %s", fd, file)
		}
	}
}

func descriptors(t *testing.T, dir string) map[int]string {
	t.Helper()
	entries, err := os.ReadDir(dir + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	open := make(map[int]string)
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		if file, err := os.Readlink(dir + "/fd/" + entry.Name()); err == nil { // else just closed
			open[fd] = file
		}
	}
	return open
}

func TestRunsTheProgramWhereItWasStarted(t *testing.T) {
	t.Parallel()
	c := harness.UnderInit("", "cat")
	c.Dir = t.TempDir()
	p := c.Start(t)
	if cwd, err := os.Readlink(programDir(t, p, "cat") + "/cwd"); err != nil || cwd != c.Dir {
		t.Errorf("the program is in %q (%v), want %q", cwd, err, c.Dir)
	}
}

func TestPassesTheEnvironmentOn(t *testing.T) {
	t.Parallel()
	base := []string{"PATH=/bin:/usr/bin", "EMPTY=", "EQUALS==a=b=", "TWO=words and\nlines", "BYTES=\xff", "NODEINIT_GRACE=1s", "1=odd"}
	for _, c := range []struct {
		flags     string
		env, want []string // besides base
	}{
		{"--heap off", nil, nil},
		{"--heap off --memory 512M", nil, nil},
		{"--memory 512M", nil, []string{"NODE_OPTIONS=--max-old-space-size=406"}},
		{"--memory 512M --heap 100M", nil, []string{"NODE_OPTIONS=--max-old-space-size=100"}},
		{"--memory 512M", []string{"NODE_OPTIONS=--no-warnings"}, []string{"NODE_OPTIONS=--no-warnings --max-old-space-size=406"}},
		{"--memory 512M", []string{"NODE_OPTIONS=--max-old-space-size=99"}, []string{"NODE_OPTIONS=--max-old-space-size=99"}},
		{"--heap off", []string{"LISTEN_FDS=1", "LISTEN_PID=1"}, []string{"LISTEN_FDS=1"}},
		{"--heap off", []string{"LISTEN_FDS=1", "LISTEN_PID=12"}, []string{"LISTEN_FDS=1", "LISTEN_PID=12"}},
	} {
		t.Run(c.flags+fmt.Sprint(c.env), func(t *testing.T) {
			t.Parallel()
			command := harness.UnderInit(c.flags, "cat", "-", "a b")
			command.Env = slices.Concat(base, c.env)
			dir := programDir(t, command.Start(t), "cat")
			if got, want := harness.ReadFile(t, dir, "cmdline"), "cat\x00-\x00a b\x00"; got != want {
				t.Errorf("argv %q, want %q", got, want)
			}
			got := strings.Split(strings.TrimSuffix(harness.ReadFile(t, dir, "environ"), "\x00"), "\x00")
			if want := slices.Concat(base, c.want); !slices.Equal(got, want) {
				t.Errorf("environment %q, want %q", got, want)
			}
		})
	}
}

// closed becomes args without stdin, stdout and stderr.
func closed(args []string) {
	for fd := range 3 {
		if err := unix.Close(fd); err != nil {
			harness.Fail(err)
		}
	}
	harness.Become(args)
}

// What would be opened first would be taken for stdin, stdout or stderr.
func TestFillsClosedStandardDescriptors(t *testing.T) {
	t.Parallel()
	script := "for fd in 0 1 2; do file=$(readlink /proc/$$/fd/$fd); echo $file >&3; done; exit 7"
	p := harness.Under(harness.UnderInit("", "sh", "-c", script), testproc.Argv("closed")...).Start(t)
	p.Expect("/dev/null", "/dev/null", "/dev/null")
	p.WaitCode(7)
}
