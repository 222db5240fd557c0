package exec_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/exec"
	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/reaper"
)

func TestMain(m *testing.M) {
	testproc.Main(map[string]func([]string){
		"starter":           starter,
		"commander":         commander,
		"ignoringStarter":   ignoringStarter,
		"facts":             facts,
		"inheritedCloser":   inheritedCloser,
		"backgroundStarter": backgroundStarter,
		"backgroundChild":   backgroundChild,
		"redirector":        redirector,
	})
	os.Exit(m.Run())
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(97)
}

// commander finds and starts args as nodeinit does, and reports the exit status.
func commander(args []string) {
	runtime.LockOSThread()
	file, err := exec.Find(args[0], os.Getenv("PATH"))
	var r reaper.Reaper
	var child *reaper.Child
	if err == nil {
		child, err = exec.Command{Path: file, Argv: args, Env: os.Environ()}.Start(&r)
	}
	if err != nil {
		testproc.Say("%d %v", exec.ExitCode(err), err)
		return
	}
	go r.Run(context.Background())
	<-child.Exited()
	testproc.Say("%d", child.Status().ExitStatus())
}

func TestStartAsExecvp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		argv []string
		want string
	}{
		{[]string{"testdata/no-shebang", "7"}, "7"},
		{[]string{"testdata/empty"}, "0"},
		{[]string{"testdata/damaged"}, `126 "testdata/damaged": not an executable for this machine`},
		{[]string{"testdata/no-interpreter"}, `127 "testdata/no-interpreter": its interpreter "/nonexistent/interpreter -x" is not`},
		{[]string{"testdata/not-executable"}, `126 "testdata/not-executable": permission denied`},
		{[]string{"testdata/a-directory"}, `126 "testdata/a-directory": is a directory`},
		{[]string{"testdata/nothing"}, `127 "testdata/nothing": no such file`},
		{[]string{"no-such-command-anywhere"}, `127 "no-such-command-anywhere": command not found`},
		{[]string{""}, `127 "": command not found`},
	} {
		t.Run(filepath.Base(c.argv[0]), func(t *testing.T) {
			t.Parallel()
			env := append(os.Environ(), "PATH=/nowhere") // one that every user may look into
			p := testproc.Command{Argv: testproc.Argv("commander", c.argv...), Env: env}.Start(t)
			if got := p.Line(); !strings.HasPrefix(got, c.want) {
				t.Errorf("%q: %s, want %s", c.argv, got, c.want)
			}
			p.WaitCode(0)
		})
	}
}

// A child inherits nothing that this process has blocked, ignored or caught, except
// that SIGHUP and SIGINT stay ignored.
func TestStartGivesACleanChild(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("ignoringStarter")}.Start(t)
	p.Expect(
		"starter ignores 200300003, blocks 8000000200",
		"child leads its group: true",
		"child is called other-name",
		"child's environment is [A=1 GORACE=atexit_sleep_ms=0]",
		"child ignores 3, blocks 0",
		"child has what the starter was passed: true",
		"child has an OOM score higher by 10",
		"0",
	)
	p.WaitCode(0)
}

// ignoringStarter becomes a starter that ignores SIGHUP, SIGINT, SIGTTIN, SIGTTOU and
// 34, and blocks SIGUSR1 and 40.
func ignoringStarter([]string) {
	runtime.LockOSThread()
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGTTIN, unix.SIGTTOU)
	ignore := [4]uint64{1} // struct sigaction with SIG_IGN
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, 34, uintptr(unsafe.Pointer(&ignore)), 0, 8, 0, 0)
	if errno != 0 {
		fail(errno)
	}
	mask := new(unix.Sigset_t)
	word := int(unsafe.Sizeof(mask.Val[0])) * 8
	for _, sig := range []int{int(unix.SIGUSR1), 40} {
		mask.Val[(sig-1)/word] |= 1 << ((sig - 1) % word)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, mask, nil); err != nil {
		fail(err)
	}
	argv := testproc.Argv("starter")
	fail(syscall.Exec(argv[0], argv, os.Environ()))
}

