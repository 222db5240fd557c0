package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// oneFirst is a program of testdata/first that may become two workers.
func oneFirst(t *testing.T, version, file string, args ...string) testproc.Command {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata/first", file))
	if err != nil {
		t.Fatal(err)
	}
	return harness.UnderInit(harness.LongGrace+"--workers 2", append([]string{harness.NodeBinary(t, version), path}, args...)...)
}

// A job runs once and ends as it does under plain node.
func TestJobRunsOnce(t *testing.T) {
	t.Parallel()
	for _, version := range harness.NodeLines {
		for status := range 2 {
			t.Run(fmt.Sprint(version, " ", status), func(t *testing.T) {
				t.Parallel()
				p := oneFirst(t, version, "job.js", fmt.Sprint(status)).Start(t)
				if code := p.Wait().ExitStatus(); code != status {
					t.Errorf("ended with %d", code)
				}
				if n := strings.Count(p.Output(), "working "); n != 1 {
					t.Errorf("it ran %d times:\n%s", n, p.Output())
				}
			})
		}
	}
}

// Standard input is that of one process.
func TestInputIsNotTorn(t *testing.T) {
	t.Parallel()
	c := oneFirst(t, harness.ReferenceLine, "input.js")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	c.Stdin = read
	p := c.Start(t)
	const lines = 50000
	for i := range lines {
		if _, err := fmt.Fprintf(write, "line %d end\n", i); err != nil {
			t.Fatal(err)
		}
	}
	write.Close()
	p.WaitCode(0)
	if want := fmt.Sprintf("%d lines, 0 torn\n", lines); !strings.Contains(p.Output(), want) {
		t.Errorf("not %q:\n%s", want, p.Output())
	}
}

// The first worker has the terminal, also when others have come, and ^C ends all.
func TestTerminal(t *testing.T) {
	t.Parallel()
	x := harness.OnTerminal(t, oneFirst(t, harness.ReferenceLine, "server.js"), true)
	x.WaitForTimes(2, "serving as")
	x.Type("hello\n")
	x.WaitFor(`0 read "hello\n"`)
	x.Type("\x03")
	x.WaitCode(130)
	x.WaitFor("stopping")
}

// A program that ends with 0 on a terminal, by itself or after ^C, does so as under plain
// node, whatever becomes of the other workers: these die of the signal, as one that is
// still starting does.
func TestEndsWellOnATerminal(t *testing.T) {
	t.Parallel()
	for _, version := range harness.NodeLines {
		for name, typed := range map[string]string{"by itself": "end\n", "after ^C": "\x03"} {
			t.Run(version+" "+name, func(t *testing.T) {
				t.Parallel()
				x := harness.OnTerminal(t, oneFirst(t, version, "ends.js"), true)
				x.WaitForTimes(2, "serving")
				x.Type(typed)
				x.WaitCode(0)
				x.WaitFor("exit cause=exit")
				if !strings.Contains(x.Text(), "cause=signal") {
					t.Error("the other worker was not ended by SIGINT")
				}
			})
		}
	}
}

// A first worker that gets the terminal later (fg) takes ^C from all others too.
func TestTerminalGivenLater(t *testing.T) {
	t.Parallel()
	c := harness.Under(oneFirst(t, harness.ReferenceLine, "quiet.js"), testproc.Argv("jobshell", "background")...)
	x := harness.OnTerminal(t, c, true)
	x.WaitForTimes(2, "serving")
	x.Signal(unix.SIGUSR1)
	harness.WaitUntil(t, "the first worker in the foreground", func() bool {
		program, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", foreground(t, x.Master)))
		return filepath.Base(program) == "node"
	})
	x.Type("\x03")
	x.Expect("ended with 130, terminal with the job: true")
	x.WaitFor("exit cause=signal")
	if !strings.Contains(x.Text(), "requested=true") {
		t.Error("^C was no request to stop")
	}
}

// foreground returns the foreground group of a terminal.
func foreground(t *testing.T, master *os.File) (group int) {
	t.Helper()
	conn, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Control(func(fd uintptr) { group, err = unix.IoctlGetInt(int(fd), unix.TIOCGPGRP) })
	if err != nil {
		t.Fatal(err)
	}
	return group
}

// A server in a worker thread is one process, and the log says why.
func TestThreadThatListens(t *testing.T) {
	t.Parallel()
	p := oneFirst(t, harness.ReferenceLine, "thread.js").Start(t)
	line := harness.UntilLogged(t, p, "staying one process")
	if why, _ := line.Facts["why"].(string); !strings.Contains(why, "socket of its own") {
		t.Errorf("why: %q", why)
	}
	p.Signal(unix.SIGTERM)
	p.Wait()
	if n := strings.Count(p.Output(), `"msg":"worker started"`); n != 1 {
		t.Errorf("%d workers were started", n)
	}
}

// Behind a command that changes the user all workers run as that one.
func TestLearnsTheUser(t *testing.T) {
	t.Parallel()
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} { // another user is to come in
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	node, file := filepath.Join(dir, "node"), filepath.Join(dir, "server.js")
	for from, to := range map[string]string{harness.NodeBinary(t, harness.ReferenceLine): node, "testdata/first/server.js": file} {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := harness.UnderInit(harness.LongGrace+"--workers 2", setpriv, "--reuid=65534", "--regid=65533", "--groups=65532", "--", node, file)
	c.Dir = dir
	p := c.Start(t)
	harness.WaitUntil(t, "two servers", func() bool { return strings.Count(p.Output(), "serving as") == 2 })
	if n := strings.Count(p.Output(), "serving as 65534:65533:65532"); n != 2 {
		t.Errorf("%d workers run as that user:\n%s", n, p.Output())
	}
	p.Signal(unix.SIGTERM)
	p.WaitCode(143)
}

// What a process of another user has reported is not done as root, because that has
// got its number since.
func TestLearnsNothingOfTheDead(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("needs root")
	}
	c := harness.UnderInit("--workers 2", "bash", "-c", "bash testdata/first/recycled.bash; node")
	c.PID1 = true
	p := c.Start(t)
	const refused = `"why":"the process that listens has ended"`
	harness.WaitUntil(t, "a decision", func() bool {
		return strings.Contains(p.Output(), refused) || strings.Contains(p.Output(), "command learned")
	})
	p.Signal(unix.SIGKILL)
	p.Wait()
	if !strings.Contains(p.Output(), refused) {
		t.Error("the lie was believed")
	}
}
