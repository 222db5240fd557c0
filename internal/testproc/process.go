package testproc

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Command is a process to start for a test.
type Command struct {
	Argv   []string
	Env    []string // nil: this process's
	Dir    string
	PID1   bool     // as PID 1 of a new PID namespace with a /proc of its own
	Stdout *os.File // nil: collected in Output
	Stderr *os.File // nil: collected in Errors
	Stdin  *os.File // nil: a pipe that stays open until CloseStdin
	Attr   syscall.SysProcAttr
}

// A Process is one that a test started. It is killed when the test ends.
type Process struct {
	PID    int // as this process sees it
	t      testing.TB
	cmd    *exec.Cmd
	stdin  io.Closer
	lines  chan string
	out    *output
	errs   *output
	waited chan struct{}
}

// Start starts the process.
func (c Command) Start(t testing.TB) *Process {
	t.Helper()
	p := &Process{t: t, lines: make(chan string, 65536), out: new(output), errs: new(output), waited: make(chan struct{})}
	argv := c.Argv
	if c.PID1 {
		argv = Argv("pid1", argv...)
		c.Attr.Cloneflags |= unix.CLONE_NEWPID | unix.CLONE_NEWNS
		if os.Getuid() != 0 {
			c.Attr.Cloneflags |= unix.CLONE_NEWUSER
			c.Attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			c.Attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr = c.Env, c.Dir, &c.Attr
	cmd.Stdout, cmd.Stderr = io.Writer(p.out), io.Writer(p.errs)
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	} else {
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		p.stdin = stdin
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{write}
	cmd.WaitDelay = HangLimit // for output that a survivor holds open
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %q: %v", argv, err)
	}
	write.Close()
	p.cmd, p.PID = cmd, cmd.Process.Pid
	go p.readLines(read)
	go func() {
		_ = cmd.Wait() // its status is read from ProcessState
		close(p.waited)
	}()
	t.Cleanup(p.end)
	return p
}

func (p *Process) readLines(from *os.File) {
	defer from.Close()
	scanner := bufio.NewScanner(from)
	for scanner.Scan() {
		p.lines <- scanner.Text()
	}
	close(p.lines)
}

func (p *Process) end() {
	p.CloseStdin()
	_ = p.cmd.Process.Kill()
	select {
	case <-p.waited:
	case <-time.After(HangLimit):
		p.t.Errorf("process %d does not end", p.PID)
	}
	if p.t.Failed() {
		p.t.Logf("stdout:\n%s\nstderr:\n%s", p.Output(), p.Errors())
	}
}

// Line returns the next line that a role reported. The test fails if none can
// come any more.
func (p *Process) Line() string {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			p.t.Fatalf("all processes that could report have ended; stderr:\n%s", p.Errors())
		}
		return line
	case <-time.After(HangLimit):
		p.t.Fatalf("nothing reported; stderr:\n%s", p.Errors())
	}
	return ""
}

// Expect reads a line for each of want, in this order.
func (p *Process) Expect(want ...string) {
	p.t.Helper()
	for _, w := range want {
		if got := p.Line(); got != w {
			p.t.Fatalf("reported %q, want %q", got, w)
		}
	}
}

// Rest returns the lines reported from here on, once all processes that could
// report have ended.
func (p *Process) Rest() []string {
	p.t.Helper()
	var rest []string
	timeout := time.After(HangLimit)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				return rest
			}
			rest = append(rest, line)
		case <-timeout:
			p.t.Fatalf("a process still holds the report pipe; so far %q", rest)
		}
	}
}

// Signal sends sig to the process.
func (p *Process) Signal(sig unix.Signal) {
	p.t.Helper()
	if err := unix.Kill(p.PID, sig); err != nil {
		p.t.Fatalf("kill %d with %v: %v", p.PID, sig, err)
	}
}

// CloseStdin ends the roles that wait for it.
func (p *Process) CloseStdin() {
	if p.stdin != nil {
		_ = p.stdin.Close()
	}
}

// Wait waits until the process has ended and returns how.
func (p *Process) Wait() syscall.WaitStatus {
	p.t.Helper()
	select {
	case <-p.waited:
	case <-time.After(HangLimit):
		p.t.Fatalf("process %d does not end; stdout:\n%s\nstderr:\n%s", p.PID, p.Output(), p.Errors())
	}
	return p.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// WaitCode waits and fails the test unless the process exits with code.
func (p *Process) WaitCode(code int) {
	p.t.Helper()
	if status := p.Wait(); !status.Exited() || status.ExitStatus() != code {
		p.t.Fatalf("ended with status %d (signal %v), want %d; stdout:\n%s\nstderr:\n%s",
			status.ExitStatus(), status.Signal(), code, p.Output(), p.Errors())
	}
}

// Output returns what the process has written to stdout so far.
func (p *Process) Output() string { return p.out.String() }

// Errors returns what the process has written to stderr so far.
func (p *Process) Errors() string { return p.errs.String() }

// An output collects what processes write while it is read.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
