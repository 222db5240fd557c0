package logs_test

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/logs"
)

// Each kind of output gets all lines, whole, in a process with one thread for Go code.
func TestKindsOfOutputs(t *testing.T) {
	t.Parallel()
	for name, open := range outputs {
		for _, without := range []string{"", "pwritev2", "openat", "descriptors"} {
			t.Run(name+" without "+without, func(t *testing.T) {
				t.Parallel()
				o := open(t)
				p := testproc.Command{Argv: testproc.Argv("through", without), Stdout: o.w}.Start(t)
				got := checkNumbered(t, &untilEnd{lines: bufio.NewReader(o.r)})
				for stream := range throughStreams {
					if got[stream] != throughLines {
						t.Errorf("%d lines of stream %d", got[stream], stream)
					}
				}
				p.WaitCode(0)
			})
		}
	}
}

const throughStreams, throughLines = 4, 6000 // more than a pipe has room for

// through writes numbered lines of several streams to stdout, without what the first
// argument names.
func through(args []string) {
	runtime.GOMAXPROCS(1)
	out, _ := logs.OpenOutputs()
	s := logs.NewStreams(out, out, logs.Options{})
	var pipes [throughStreams]*logs.Pipes
	for i := range pipes {
		var err error
		if pipes[i], err = s.Open(true, false); err != nil {
			panic(err)
		}
	}
	restrict(args[0])
	var writing sync.WaitGroup
	for i, p := range pipes {
		fd, err := unix.Dup(p.Stdout)
		if err != nil { // the limit is reached
			fd, p.Stdout = p.Stdout, 0
		}
		p.Started(i, i)
		w := os.NewFile(uintptr(fd), "the child's")
		writing.Go(func() {
			if _, err := w.Write(numbered(i, 0, throughLines)); err != nil {
				panic(err)
			}
			w.Close()
		})
	}
	writing.Wait()
	s.Drain(testproc.HangLimit)
	log := logs.NewWriter(out)
	fmt.Fprintln(log, "end")
	log.Flush(testproc.HangLimit)
}

// restrict makes a system call fail as on an old kernel, or opening a terminal as that of
// another user, or leaves no descriptor.
func restrict(what string) {
	switch what {
	case "pwritev2":
		deny(unix.SYS_PWRITEV2, unix.EOPNOTSUPP)
	case "openat":
		deny(unix.SYS_OPENAT, unix.EACCES)
	case "descriptors":
		free, err := unix.Dup(0)
		if err != nil {
			panic(err)
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(free), Max: uint64(free)}); err != nil {
			panic(err)
		}
	}
}

// deny makes a system call fail in all threads (seccomp(2)).
func deny(call uint32, errno syscall.Errno) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: call},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		panic(errno)
	}
}

// stdout and stderr are one output where they are one file.
func TestSameFile(t *testing.T) {
	t.Parallel()
	a, b, tty, f := pipeOutput(t, true).w, pipeOutput(t, true).w, terminal(t).w, regularFile(t).w
	again, err := os.OpenFile(f.Name(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for _, c := range []struct {
		stdout, stderr *os.File
		same           bool
	}{{a, a, true}, {tty, tty, true}, {f, again, true}, {a, b, false}, {a, tty, false}} {
		p := testproc.Command{Argv: testproc.Argv("same"), Stdout: c.stdout, Stderr: c.stderr}.Start(t)
		p.Expect(fmt.Sprint(c.same))
	}
}

func same([]string) {
	stdout, stderr := logs.OpenOutputs()
	testproc.Say("%v", stdout == stderr)
}

// A line that is cut off by an error is ended before the next one.
func TestCutLineIsEnded(t *testing.T) {
	t.Parallel()
	o := regularFile(t)
	p := testproc.Command{Argv: testproc.Argv("small"), Stdout: o.w}.Start(t)
	p.Expect("written")
	p.WaitCode(0)
	got, err := os.ReadFile(o.w.Name())
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("x", 999) + "\n" + strings.Repeat("y", 500) + "\nafter\n"
	if text := string(got); !strings.HasPrefix(text, want) || !strings.Contains(text[len(want):], "log lines dropped lines=2") {
		t.Errorf("got %q", text)
	}
}

// small writes to a file that may have 1,500 bytes, for a time.
func small([]string) {
	limit := func(n uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: unix.RLIM_INFINITY}); err != nil {
			panic(err)
		}
	}
	out, _ := logs.OpenOutputs()
	log := logs.Open(out, logs.Text, logs.LevelInfo, nil, nil)
	s := logs.NewStreams(out, out, logs.Options{OnDrop: log.CountDropped})
	p, err := s.Open(true, false)
	if err != nil {
		panic(err)
	}
	fd, err := unix.Dup(p.Stdout)
	if err != nil {
		panic(err)
	}
	p.Started(-1, 1)
	write := func(text string) {
		if _, err := unix.Write(fd, []byte(text)); err != nil {
			panic(err)
		}
		s.Drain(testproc.HangLimit)
		log.Flush(testproc.HangLimit)
	}
	limit(1500)
	write(strings.Repeat("x", 999) + "\n" + strings.Repeat("y", 999) + "\nz\n")
	limit(unix.RLIM_INFINITY)
	write("after\n")
	testproc.Say("written")
}
