package docker

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/nodeinit/nodeinit/internal/testproc"
	"github.com/nodeinit/nodeinit/test/harness"
)

// A dockerTerminal is "docker run --interactive --tty" with a keyboard.
type dockerTerminal struct {
	*container
	keyboard *os.File
	command  *exec.Cmd

	mu     sync.Mutex
	screen []byte // all that was written
	read   int    // what of it expect has seen
	closed bool
}

// runInTerminal is runMounted in a terminal of 24 lines and 80 columns.
func runInTerminal(t *testing.T, image string, args ...string) *dockerTerminal {
	t.Helper()
	flags, command := args, []string(nil)
	if i := slices.Index(args, "--"); i >= 0 {
		flags, command = args[:i], args[i+1:]
	}
	c := &container{t, harness.UniqueName(t)}
	run := slices.Concat([]string{"run", "--interactive", "--tty", "--label", "nodeinit-test", "--name", c.name},
		mounted(t), flags, []string{image}, command)
	term := &dockerTerminal{container: c, command: exec.Command("docker", run...)}
	keyboard, err := pty.StartWithSize(term.command, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	term.keyboard = keyboard
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		term.copyScreen()
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("on the terminal:\n%s", term.text())
		}
		if docker(t, "ps", "--all", "--quiet", "--filter", "name="+c.name) != "" {
			cleanUp(t, "docker", "rm", "--force", c.name)
		}
		<-ended
		keyboard.Close()
	})
	return term
}

