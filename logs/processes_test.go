package logs_test

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/logs"
)

// What a process has written of a line before it was killed comes too, and ends before
// what follows.
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
	log := logs.Open(out, logs.Text, logs.LevelInfo, nil, nil)
	log.Info("follows").Send()
	log.Flush(testproc.HangLimit)
	o.w.Close()
	got, err := io.ReadAll(o.r)
	want := append(bytes.Repeat([]byte("whole\n"), 10_000), "half\n"...)
	if next, ok := bytes.CutPrefix(got, want); err != nil || !ok || !bytes.HasSuffix(next, []byte("follows\n")) {
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
	log := logs.Open(out, logs.Text, logs.LevelInfo, nil, nil)
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