// starter starts a child that reports what it has inherited, and reports its status.
func starter([]string) {
	runtime.LockOSThread()
	signal.Notify(make(chan os.Signal, 1), unix.SIGUSR2, unix.SIGTERM)
	testproc.Say("starter %s", dispositions())
	argv := testproc.Argv("facts", strconv.Itoa(oomScore()), passed())
	file := argv[0]
	argv[0] = "other-name"
	read, write, err := os.Pipe()
	if err != nil {
		fail(err)
	}
	if err := unix.Dup2(int(read.Fd()), 0); err != nil { // the child's stdin: it waits for us
		fail(err)
	}
	var r reaper.Reaper
	child, err := exec.Command{Path: file, Argv: argv, Env: []string{"A=1", "GORACE=atexit_sleep_ms=0"}}.Start(&r)
	if err != nil {
		fail(err)
	}
	write.Close()
	go r.Run(context.Background())
	<-child.Exited()
	testproc.Say("%d", child.Status().ExitStatus())
}

func facts(args []string) {
	runtime.LockOSThread()
	testproc.UntilStdinCloses() // the OOM score is set after the start
	testproc.Say("child leads its group: %v", unix.Getpgrp() == os.Getpid())
	testproc.Say("child is called %s", os.Args[0])
	testproc.Say("child's environment is %v", os.Environ())
	testproc.Say("child %s", dispositions())
	testproc.Say("child has what the starter was passed: %v", passed() == args[1])
	before, _ := strconv.Atoi(args[0])
	testproc.Say("child has an OOM score higher by %d", oomScore()-before)
}

// dispositions returns what this thread ignores and blocks. Go's runtime has caught
// all signals but those for job control, SIGHUP, SIGINT and its own.
func dispositions() string {
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		fail(err)
	}
	field := func(name string) string {
		_, value, _ := strings.Cut(string(status), "\n"+name+":\t")
		value, _, _ = strings.Cut(value, "\n")
		if value = strings.TrimLeft(value, "0"); value == "" {
			return "0"
		}
		return value
	}
	return fmt.Sprintf("ignores %s, blocks %s", field("SigIgn"), field("SigBlk"))
}

// passed lists the descriptors that this process was started with: the report pipe,
// and what the test's parent has open.
func passed() string {
	fds := exec.Inherited()
	slices.Sort(fds)
	return fmt.Sprint(fds)
}

func oomScore() int {
	text, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		fail(err)
	}
	score, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		fail(err)
	}
	return score
}

// A child gets what its outputs are to be, and only that of the descriptors, whether or
// not there is a channel.
func TestStartWithOtherOutputs(t *testing.T) {
	t.Parallel()
	p := testproc.Command{Argv: testproc.Argv("redirector")}.Start(t)
	p.Expect(`to one: "out\n"`, `to the other: "err\n"`, `with a channel: "out\n"`, `with a channel, to the own: ""`)
	p.WaitCode(0)
	if p.Output() != "" || p.Errors() != "err\n" {
		t.Errorf("stdout %q, stderr %q, want only what stderr was left to", p.Output(), p.Errors())
	}
}

// redirector starts children with pipes in place of its outputs.
func redirector([]string) {
	runtime.LockOSThread()
	var r reaper.Reaper
	go r.Run(context.Background())
	run := func(withStderr, withChannel bool) (out, errs string) {
		var files [3][2]int
		for i := range files {
			if err := unix.Pipe2(files[i][:], unix.O_CLOEXEC); err != nil {
				fail(err)
			}
		}
		c := exec.Command{Path: "/bin/sh", Argv: []string{"sh", "-c", "echo out; echo err >&2"}, Stdout: files[0][1]}
		if withStderr {
			c.Stderr = files[1][1]
		}
		if withChannel {
			c.Channel, c.ChannelAt = files[2][1], 3
		}
		child, err := c.Start(&r)
		if err != nil {
			fail(err)
		}
		<-child.Exited()
		var texts [2]string
		for i := range texts {
			unix.Close(files[i][1])
			text := make([]byte, 64)
			n, _ := unix.Read(files[i][0], text) // EOF: no other process has it
			texts[i] = string(text[:n])
		}
		return texts[0], texts[1]
	}
	out, errs := run(true, false)
	testproc.Say("to one: %s", strconv.Quote(out))
	testproc.Say("to the other: %s", strconv.Quote(errs))
	out, errs = run(false, true)
	testproc.Say("with a channel: %s", strconv.Quote(out))
	testproc.Say("with a channel, to the own: %s", strconv.Quote(errs))
}