// copyScreen ends when the docker client has ended: reading a terminal that no process has open is EIO.
func (term *dockerTerminal) copyScreen() {
	buf := make([]byte, 4096)
	for {
		n, err := term.keyboard.Read(buf)
		term.mu.Lock()
		term.screen = append(term.screen, buf[:n]...)
		term.closed = err != nil
		term.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (term *dockerTerminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return string(term.screen)
}

// find looks for what in the part of the screen that was not read yet, and reads up to its end.
func (term *dockerTerminal) find(what string) (found, closed bool) {
	term.mu.Lock()
	defer term.mu.Unlock()
	i := bytes.Index(term.screen[term.read:], []byte(what))
	if i < 0 {
		return false, term.closed
	}
	term.read += i + len(what)
	return true, term.closed
}

// expect waits until each of what has been written, in this order.
func (term *dockerTerminal) expect(what ...string) {
	term.t.Helper()
	for _, w := range what {
		harness.WaitUntil(term.t, w, func() bool {
			found, closed := term.find(w)
			if !found && closed {
				term.t.Fatalf("the terminal was closed before it showed %q", w)
			}
			return found
		})
	}
}

// typing types keys; \r is the Enter key.
func (term *dockerTerminal) typing(keys string) {
	term.t.Helper()
	if _, err := term.keyboard.WriteString(keys); err != nil {
		term.t.Fatal(err)
	}
}

const (
	ctrlC = "\x03"
	ctrlZ = "\x1a"
)

// checkExit waits for the docker client, which has to end with that status.
func (term *dockerTerminal) checkExit(status int) {
	term.t.Helper()
	if got := term.container.wait(); got != status {
		term.t.Errorf("the container's status is %d, want %d", got, status)
	}
	waited := make(chan error, 1)
	go func() { waited <- term.command.Wait() }()
	select {
	case err := <-waited:
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			term.t.Fatal(err)
		}
	case <-time.After(testproc.HangLimit):
		term.t.Fatal("docker run does not end")
	}
	if got := term.command.ProcessState.ExitCode(); got != status {
		term.t.Errorf("docker run ended with %d, want %d", got, status)
	}
}

// A shell in a terminal has its job control: ^C and ^Z reach what runs in the foreground, and
// nothing else.
func TestShellInTerminal(t *testing.T) {
	t.Parallel()
	term := runInTerminal(t, nodeImage, "--env", "PS1=prompt> ", "--", "--", "bash", "--norc")
	term.expect("prompt> ")
	term.typing("echo $((6*7))\r")
	term.expect("42", "prompt> ")

	term.typing("sleep 1000000\r")
	term.foreground("sleep")
	term.typing(ctrlC)
	term.expect("prompt> ")
	term.typing("echo status $?\r")
	term.expect("status 130", "prompt> ")

	term.typing("sleep 2000000\r")
	term.foreground("sleep")
	term.typing(ctrlZ)
	term.expect("Stopped", "prompt> ")
	term.typing("fg\r")
	term.foreground("sleep")
	term.typing(ctrlC)
	term.expect("prompt> ")
	term.typing("echo status $?\r")
	term.expect("status 130", "prompt> ")

	term.typing("exit 3\r")
	term.checkExit(3)
	if text := term.text(); !strings.Contains(text, "INF nodeinit starting") {
		t.Error("nodeinit's lines are not the text that is for terminals")
	}
	for _, complaint := range []string{"job control", "cannot set terminal process group", "ioctl"} {
		if text := term.text(); strings.Contains(text, complaint) {
			t.Errorf("the shell complained of %q", complaint)
		}
	}
}

// foreground waits until a program of that name has the container's terminal.
func (term *dockerTerminal) foreground(name string) {
	term.t.Helper()
	// The fields after (command): state, parent, group, session, terminal, its foreground group.
	const script = `for f in /proc/[0-9]*/stat; do
		read -r pid command state parent group session tty foreground rest <$f || continue
		[ "$command" = "($0)" ] && [ "$group" = "$foreground" ] && echo yes
	done 2>/dev/null; true`
	harness.WaitUntil(term.t, name+" to have the terminal", func() bool {
		return term.exec("sh", "-c", script, name) == "yes"
	})
}

// ^C reaches the program once, and not by way of nodeinit a second time; a changed window does too.
func TestInterruptInTerminal(t *testing.T) {
	t.Parallel()
	term := runInTerminal(t, nodeImage, "--", "node", "interrupts.js")
	term.expect("waiting")
	term.typing(ctrlC)
	term.expect("interrupt 1")
	term.typing(ctrlC)
	term.expect("interrupt 2")
	if err := pty.Setsize(term.keyboard, &pty.Winsize{Rows: 30, Cols: 99}); err != nil {
		t.Fatal(err)
	}
	term.expect("columns 99")
	term.typing("\r")
	term.checkExit(2) // as many as there were
}

func TestREPLInTerminal(t *testing.T) {
	t.Parallel()
	term := runInTerminal(t, nodeImage, "--", "node")
	term.expect("Welcome to Node.js", "> ")
	term.typing("6*7\r")
	term.expect("42", "> ")
	term.typing(ctrlC)
	term.expect("(To exit, press Ctrl+C again", "> ")
	term.typing("process.exit(5)\r")
	term.checkExit(5)
}

// docker stop ends what runs in a terminal too: by its signal, or after the grace what ignores it,
// as a shell at its prompt does.
func TestStopInTerminal(t *testing.T) {
	t.Parallel()
	t.Run("REPL", func(t *testing.T) {
		t.Parallel()
		term := runInTerminal(t, nodeImage, "--", "node")
		term.expect("> ")
		docker(t, "stop", term.name)
		term.checkExit(143)
	})
	t.Run("shell", func(t *testing.T) {
		t.Parallel()
		term := runInTerminal(t, nodeImage, "--env", "PS1=prompt> ", "--", "--grace", "1s", "bash", "--norc")
		term.expect("prompt> ")
		docker(t, "stop", term.name)
		term.expect("cause=grace_exceeded")
		term.checkExit(137)
	})
}

// A pipe on stdin is the program's, all of it, and its end is the program's to see.
func TestPipeOnStdin(t *testing.T) {
	t.Parallel()
	dockerRun := func(stdin string, args ...string) (stdout string, err error) {
		command := exec.Command("docker", slices.Concat([]string{"run", "--rm", "--label", "nodeinit-test"}, mounted(t), args)...)
		command.Stdin = strings.NewReader(stdin)
		out, err := command.Output()
		return string(out), err
	}
	t.Run("program", func(t *testing.T) {
		t.Parallel()
		out, err := dockerRun("console.log(6 * 7); process.exitCode = 6", "--interactive", nodeImage, "--log-level", "off", "node", "-")
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 6 || out != "42\n" {
			t.Errorf("wrote %q and ended with %v, want 42 and status 6", out, err)
		}
	})
	t.Run("data", func(t *testing.T) {
		t.Parallel()
		data := strings.Repeat("0123456789abcde\n", 1<<16)
		out, err := dockerRun(data, "--interactive", nodeImage, "--log-level", "off", "cat")
		if err != nil || out != data {
			t.Errorf("%d bytes of %d came back (%v)", len(out), len(data), err)
		}
	})
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		out, err := dockerRun("nobody's", nodeImage, "--log-level", "off", "cat")
		if err != nil || out != "" {
			t.Errorf("wrote %q and ended with %v; without --interactive there is nothing to read", out, err)
		}
	})
}
