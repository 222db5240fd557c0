package logs_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/logs"
)

// An output is a file to write to, and how it is read.
type output struct {
	w *os.File
	r io.Reader
}

var outputs = map[string]func(t *testing.T) output{
	"pipe":          func(t *testing.T) output { return pipeOutput(t, true) },
	"Node's pipe":   func(t *testing.T) output { return pipeOutput(t, false) },
	"terminal":      terminal,
	"socket":        func(t *testing.T) output { return socket(t, 0) },
	"Node's socket": func(t *testing.T) output { return socket(t, unix.SOCK_NONBLOCK) },
	"file":          regularFile,
}

func pipeOutput(t *testing.T, blocking bool) output {
	p := newPipe(t, blocking)
	w := os.NewFile(uintptr(p.w), "output")
	t.Cleanup(func() { w.Close() })
	return output{w, p.r}
}

func socket(t *testing.T, flags int) output {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	return output{file(t, fds[0]), file(t, fds[1])}
}

func file(t *testing.T, fd int) *os.File {
	f := os.NewFile(uintptr(fd), "file")
	t.Cleanup(func() { f.Close() })
	return f
}

// terminal is one that changes nothing of what is written.
func terminal(t *testing.T) output {
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := file(t, master)
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := unix.Open("/dev/pts/"+strconv.Itoa(n), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := unix.IoctlGetTermios(slave, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	settings.Oflag &^= unix.OPOST
	if err := unix.IoctlSetTermios(slave, unix.TCSETS, settings); err != nil {
		t.Fatal(err)
	}
	return output{file(t, slave), r}
}

func regularFile(t *testing.T) output {
	name := filepath.Join(t.TempDir(), "log")
	w, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close(); r.Close() })
	return output{w, &follower{f: r}}
}

// A follower reads a file to which others append. It does not end.
type follower struct{ f *os.File }

func (f *follower) Read(b []byte) (int, error) {
	for {
		if n, err := f.f.Read(b); n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		runtime.Gosched()
	}
}

// untilEnd reads up to the line "end".
type untilEnd struct {
	lines *bufio.Reader
	line  []byte
}

func (u *untilEnd) Read(b []byte) (n int, err error) {
	if len(u.line) == 0 {
		if u.line, err = u.lines.ReadBytes('\n'); err != nil {
			return 0, err
		}
		if string(u.line) == "end\n" {
			return 0, io.EOF
		}
	}
	n = copy(b, u.line)
	u.line = u.line[n:]
	return n, nil
}

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

const throughStreams, throughLines = 4, 2000

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
	log := logs.Open(out, logs.Text, zerolog.InfoLevel, nil, nil)
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

// The rest of a line of a process that is killed comes as a line.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	o := pipeOutput(t, true)
	out := logs.NewOutput(int(o.w.Fd()))
	s := logs.NewStreams(out, out, logs.Options{})
	pipes, err := s.Open(true, true)
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := dup(t, pipes.Stdout), dup(t, pipes.Stderr)
	p := testproc.Command{Argv: testproc.Argv("half"), Stdout: stdout, Stderr: stderr}.Start(t)
	stdout.Close()
	stderr.Close()
	pipes.Started(0, p.PID)
	p.Expect("written")
	p.Signal(unix.SIGKILL)
	p.Wait()
	s.Drain(testproc.HangLimit)
	o.w.Close()
	got, err := io.ReadAll(o.r)
	if want := bytes.Repeat([]byte("whole\n"), 10_000); err != nil || string(got) != string(want)+"half\n" {
		t.Errorf("%d bytes, %v, that end in %q", len(got), err, got[max(len(got)-30, 0):])
	}
}

func half([]string) {
	if _, err := os.Stdout.WriteString(strings.Repeat("whole\n", 10_000) + "half"); err != nil {
		panic(err)
	}
	testproc.Say("written")
	testproc.UntilStdinCloses()
}

// A stalled reader occupies no thread, and the rest of the process goes on.
func TestStalledReaderOccupiesNoThread(t *testing.T) {
	t.Parallel()
	for name, open := range outputs {
		if name == "file" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, errs := open(t), open(t)
			p := testproc.Command{Argv: testproc.Argv("stalled"), Stdout: o.w, Stderr: errs.w}.Start(t)
			line := p.Line()
			n, err := strconv.Atoi(strings.TrimPrefix(line, "threads: "))
			if err != nil || n > 7 {
				t.Errorf("%s; the process may have 7", line)
			}
			p.CloseStdin()
			p.WaitCode(0)
		})
	}
}

// stalled has processes write to outputs that nobody reads, and works meanwhile.
func stalled([]string) {
	runtime.GOMAXPROCS(1)
	out, errs := logs.OpenOutputs()
	log := logs.Open(out, logs.Text, zerolog.InfoLevel, nil, nil)
	s := logs.NewStreams(out, errs, logs.Options{JSON: true})
	for i := range 8 {
		p, err := s.Open(true, true)
		if err != nil {
			panic(err)
		}
		argv := testproc.Argv("flood")
		pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Files: []uintptr{0, uintptr(p.Stdout), uintptr(p.Stderr)}})
		if err != nil {
			panic(err)
		}
		p.Started(i, pid)
	}
	ping, pong := make(chan int), make(chan int)
	go func() {
		for n := range ping {
			log.Info("work").Int("n", n).Send()
			pong <- n
		}
	}()
	for n := range 2000 {
		ping <- n
		<-pong
		if n%100 == 0 {
			log.Flush(1)
		}
	}
	s.Drain(1)
	threads, _ := runtime.ThreadCreateProfile(nil)
	testproc.Say("threads: %d", threads)
	testproc.UntilStdinCloses()
}

// flood writes until stdin closes, or nobody can read it any more.
func flood([]string) {
	for _, w := range []*os.File{os.Stdout, os.Stderr} {
		go func() {
			for b := numbered(0, 0, 100); ; {
				if _, err := w.Write(b); err != nil {
					os.Exit(0)
				}
			}
		}()
	}
	testproc.UntilStdinCloses()
}
